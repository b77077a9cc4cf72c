package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
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
