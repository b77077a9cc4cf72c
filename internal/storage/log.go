package storage

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"
)

// errClosed is what a Log says after Close.
var errClosed = errors.New("log is closed")

// Log is the end of the log: records are appended and synced in batches.
//
// One goroutine calls Append, Sync and Roll. Between an Append and the end of
// the following Sync nobody may be told that its records are durable. After a
// failure every call returns the same error, which wraps ErrFinal.
type Log struct {
	store  *Store
	err    error
	roll   bool
	last   int64 // zxid of the last record
	cur    *segment
	ended  []*segment // whose goroutines may still run
	marker []byte

	size    atomic.Int64 // bytes of the current file that are used
	written atomic.Int64 // bytes of records since Load
	synced  atomic.Int64 // zxid of the last record that is durable
	files   atomic.Int64 // begun since Load
}

func newLog(s *Store, last int64) *Log {
	l := &Log{store: s, last: last}
	l.synced.Store(last)
	return l
}

// Append writes n framed records whose zxids lie between first and last, which
// must follow what was appended before. They are durable after the next Sync.
// The bytes between batch's length and its capacity may be overwritten.
func (l *Log) Append(batch []byte, first, last int64, n int) error {
	if l.err != nil {
		return l.err
	}
	if n == 0 {
		return nil
	}
	if !follows(l.last, first) || last < first {
		return l.fail(fmt.Errorf("%w: transactions 0x%x to 0x%x were to be appended after 0x%x",
			ErrFinal, uint64(first), uint64(last), uint64(l.last)))
	}
	for len(batch) > 0 {
		piece, rest := cutPiece(batch)
		if err := l.prepare(entryZxid(Entry(piece, 0)), len(piece)); err != nil {
			return l.fail(err)
		}
		if err := l.write(piece); err != nil {
			return l.fail(err)
		}
		l.written.Add(int64(len(piece)))
		l.size.Store(l.cur.off)
		batch = rest
	}
	l.last = last
	return nil
}

// maxPiece is how many bytes are written between two syncs, unless one record
// is longer. A start that meets a broken record looks tailWindow behind it for
// what was written with it, and takes anything farther off for damage.
const maxPiece = tailWindow / 2

// cutPiece cuts off the batch's first records what may be written at once.
func cutPiece(batch []byte) (piece, rest []byte) {
	if len(batch) <= maxPiece {
		return batch, nil
	}
	n := RecordLen(len(Entry(batch, 0)))
	for n < len(batch) {
		next := n + RecordLen(len(Entry(batch, n)))
		if next > maxPiece {
			break
		}
		n = next
	}
	return batch[:n:n], batch[n:]
}

// prepare sees to a file with room for n bytes.
func (l *Log) prepare(first int64, n int) error {
	if l.cur != nil && (l.roll || l.full()) {
		if err := l.endSegment(); err != nil {
			return err
		}
	}
	l.roll = false
	if l.cur == nil {
		if err := l.begin(first); err != nil {
			return err
		}
	}
	// What lies unsynced behind a marker must be one write: see the package comment.
	if l.cur.off > l.cur.synced.Load() {
		if err := l.sync(); err != nil {
			return err
		}
	}
	l.cur.room(l.cur.off + int64(n) + sector)
	return nil
}

func (l *Log) full() bool {
	limit := l.store.opts.LogSizeLimit
	return limit > 0 && l.cur.off > limit
}

// write writes batch and its marker as one.
func (l *Log) write(batch []byte) error {
	start, end := l.cur.off, l.cur.off+int64(len(batch))
	l.marker = appendMarker(l.marker[:0], start, end)
	if spare := cap(batch) - len(batch); spare >= len(l.marker) {
		batch = append(batch, l.marker...) // into room that its owner has not used
		if _, err := l.cur.f.WriteAt(batch, start); err != nil {
			return final("write", l.cur.path, err)
		}
	} else {
		if _, err := l.cur.f.WriteAt(batch, start); err != nil {
			return final("write", l.cur.path, err)
		}
		if _, err := l.cur.f.WriteAt(l.marker, end); err != nil {
			return final("write", l.cur.path, err)
		}
	}
	l.cur.off = end
	return nil
}

// Sync makes everything appended durable.
func (l *Log) Sync() error {
	if l.err != nil {
		return l.err
	}
	if l.cur == nil || l.cur.synced.Load() == l.cur.off {
		return nil
	}
	if err := l.sync(); err != nil {
		return l.fail(err)
	}
	return nil
}

func (l *Log) sync() error {
	opts := &l.store.opts
	if !opts.NoSync {
		start := time.Now()
		if err := l.cur.f.Sync(); err != nil {
			return final("sync", l.cur.path, err)
		}
		took := time.Since(start)
		if took > opts.SlowSync {
			opts.Logger.Warn("A sync of the log was slow: writes wait for it. Is the disk shared or overloaded?",
				"took", took, "file", l.cur.path, "bytes", l.cur.off-l.cur.synced.Load())
		}
		if opts.OnSync != nil {
			opts.OnSync(took)
		}
	}
	l.cur.synced.Store(l.cur.off)
	l.synced.Store(l.last)
	return nil
}

// Roll makes the next Append begin a new file.
func (l *Log) Roll() error {
	if l.err == nil {
		l.roll = true
	}
	return l.err
}

// begin starts the file whose first record is zxid.
func (l *Log) begin(zxid int64) error {
	path := filepath.Join(l.store.logDir, LogName(zxid))
	seg, err := newSegment(l.store, path)
	if err != nil {
		return final("begin log", path, err)
	}
	l.cur = seg
	l.files.Add(1)
	l.size.Store(fileHeader)
	return nil
}

// endSegment syncs and closes the current file. The zeros behind its end are
// cut off in the background.
func (l *Log) endSegment() error {
	cur := l.cur
	if cur.off > cur.synced.Load() {
		if err := l.sync(); err != nil {
			return err
		}
	}
	l.cur = nil
	l.ended = append(slices.DeleteFunc(l.ended, (*segment).hasEnded), cur)
	if err := cur.close(cur.off + markerShift(cur.off) + markerLen); err != nil {
		return final("close", cur.path, err)
	}
	return nil
}

func (l *Log) fail(err error) error {
	l.err = err
	l.store.log.Error("The log failed; the server must end", "error", err)
	return err
}

// Err is the failure that ended the log, nil if there was none. It is for the
// goroutine that appends.
func (l *Log) Err() error { return l.err }

// Size is how many bytes of the current file are used.
func (l *Log) Size() int64 { return l.size.Load() }

// Written is how many bytes of records were appended since Load.
func (l *Log) Written() int64 { return l.written.Load() }

// Files is how many files were begun since Load.
func (l *Log) Files() int64 { return l.files.Load() }

// SyncedZxid is the last transaction that is durable.
func (l *Log) SyncedZxid() int64 { return l.synced.Load() }

// close ends the log: what was appended is synced, and the file ends where its
// records do. It must not run together with other calls.
func (l *Log) close() error {
	var err error
	switch {
	case l.cur == nil:
	case l.err == nil:
		err = l.endSegment()
	default: // what the file holds is unknown: leave it to the next start
		l.ended = append(l.ended, l.cur)
		err = l.cur.close(math.MaxInt64)
		l.cur = nil
	}
	if l.err == nil {
		l.err = errClosed
	}
	for _, seg := range l.ended {
		<-seg.done
	}
	l.ended = nil
	return err
}
