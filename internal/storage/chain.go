package storage

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
)

const cureMissing = "Restore the missing log, or let this server copy everything from its peers (move its data directory away and start it empty). " +
	"To give up the transactions behind the gap instead, move these logs away"

// cureLog says how to mend the log at path.
func cureLog(path string) string {
	return "Restore the file from a backup, or let this server copy everything from its peers (move its data directory away and start it empty). " +
		"To give up all transactions from there on instead: quoll data recover --replace " + path
}

// epoch is the upper half of a zxid: which leader made it.
func epoch(zxid int64) int64 { return zxid >> 32 }

// follows tells whether zxid comes right behind last: the next of its epoch,
// or the first of a later one.
func follows(last, zxid int64) bool {
	return zxid == last+1 || epoch(zxid) > epoch(last) && zxid&0xffffffff <= 1
}

// filesAfter picks, of logs in order, those that can hold what comes after zxid.
func filesAfter(logs []logInfo, zxid int64) []logInfo {
	for i := len(logs) - 1; i > 0; i-- {
		if logs[i].first <= zxid+1 {
			return logs[i:]
		}
	}
	return logs
}

// chain reads the transactions after one zxid, over all files that hold them,
// and makes sure that none is missing.
type chain struct {
	fs       FS
	log      *slog.Logger
	maxEntry int
	files    []logInfo // not opened so far
	f        File
	path     string
	scan     *logScanner
	records  int   // read from the open file
	seen     int64 // zxid of the last record of any file
	last     int64 // zxid of the last record returned, or after which to begin
	before   int64 // the last before that
	begin    int64 // offset of the last record returned
	returned bool  // any record
	tooLate  bool  // the files begin behind where the chain begins
	ends     []logEnd
}

// logEnd is the end of a log that no later record has shown to be complete.
type logEnd struct {
	path    string
	off     int64
	bad     *badRecord // what stands there instead of a record; nil: a zero
	prev    int64      // zxid of the last record before
	records int        // in this file
	header  bool       // the file has one
}

func newChain(fsys FS, log *slog.Logger, maxEntry int, logs []logInfo, after int64) *chain {
	return &chain{fs: fsys, log: log, maxEntry: maxEntry, files: filesAfter(logs, after), last: after}
}

func (c *chain) close() error {
	if c.f == nil {
		return nil
	}
	err := c.f.Close()
	c.f, c.scan = nil, nil
	return err
}

// next is the next transaction, valid until the next call; io.EOF is the end
// of all files, whose ends c.ends tells.
func (c *chain) next() ([]byte, error) {
	for {
		if c.scan == nil {
			if len(c.files) == 0 {
				return nil, io.EOF
			}
			if err := c.open(); err != nil {
				return nil, err
			}
			continue
		}
		at := c.scan.off
		entry, err := c.scan.next()
		if err != nil {
			if err := c.endFile(err); err != nil {
				return nil, err
			}
			continue
		}
		c.records++
		skip, err := c.check(entry, at)
		if err != nil {
			return nil, err
		}
		if !skip {
			return entry, nil
		}
	}
}

// open opens the next file. One without a header is passed over, to be looked
// at in the end.
func (c *chain) open() error {
	info := c.files[0]
	c.files = c.files[1:]
	f, err := c.fs.OpenFile(info.path, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	c.f, c.path, c.records = f, info.path, 0
	c.scan, err = newLogScanner(f, c.maxEntry)
	if err == nil {
		return nil
	}
	if errors.Is(err, errNoHeader) {
		c.ends = append(c.ends, logEnd{path: info.path, prev: c.seen})
		return c.close()
	}
	var bad *badRecord
	if errors.As(err, &bad) {
		return c.damage(bad.off, bad.reason, 0, cureLog(c.path))
	}
	return fmt.Errorf("read log %s: %w", info.path, err)
}

// endFile notes where the file's records end.
func (c *chain) endFile(err error) error {
	end := logEnd{path: c.path, off: c.scan.off, prev: c.seen, records: c.records, header: true}
	if err != io.EOF && !errors.As(err, &end.bad) {
		return fmt.Errorf("read log %s: %w", c.path, err)
	}
	c.ends = append(c.ends, end)
	return c.close()
}

// check places the record of entry, which lies at offset at. skip means that it
// is not after where the chain begins, or that it is an echo.
func (c *chain) check(entry []byte, at int64) (skip bool, err error) {
	zxid := entryZxid(entry)
	switch {
	case isEcho(c.seen, entry):
		return true, nil
	case zxid <= c.seen:
		return false, c.damage(at, fmt.Sprintf("transaction 0x%x comes after 0x%x", uint64(zxid), uint64(c.seen)), zxid, cureLog(c.path))
	case c.seen <= c.last && zxid <= c.last:
		c.seen = zxid
		c.ends = c.ends[:0]
		return true, nil
	case !follows(c.last, zxid):
		return false, c.gap(zxid, at)
	}
	if err := c.settle(zxid); err != nil {
		return false, err
	}
	c.seen, c.before, c.last, c.begin, c.returned = zxid, c.last, zxid, at, true
	return false, nil
}

// settle looks at the ends of the files before zxid. The next transaction of
// the same epoch shows that nothing is missing; the first of another does not.
func (c *chain) settle(zxid int64) error {
	for _, end := range c.ends {
		if !end.header {
			return &DamageError{File: end.path, After: end.prev, Before: zxid, Reason: "its header is missing", Cure: cureLog(end.path)}
		}
		if zxid == c.last+1 {
			if end.bad != nil {
				c.log.Warn("A log ends in an interrupted write; nothing is missing, the next log goes on",
					"file", end.path, "offset", end.off, "zxid", hex(zxid))
			}
			continue
		}
		if _, err := c.inspect(end); err != nil {
			return err
		}
	}
	c.ends = c.ends[:0]
	return nil
}

// inspect decides what lies behind the last record of a file.
func (c *chain) inspect(end logEnd) (tail, error) {
	f, err := c.fs.OpenFile(end.path, os.O_RDONLY, 0)
	if err != nil {
		return tail{}, fmt.Errorf("open log: %w", err)
	}
	defer f.Close()
	t, err := inspectTail(f, end.off, end.bad, end.prev, c.maxEntry)
	if err != nil {
		return t, fmt.Errorf("read log %s: %w", end.path, err)
	}
	size, err := f.Size()
	if err != nil {
		return t, fmt.Errorf("read log %s: %w", end.path, err)
	}
	if !end.header && size < fileHeader {
		return tail{}, nil
	}
	if !end.header && t.kind != tailClean {
		t = tail{kind: tailDamaged, reason: "its header is missing", before: t.before}
	}
	if t.kind == tailDamaged {
		return t, &DamageError{File: end.path, Offset: end.off, After: end.prev, Before: t.before, Reason: t.reason, Cure: cureLog(end.path)}
	}
	return t, nil
}

// gap says what is missing before zxid: a broken record, or a whole file.
func (c *chain) gap(zxid, at int64) error {
	for _, end := range c.ends {
		if end.bad != nil {
			return &DamageError{File: end.path, Offset: end.off, After: c.last, Before: zxid, Reason: end.bad.reason, Cure: cureLog(end.path)}
		}
	}
	c.tooLate = !c.returned
	return c.damage(at, fmt.Sprintf("it goes on with 0x%x: what comes between is missing", uint64(zxid)), zxid, cureMissing)
}

func (c *chain) damage(at int64, reason string, before int64, cure string) error {
	return errors.Join(&DamageError{File: c.path, Offset: at, After: c.last, Before: before, Reason: reason, Cure: cure}, c.close())
}
