package client

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

func TestWatches(t *testing.T) {
	each(t, harness.Config{}, func(t *testing.T, s *harness.Server) {
		c := dial(t, s.Addr())
		for name, test := range map[string]func(t *testing.T, c *client.Client){
			"once": testOnce, "streams": testStreams, "removal": testRemoval, "stream closing": testStreamClosing,
			"check": testCheckWatches, "everything": testEvents, "order": testEventBeforeReply,
		} {
			t.Run(name, func(t *testing.T) { test(t, c) })
		}
	})
}

func wantEvent(t *testing.T, got client.Event, typ client.EventType, path string) {
	t.Helper()
	if got.Type != typ || got.Path != path {
		t.Fatalf("event %v of %q, want %v of %q", got.Type, got.Path, typ, path)
	}
}

// wantNext takes the next event of a stream.
func wantNext(t *testing.T, w interface {
	Next(context.Context) (client.Event, error)
}, typ client.EventType, path string) client.Event {
	t.Helper()
	ev, err := w.Next(testContext(t))
	must(t, err)
	wantEvent(t, ev, typ, path)
	return ev
}

// wantOnce takes the one event of a channel.
func wantOnce(t *testing.T, ch <-chan client.Event, typ client.EventType, path string) client.Event {
	t.Helper()
	select {
	case ev := <-ch:
		wantEvent(t, ev, typ, path)
		if _, open := <-ch; open {
			t.Fatal("a second event")
		}
		return ev
	case <-testContext(t).Done():
		t.Fatalf("no event; waiting for %v of %s", typ, path)
	}
	return client.Event{}
}

func testOnce(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	_, found, created, err := c.ExistsW(ctx, "/once")
	must(t, err)
	if found {
		t.Fatal("it is there")
	}
	mustCreate(t, c, "/once", "")
	ev := wantOnce(t, created, client.EventCreated, "/once")
	stat, _, err := c.Exists(ctx, "/once")
	must(t, err)
	if ev.Zxid != stat.Czxid {
		t.Errorf("event of change %d, node of %d", ev.Zxid, stat.Czxid)
	}
	_, _, data1, err := c.GetW(ctx, "/once")
	must(t, err)
	_, _, data2, err := c.ExistsW(ctx, "/once")
	must(t, err)
	_, _, children, err := c.ChildrenW(ctx, "/once")
	must(t, err)
	_, err = c.Set(ctx, "/once", []byte("x"), client.AnyVersion)
	must(t, err)
	wantOnce(t, data1, client.EventDataChanged, "/once")
	wantOnce(t, data2, client.EventDataChanged, "/once")
	mustCreate(t, c, "/once/child", "")
	wantOnce(t, children, client.EventChildrenChanged, "/once")
	must(t, c.Delete(ctx, "/once/child", client.AnyVersion))
	_, _, gone, err := c.GetW(ctx, "/once")
	must(t, err)
	_, _, goneToo, err := c.ChildrenW(ctx, "/once")
	must(t, err)
	must(t, c.Delete(ctx, "/once", client.AnyVersion))
	wantOnce(t, gone, client.EventDeleted, "/once")
	wantOnce(t, goneToo, client.EventDeleted, "/once")
	// A watch on what is not there, set by a read that fails, is none.
	if _, _, ch, err := c.GetW(ctx, "/once"); !errors.Is(err, client.ErrNoNode) || ch != nil {
		t.Errorf("watch %v, %v", ch, err)
	}
}

func testStreams(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	tree, err := c.AddWatch(ctx, "/streams", client.WatchTree)
	must(t, err)
	node, err := c.AddWatch(ctx, "/streams", client.WatchNode)
	must(t, err)
	again, err := c.AddWatch(ctx, "/streams", client.WatchTree)
	must(t, err)
	mustCreate(t, c, "/streams", "")
	mustCreate(t, c, "/streams/a", "")
	mustCreate(t, c, "/streams/a/b", "")
	_, err = c.Set(ctx, "/streams/a", []byte("x"), 0)
	must(t, err)
	must(t, c.Delete(ctx, "/streams/a/b", client.AnyVersion))
	must(t, c.Delete(ctx, "/streams/a", client.AnyVersion))
	for _, w := range []*client.Watch{tree, again} {
		for _, want := range []struct {
			typ  client.EventType
			path string
		}{
			{client.EventCreated, "/streams"}, {client.EventCreated, "/streams/a"}, {client.EventCreated, "/streams/a/b"},
			{client.EventDataChanged, "/streams/a"}, {client.EventDeleted, "/streams/a/b"}, {client.EventDeleted, "/streams/a"},
		} {
			wantNext(t, w, want.typ, want.path)
		}
	}
	wantNext(t, node, client.EventCreated, "/streams")
	wantNext(t, node, client.EventChildrenChanged, "/streams")
	wantNext(t, node, client.EventChildrenChanged, "/streams")
	for _, w := range []*client.Watch{tree, again, node} {
		if ev, more := w.TryNext(); more {
			t.Errorf("one more: %+v", ev)
		}
		must(t, w.Close(ctx))
	}
}

func testRemoval(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	wantErr(t, c.RemoveWatches(ctx, "/removal", client.AnyWatches), client.ErrNoWatcher)
	mustCreate(t, c, "/removal", "")
	_, _, data, err := c.GetW(ctx, "/removal")
	must(t, err)
	_, _, child, err := c.ChildrenW(ctx, "/removal")
	must(t, err)
	w, err := c.AddWatch(ctx, "/removal", client.WatchTree)
	must(t, err)
	must(t, c.RemoveWatches(ctx, "/removal", client.DataWatches))
	wantOnce(t, data, client.EventDataWatchRemoved, "/removal")
	must(t, c.RemoveWatches(ctx, "/removal", client.AnyWatches))
	wantOnce(t, child, client.EventChildWatchRemoved, "/removal")
	wantNext(t, w, client.EventPersistentWatchRemoved, "/removal")
	_, err = w.Next(ctx)
	wantErr(t, err, client.ErrWatchClosed)
	if c.ForgetWatches("/removal", client.AnyWatches) {
		t.Error("there was one left to forget")
	}
}

func testStreamClosing(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	first, err := c.AddWatch(ctx, "/closing", client.WatchNode)
	must(t, err)
	second, err := c.AddWatch(ctx, "/closing", client.WatchNode)
	must(t, err)
	must(t, first.Close(ctx))
	must(t, first.Close(ctx))
	_, err = first.Next(ctx)
	wantErr(t, err, client.ErrWatchClosed)
	must(t, c.CheckWatches(ctx, "/closing", client.PersistentWatches))
	mustCreate(t, c, "/closing", "")
	wantNext(t, second, client.EventCreated, "/closing")
	must(t, second.Close(ctx))
	wantErr(t, c.CheckWatches(ctx, "/closing", client.PersistentWatches), client.ErrNoWatcher)
}

func testCheckWatches(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	_, _, _, err := c.ChildrenW(ctx, "/")
	must(t, err)
	must(t, c.CheckWatches(ctx, "/", client.ChildWatches))
	wantErr(t, c.CheckWatches(ctx, "/", client.DataWatches), client.ErrNoWatcher)
}

func testEvents(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	events := c.Events()
	_, _, _, err := c.ExistsW(ctx, "/events")
	must(t, err)
	mustCreate(t, c, "/events", "")
	wantNext(t, events, client.EventCreated, "/events")
	events.Close()
	for more := true; more; { // other watches of the client may have fired, too
		_, more = events.TryNext()
	}
	_, err = events.Next(ctx)
	wantErr(t, err, client.ErrWatchClosed)
}

// An event is there before any reply that reflects its change.
func testEventBeforeReply(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	mustCreate(t, c, "/order", "0")
	w, err := c.AddWatch(ctx, "/order", client.WatchNode)
	must(t, err)
	for i := range 200 {
		_, err := c.Set(ctx, "/order", fmt.Append(nil, i), client.AnyVersion)
		must(t, err)
		if ev, ok := w.TryNext(); !ok || ev.Type != client.EventDataChanged {
			t.Fatalf("reply %d came before its event", i)
		}
	}
}
