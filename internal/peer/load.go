package peer

import (
	"bytes"
	"errors"
	"os"

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
	if len(t.entries) == t.keep {
		half := t.keep / 2
		t.dropped = t.entries[half-1].Zxid
		clear(t.entries[:half])
		t.entries = append(t.entries[:0], t.entries[half:]...)
	}
	t.entries = append(t.entries, newEntry(bytes.Clone(entry)))
}

// before is the transaction right before the tail; base is the one before all that was read.
func (t *tail) before(base int64) int64 {
	if t.dropped != 0 {
		return t.dropped
	}
	return base
}

// newEntry is a transaction as the log has it. It must have a whole header.
func newEntry(data []byte) zab.Entry {
	e := zab.Entry{Zxid: storage.Zxid(data), Data: data}
	var t txn.Txn
	if storage.Type(data) == proto.OpReconfig && txn.Decode(data, &t) == nil {
		e.Config = bytes.Clone(t.Data)
	}
	return e
}
