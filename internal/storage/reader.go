package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Reader yields transactions of the logs, in order, for a peer that needs them.
type Reader struct {
	chain *chain
	upTo  int64
	done  bool
}

// Read reads the transactions after one zxid, up to the last that is durable
// now. If the logs do not reach back so far, the error of Next is
// ErrUnavailable. The log may be written meanwhile. Close ends it.
func (s *Store) Read(after int64) (*Reader, error) {
	if s.writer == nil {
		return nil, errors.New("storage: Read before Load")
	}
	upTo := s.writer.SyncedZxid()
	logs, err := listLogs(s.fs, s.logDir)
	if err != nil {
		return nil, err
	}
	return &Reader{chain: newChain(s.fs, s.log, s.opts.MaxEntry, logs, after), upTo: upTo, done: after >= upTo}, nil
}

// Replayable tells whether the logs hold the transaction zxid itself, and behind it
// no more than factor times the bytes of the newest snapshot. It counts whole
// files, as far as they are filled.
func (s *Store) Replayable(zxid int64, factor float64) (bool, error) {
	snaps, err := listSnapshots(s.fs, s.snapDir)
	if err != nil || len(snaps) == 0 || s.writer == nil {
		return false, err
	}
	logs, err := listLogs(s.fs, s.logDir)
	if err != nil {
		return false, err
	}
	logs = filesAfter(logs, zxid-1)
	if n := len(logs); n > 0 && s.writer.Files() > 0 {
		logs[n-1].size = s.writer.Size() // the file itself is longer, for what comes
	}
	limit := factor * float64(snaps[0].size*expansion[snaps[0].compression])
	few, err := s.fewer(logs, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // purged meanwhile
	}
	if err != nil || !few {
		return false, err
	}
	return s.holds(zxid)
}

// fewer tells whether the logs have no more than limit bytes, without the zeros
// at their ends: Apache's servers leave them there, and one that was killed
// right after it had begun the next log.
func (s *Store) fewer(logs []logInfo, limit float64) (bool, error) {
	var bytes int64
	for _, l := range logs {
		bytes += l.size
	}
	for i := 0; i < len(logs) && float64(bytes) > limit; i++ {
		used, err := s.used(logs[i])
		if err != nil {
			return false, err
		}
		bytes -= logs[i].size - used
	}
	return float64(bytes) <= limit, nil
}

// used is how many bytes of a log there are before the zeros at its end.
func (s *Store) used(l logInfo) (used int64, err error) {
	f, err := s.fs.OpenFile(l.path, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	used, err = lastNonZero(f, 0, l.size)
	return used, errors.Join(err, f.Close())
}

// holds tells whether a transaction is in the logs.
func (s *Store) holds(zxid int64) (bool, error) {
	r, err := s.Read(zxid - 1)
	if err != nil {
		return false, err
	}
	_, err = r.Next()
	found := err == nil && r.Zxid() == zxid
	if err == io.EOF || errors.Is(err, ErrUnavailable) {
		err = nil
	}
	return found, errors.Join(err, r.Close())
}

// Next is the next transaction's entry, valid until the next call; io.EOF
// after the last.
func (r *Reader) Next() ([]byte, error) {
	if r.done {
		return nil, io.EOF
	}
	entry, err := r.chain.next()
	switch {
	case err == io.EOF:
		return nil, fmt.Errorf("%w: the logs end at 0x%x, before 0x%x", ErrUnavailable, uint64(r.chain.last), uint64(r.upTo))
	case r.chain.tooLate, errors.Is(err, fs.ErrNotExist): // purged before, or meanwhile
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case err != nil:
		return nil, err
	}
	r.done = r.chain.last >= r.upTo
	return entry, nil
}

// Zxid is the zxid of the entry that Next returned last.
func (r *Reader) Zxid() int64 { return r.chain.last }

// Close releases the files.
func (r *Reader) Close() error { return r.chain.close() }
