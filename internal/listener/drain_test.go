package listener

import (
	"context"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// TestDrain lets clients have their answers before their connections end, and lets nobody in.
func TestDrain(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.disk.gate = make(chan struct{}, 3) })
	for range cap(w.disk.gate) {
		w.disk.gate <- struct{}{}
	}
	busy, idle, other := w.client(), w.client(), w.client()
	xid := busy.post(proto.OpCreate, createBody("/late", "", 0))
	read := busy.post(proto.OpExists, readBody("/late", false))
	await(t, "the write", func() bool { return w.Engine.InFlight() == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	drained := make(chan struct{})
	go func() { w.Drain(ctx); close(drained) }()
	idle.ended()
	other.ended()
	await(t, "all but one to go", func() bool { return w.Len() == 1 })
	w.disk.release()
	for _, want := range []int32{xid, read} {
		if h, _ := busy.reply(); h.Xid != want || h.Err != proto.OK {
			t.Errorf("reply %+v, want %d", h, want)
		}
	}
	busy.ended()
	<-drained
	if err := ctx.Err(); err != nil {
		t.Error(err)
	}
}
