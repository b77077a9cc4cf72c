package client

import (
	"errors"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// TestLinearizable has a sync go before each read, anew on each connection.
func TestLinearizable(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		var data []byte
		get := func() error {
			var err error
			data, _, err = c.Get(Linearizable(t.Context()), "/a")
			return err
		}
		before := f.writes.Load()
		done := async(get)
		fc.answer(proto.OpSync, 10, proto.OK, []byte{0, 0, 0, 1, '/'})
		if n := f.writes.Load() - before; n != 1 {
			t.Errorf("the two leave in %d writes", n)
		}
		fc.request(proto.OpGetData)
		fc.Close() // the read is made again, and so is its sync
		fc, _ = f.accept()
		fc.answer(proto.OpSync, 11, proto.OK, []byte{0, 0, 0, 1, '/'})
		fc.answer(proto.OpGetData, 11, proto.OK, getReply("x"))
		if err := <-done; err != nil || string(data) != "x" {
			t.Errorf("got %q, %v", data, err)
		}

		done = async(get)
		fc.answer(proto.OpSync, 12, proto.NotReadOnly, nil)
		fc.answer(proto.OpGetData, 12, proto.OK, getReply("old"))
		if err := <-done; !errors.Is(err, ErrNotReadOnly) {
			t.Errorf("after a sync that was refused: %v", err)
		}

		done = async(func() error { return c.Sync(Linearizable(t.Context()), "/") })
		fc.answer(proto.OpSync, 13, proto.OK, []byte{0, 0, 0, 1, '/'})
		if err := <-done; err != nil {
			t.Error(err)
		}
		c.Detach()
	})
}

func TestLinearizableReads(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithLinearizableReads())
		fc, _ := f.accept()
		done := async(func() error { _, _, err := c.Exists(t.Context(), "/a"); return err })
		fc.answer(proto.OpSync, 10, proto.OK, []byte{0, 0, 0, 1, '/'})
		fc.answer(proto.OpExists, 10, proto.NoNode, nil)
		if err := <-done; err != nil {
			t.Error(err)
		}
		c.Detach()
	})
}

// TestLinearizableWithoutQuorum asks nothing of a server that cannot know.
func TestLinearizableWithoutQuorum(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithReadOnly())
		f.accept(func(r *proto.ConnectResponse) { r.ReadOnly = true })
		if _, _, _, err := c.GetW(Linearizable(t.Context()), "/a"); !errors.Is(err, ErrNotReadOnly) {
			t.Errorf("got %v", err)
		}
		c.Detach()
	})
}
