package client

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// abandon makes a request whose caller gives up when it has been sent, and
// returns its number.
func abandon(t *testing.T, fc *fakeConn, op proto.Op, ask func(ctx context.Context) error) int32 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := async(func() error { return ask(ctx) })
	h, _ := fc.request(op)
	cancel()
	wantIs(t, <-done, context.Canceled)
	return h.Xid
}

// A request whose caller has left counts as under way until it is answered:
// otherwise callers that are impatient with a slow server would pile up what
// waits for replies.
func TestAbandonedRequestsCount(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithMaxInFlight(1))
		fc, _ := f.accept()
		get := func(ctx context.Context) error { _, _, err := c.Get(ctx, "/a"); return err }
		for range 3 {
			xid := abandon(t, fc, proto.OpGetData, get)
			sent := f.writes.Load()
			next := async(func() error { return get(t.Context()) })
			synctest.Wait()
			if f.writes.Load() != sent {
				t.Fatal("a second request was sent before the first was answered")
			}
			fc.reply(xid, 1, proto.OK, getReply(""))
			fc.answer(proto.OpGetData, 1, proto.OK, getReply(""))
			if err := <-next; err != nil {
				t.Fatal(err)
			}
		}
		// The end of the connection is an answer, too.
		abandon(t, fc, proto.OpGetData, get)
		fc.Close()
		fc, _ = f.accept()
		next := async(func() error { return get(t.Context()) })
		fc.answer(proto.OpGetData, 1, proto.OK, getReply(""))
		if err := <-next; err != nil {
			t.Fatal(err)
		}
		shut(t, c, fc)
	})
}

// Watches that the server has taken away are gone, and say so, also when nobody
// waits any more for the server's answer.
func TestAbandonedRemoveWatches(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		var ch <-chan Event
		got := async(func() (err error) { _, _, ch, err = c.GetW(t.Context(), "/a"); return err })
		fc.answer(proto.OpGetData, 1, proto.OK, getReply(""))
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		xid := abandon(t, fc, proto.OpRemoveWatches, func(ctx context.Context) error { return c.RemoveWatches(ctx, "/a", DataWatches) })
		fc.reply(xid, 1, proto.OK, nil)
		synctest.Wait()
		select {
		case ev := <-ch:
			if ev.Type != EventDataWatchRemoved {
				t.Errorf("event %+v", ev)
			}
		default:
			t.Error("nobody was told that the watch is gone")
		}
		shut(t, c, fc)
	})
}

// A stream that is closed must not take the watch of one along that was added at
// the same time, also when the closer gives up.
func TestAbandonedCloseOfWatch(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		added := func() <-chan *Watch {
			return async(func() *Watch {
				w, err := c.AddWatch(t.Context(), "/a", WatchTree)
				if err != nil {
					t.Error(err)
				}
				return w
			})
		}
		first := added()
		fc.answer(proto.OpAddWatch, 1, proto.OK, []byte{0, 0, 0, 0})
		w := <-first
		second := added()
		adding, _ := fc.request(proto.OpAddWatch)
		xid := abandon(t, fc, proto.OpRemoveWatches, w.Close)
		fc.reply(adding.Xid, 1, proto.OK, []byte{0, 0, 0, 0})
		fc.reply(xid, 1, proto.OK, nil)
		other := <-second
		// What follows makes good that the server has taken the watch away.
		fc.answer(proto.OpRemoveWatches, 1, proto.NoWatcher, nil)
		fc.answer(proto.OpAddWatch, 1, proto.OK, []byte{0, 0, 0, 0})
		if ev, err := other.Next(t.Context()); err != nil || ev.Type != EventReset {
			t.Errorf("event %+v, %v", ev, err)
		}
		shut(t, c, fc)
	})
}

// A watch that a server may have set for a caller that has left is taken away.
func TestAbandonedAddWatch(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		xid := abandon(t, fc, proto.OpAddWatch, func(ctx context.Context) error {
			_, err := c.AddWatch(ctx, "/a", WatchNode)
			return err
		})
		fc.reply(xid, 1, proto.OK, []byte{0, 0, 0, 0})
		fc.answer(proto.OpRemoveWatches, 1, proto.OK, nil)
		shut(t, c, fc)
	})
}

// A server is not given up as long as it goes on sending, in whatever pieces its
// replies come.
func TestPiecesAreWord(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		events := c.Events()
		ev := proto.WatcherEvent{Type: proto.EventNodeDataChanged, State: proto.StateSyncConnected, Path: "/a-path-of-some-length"}
		payload := append(proto.ReplyHeader{Xid: proto.XidNotification, Zxid: 7}.Append(nil), ev.Append(nil)...)
		frame := append([]byte{0, 0, 0, byte(len(payload))}, payload...)
		drained := async(func() error { // requests are not answered
			for {
				if _, err := fc.Read(make([]byte, 4096)); err != nil {
					return err
				}
			}
		})
		// Each piece ends within a frame, behind its header.
		rest := frame
		for range 5 {
			if _, err := fc.Write(slices.Concat(rest, frame[:30])); err != nil {
				t.Fatalf("the client has given up: %v", err)
			}
			rest = frame[30:]
			time.Sleep(4 * time.Second) // of 6 that it waits
		}
		for range 5 {
			if ev, ok := events.TryNext(); !ok || ev.Type != EventDataChanged {
				t.Errorf("event %+v, %v", ev, ok)
			}
		}
		if err := c.Detach(); err != nil {
			t.Error(err)
		}
		<-drained
	})
}

// A server that has lost a session, and opens another one without a word, does
// not hide that the first has expired.
func TestAnotherSessionInItsPlace(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		old, events := c.Session(), c.Events()
		fc.Close()
		fc, req := f.accept(func(r *proto.ConnectResponse) { r.SessionID = fakeSession + 1 })
		if req.SessionID != fakeSession {
			t.Errorf("request %+v", req)
		}
		fc.Close()
		fc, req = f.accept(func(r *proto.ConnectResponse) { r.SessionID = fakeSession + 2 })
		if req.SessionID != 0 || !old.over() || c.Session().ID() != fakeSession+2 {
			t.Errorf("request %+v, session %x", req, c.Session().ID())
		}
		shut(t, c, fc)
		var states []State
		for ev := range events.All(t.Context()) {
			states = append(states, ev.State)
		}
		if want := []State{StateConnecting, StateExpired, StateConnected, StateClosed, 0}; !slices.Equal(states, want) {
			t.Errorf("states %v, want %v", states, want)
		}
	})
}
