package request

import (
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// TestNobodyWaitsForALargeList changes what a client watches while a large list
// is being encoded for it: the writer goes on, and the client gets
// the reply before the event.
func TestNobodyWaitsForALargeList(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	other, n := w.client()
	w.submit(c, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/a", "", 0)})
	if h, _ := m.next(t); h.Err != proto.OK {
		t.Fatalf("create: %+v", h)
	}
	w.Read(c, []Request{
		{Xid: 2, Op: proto.OpGetData, Body: readBody("/a", true)},
		{Xid: 3, Op: proto.OpGetChildren, Body: readBody("/a", true)},
	}, time.Now())

	mine := c.detach() // as readLarge does
	w.submit(other,
		Request{Xid: 1, Op: proto.OpSetData, Body: setBody("/a", "new", -1)},
		Request{Xid: 2, Op: proto.OpCreate, Body: createBody("/a/b", "", 0)})
	for range 2 {
		if h, _ := n.next(t); h.Err != proto.OK {
			t.Fatalf("a write while the outbox is detached: %+v", h)
		}
	}
	if frames, _ := c.Take(); frames != nil {
		t.Errorf("%d bytes went out while the reply was being encoded", len(frames))
	}
	if c.EventBytes() == 0 {
		t.Error("the events that wait are not counted")
	}
	mine.begin()
	mine.header(4, 0, proto.OK)
	mine.end()
	c.attach(mine)
	m.Flush()
	for _, want := range []int32{2, 3, 4, proto.XidNotification, proto.XidNotification} {
		if h, _ := m.next(t); h.Xid != want {
			t.Errorf("frame %d, want %d", h.Xid, want)
		}
	}
	if n := c.EventBytes(); n != 0 {
		t.Errorf("%d bytes of events are still counted", n)
	}

	mine = c.detach()
	c.Discard()
	mine.begin()
	mine.end()
	c.attach(mine)
	if frames, _ := c.Take(); frames != nil {
		t.Error("a connection that is closed was sent something")
	}
}
