package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// Options that a program leaves empty are the defaults.
func TestNilOptions(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithLogger(nil), WithRetry(nil))
		fc, _ := f.accept()
		got := async(func() error { _, _, err := c.Get(t.Context(), "/a"); return err })
		fc.request(proto.OpGetData)
		fc.Close()
		fc, _ = f.accept()
		fc.answer(proto.OpGetData, 1, proto.OK, getReply("data"))
		if err := <-got; err != nil {
			t.Error(err)
		}
		shut(t, c, fc)
	})
}

// What makes no sense is refused, with or without a server, and nothing of it is
// asked.
func TestSenseless(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		ended, end := context.WithCancel(t.Context())
		end()
		for _, ctx := range []context.Context{t.Context(), ended} {
			for _, ttl := range []time.Duration{0, -1, time.Microsecond} {
				_, err := c.Create(ctx, "/a", nil, TTL(ttl))
				wantIs(t, err, ErrBadArguments)
				_, err = c.Multi(ctx, CreateOp("/a", nil, TTL(ttl)))
				wantIs(t, err, ErrBadArguments)
			}
			for _, mode := range []WatchMode{-1, 2, 7} {
				_, err := c.AddWatch(ctx, "/a", mode)
				wantIs(t, err, ErrBadArguments)
			}
		}
		shut(t, c, fc)
	})
}

// Servers answer what comes after the end of a session by saying that it has ended.
func TestAskedWhileClosing(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		closed := async(c.Close)
		end, _ := fc.request(proto.OpCloseSession)
		got := async(func() error { _, _, err := c.Get(t.Context(), "/a"); return err })
		late, _ := fc.request(proto.OpGetData)
		var both []byte // at once: the client hangs up on the first of them
		for _, h := range []proto.ReplyHeader{{Xid: end.Xid, Zxid: 1}, {Xid: late.Xid, Zxid: 1, Err: proto.SessionExpired}} {
			both = h.Append(jute.AppendInt(both, proto.ReplyHeaderLen))
		}
		if _, err := fc.Write(both); err != nil {
			t.Error(err)
		}
		wantIs(t, <-got, ErrClosed)
		fc.Close()
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// Who has given up before asking has asked for nothing.
func TestEndedBefore(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		ended, end := context.WithCancel(t.Context())
		end()
		b := c.Batch()
		b.Set("/a", nil, -1)
		_, createErr := c.Create(ended, "/a", nil)
		_, uniqueErr := c.CreateUnique(ended, "/a", nil)
		for _, err := range []error{createErr, uniqueErr, c.Delete(ended, "/a", -1), b.Do(ended)} {
			wantIs(t, err, context.Canceled)
			if MaybeApplied(err) {
				t.Errorf("%v: it was sent", err)
			}
		}
		shut(t, c, fc) // which has got no other request
	})
}

// What goes on over broken connections by itself fails at once, when that is
// asked for, if there is no server; and what it has left undone is done later.
func TestFailFastGoesNotOn(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		ctx := FailFast(t.Context())
		made := async(func() error { _, err := c.CreateUnique(ctx, "/p/me", nil, Ephemeral); return err })
		fc.request(proto.OpCreate2)
		f.refusing.Store(true)
		fc.Close()
		wantIs(t, <-made, ErrConnectionLoss)
		wantIs(t, c.EnsurePath(ctx, "/a/b"), ErrConnectionLoss)
		wantIs(t, c.EnsureDeleted(ctx, "/c"), ErrConnectionLoss)
		f.refusing.Store(false)
		fc, _ = f.accept()
		synctest.Wait()
		var deleted, looked bool
		for !deleted || !looked {
			d := jute.NewDecoder(fc.frame())
			var h proto.RequestHeader
			h.Decode(&d)
			switch h.Op {
			case proto.OpPing:
				fc.reply(proto.XidPing, 0, proto.OK, nil)
			case proto.OpDelete:
				deleted = d.String() == "/c"
				fc.reply(h.Xid, 20, proto.OK, nil)
			case proto.OpSync:
				fc.reply(h.Xid, 20, proto.OK, jute.AppendString(nil, "/p"))
			case proto.OpGetChildren:
				looked = d.String() == "/p"
				fc.reply(h.Xid, 20, proto.OK, namesReply())
			default:
				t.Fatalf("request %v", h.Op)
			}
		}
		shut(t, c, fc)
	})
}

// Who waits for a session that is over does not wait for another one.
func TestWaitWithinSession(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		within := WithinSession(t.Context(), c.Session())
		if err := c.WaitConnected(within); err != nil {
			t.Error(err)
		}
		f.refusing.Store(true)
		fc.Close()
		synctest.Wait()
		waited := async(func() error { return c.WaitConnected(within) })
		synctest.Wait()
		f.refusing.Store(false)
		_, _ = f.accept(func(r *proto.ConnectResponse) { *r = proto.ConnectResponse{Passwd: make([]byte, 16)} })
		wantIs(t, <-waited, ErrSessionExpired)
		fc, _ = f.accept(func(r *proto.ConnectResponse) { r.SessionID++ })
		wantIs(t, c.WaitConnected(within), ErrSessionExpired)
		if err := c.WaitConnected(Unbound(within)); err != nil {
			t.Error(err)
		}
		shut(t, c, fc)
	})
}

// What a call's context says of its requests is not for what goes on later.
func TestUnbound(t *testing.T) {
	var zxid int64
	type key struct{}
	plain := context.WithValue(t.Context(), key{}, "kept")
	bound := Linearizable(FailFast(WithReplyZxid(WithinSession(plain, new(Session)), &zxid)))
	if b := boundsOf(bound); !b.fast || !b.present || b.zxid == nil || b.session == nil {
		t.Fatalf("%+v", b)
	}
	if b := boundsOf(Unbound(bound)); b != (bounds{}) {
		t.Errorf("%+v", b)
	}
	if Unbound(bound).Value(key{}) != "kept" || Unbound(plain) != plain || !errors.Is(Unbound(bound).Err(), plain.Err()) {
		t.Error("more than the bounds is gone")
	}
}
