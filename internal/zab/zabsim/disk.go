package zabsim

import (
	"errors"
	"slices"

	"github.com/quollhq/quoll/internal/zab"
)

// stable is what a server finds after a crash.
type stable struct {
	accepted, current int64
	log               []zab.Entry // from the first transaction on, snapshots included
	active, lastSeen  []byte
}

func lastOf(log []zab.Entry) int64 {
	if len(log) == 0 {
		return 0
	}
	return log[len(log)-1].Zxid
}

// place is where zxid is in a log, or where it would be.
func place(log []zab.Entry, zxid int64) (int, bool) {
	return slices.BinarySearchFunc(log, zxid, func(e zab.Entry, z int64) int {
		switch {
		case e.Zxid < z:
			return -1
		case e.Zxid > z:
			return 1
		}
		return 0
	})
}

// upTo is the part of a log that ends with zxid.
func upTo(log []zab.Entry, zxid int64) []zab.Entry {
	i, ok := place(log, zxid)
	if ok {
		i++
	}
	return log[:i:i]
}

var (
	errTruncate = errors.New("the log shall be cut after a transaction that it does not have")
	errSync     = errors.New("simulated failure of a sync")
)

// apply does a write, as it was asked for.
func (s *stable) apply(w *zab.Write) error {
	switch w.Kind {
	case zab.WriteNothing:
	case zab.WriteAppend:
		s.log = append(s.log, w.Entries...)
	case zab.WriteAccepted:
		s.accepted = w.Epoch
	case zab.WriteCurrent:
		s.current = w.Epoch
	case zab.WriteTruncate:
		s.log = upTo(s.log, w.Zxid)
		if lastOf(s.log) != w.Zxid {
			return errTruncate
		}
	case zab.WriteSnapshot:
		snap := w.Snapshot.([]zab.Entry)
		s.log = snap[:len(snap):len(snap)]
	case zab.WriteLastSeen:
		s.lastSeen = w.Config
	case zab.WriteActive:
		s.active = w.Config
	}
	return nil
}

// disk makes writes durable, in order, a batch at a time.
type disk struct {
	stable
	queue   []zab.Write
	batch   []zab.Write // being synced
	stalled bool
}

// crash keeps a part of what was not synced: whole writes in their order, and of
// the first that is not whole, if it appends, a part of its transactions.
func (d *disk) crash(r *rng, tear bool) {
	left := append(d.batch, d.queue...)
	d.batch, d.queue, d.stalled = nil, nil, false
	keep := 0
	if len(left) > 0 && r.chance(0.7) {
		keep = r.IntN(len(left) + 1)
	}
	for i := range left[:keep] {
		if d.apply(&left[i]) != nil {
			return
		}
	}
	switch {
	case keep == len(left):
	case left[keep].Kind == zab.WriteAppend && r.chance(0.5):
		part := left[keep].Entries
		d.log = append(d.log, part[:r.IntN(len(part)+1)]...)
	case left[keep].Kind == zab.WriteSnapshot && tear:
		if snap := left[keep].Snapshot.([]zab.Entry); len(snap) > 1 {
			d.log = append(slices.Clone(snap[:r.IntN(len(snap)-1)]), snap[len(snap)-1])
		}
	}
}
