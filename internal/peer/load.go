package peer

import (
	"bytes"
	"errors"
	"os"
	"slices"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/internal/zab"
)

// epoch reads an epoch. A server that was never in an ensemble has none: then its log tells.
func epoch(s *storage.Store, name string, last int64) (int64, error) {
	v, err := s.ReadEpoch(name)
	if errors.Is(err, os.ErrNotExist) {
		return zab.EpochOf(last), nil
	}
	return v, err
}

// tail keeps the end of the log as it is read: a half of it at least, if there is so much.
type tail struct {
	keep    int
	entries []zab.Entry
	dropped int64 // the last that was not kept, 0 if all were
}

func (t *tail) add(entry []byte) {
	n := len(t.entries)
	if n == t.keep {
		half := t.keep / 2
		t.dropped = t.entries[half-1].Zxid
		slices.Reverse(t.entries[:half])
		slices.Reverse(t.entries[half:])
		slices.Reverse(t.entries)
		n -= half
	}
	// What was dropped stands behind those that are kept: its memory is used again.
	t.entries = slices.Grow(t.entries[:n], 1)[:n+1]
	setEntry(&t.entries[n], append(t.entries[n].Data[:0], entry...))
}

// before is the transaction right before the tail; base is the one before all that was read.
func (t *tail) before(base int64) int64 {
	if t.dropped != 0 {
		return t.dropped
	}
	return base
}

// setEntry makes e a transaction as the log has it, which must have a whole header.
func setEntry(e *zab.Entry, data []byte) {
	e.Zxid, e.Data, e.Config = storage.Zxid(data), data, nil
	if storage.Type(data) == proto.OpReconfig {
		e.Config = configOf(data)
	}
}

// configOf is the text of the configuration that a reconfiguration brings.
func configOf(data []byte) []byte {
	var t txn.Txn
	if txn.Decode(data, &t) != nil {
		return nil
	}
	return bytes.Clone(t.Data)
}
