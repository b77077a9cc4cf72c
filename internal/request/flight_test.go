package request

import (
	"slices"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/txn"
)

// Writes of a session are answered in order, also those that are refused where they arrive,
// and come while others of a batch are being applied.
func TestFlightInOrder(t *testing.T) {
	f := &flight{local: map[int64]*waiters{}}
	s, _ := session.NewTracker(1000, 0).Track(7, 1000, 0)
	c := &Client{Session: s}
	comes := func(xid int32, code proto.Code) {
		x := f.waiters(s.ID()).add()
		x.client, x.session, x.xid, x.code, x.body = c, s, xid, code, make([]byte, 10)
		f.bytes += 10
	}
	batch := func(xids ...int32) []flown {
		list := make([]flown, len(xids))
		f.take(list, func(i int) []byte { return (&txn.Header{ClientID: s.ID(), Cxid: xids[i], Zxid: 1}).Append(nil) })
		return list
	}
	var got []int32
	answer := func(x *flown) {
		if !x.ours {
			t.Fatalf("write %d is nobody's", x.xid)
		}
		got = append(got, x.xid)
		for _, it := range x.stuck {
			got = append(got, it.xid)
		}
	}

	comes(1, proto.OK)
	comes(2, proto.MarshallingError)
	comes(3, proto.OK)
	comes(4, proto.OK)
	comes(5, proto.MarshallingError)
	list := batch(1, 3, 99)
	answer(&list[0])
	if w := f.local[s.ID()]; w == nil || w.len() != 5 {
		t.Fatal("what is being answered does not wait any more: a write that is refused now would be answered at once")
	}
	answer(&list[1])
	if list[2].ours {
		t.Error("a write of another member is taken for one of this")
	}
	late := &lateRefuser{t: t, f: f}
	if f.leave(list, late); len(late.got) != 0 {
		t.Errorf("%d writes are stuck behind one that is under way", len(late.got))
	}
	list = batch(4)
	comes(6, proto.MarshallingError)
	comes(7, proto.MarshallingError)
	answer(&list[0])
	if f.leave(list, late); late.pending != 0 {
		t.Errorf("%d answers are in no outbox when the next may come", late.pending)
	}
	got = append(got, late.got...)
	if want := []int32{1, 2, 3, 4, 5, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("answered %v, want %v", got, want)
	}
	if len(f.local) != 0 || f.bytes != 0 {
		t.Errorf("%d sessions and %d bytes wait", len(f.local), f.bytes)
	}
}

// lateRefuser sees to it that nothing can come while it answers.
type lateRefuser struct {
	t       *testing.T
	f       *flight
	pending int
	got     []int32
}

func (r *lateRefuser) locked() {
	if r.f.mu.TryLock() {
		r.f.mu.Unlock()
		r.t.Error("a write that is refused now would be answered before one that came before it")
	}
}

func (r *lateRefuser) refused(list []item) {
	r.locked()
	for i := range list {
		r.got = append(r.got, list[i].xid)
		r.pending++
	}
}

func (r *lateRefuser) handOver() {
	r.locked()
	r.pending = 0
}
