package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// ErrWatchClosed is why a [Watch] has ended that was closed or removed, and an
// [Events] that was closed.
var ErrWatchClosed = errors.New("watch is closed")

// WatchMode is what a [Watch] follows.
type WatchMode int32

// The modes.
const (
	// WatchNode follows one node: its creation, data, deletion and children.
	WatchNode WatchMode = WatchMode(proto.WatchPersistent)
	// WatchTree follows a node and all below it: creation, data and
	// deletion of each. There is no EventChildrenChanged.
	WatchTree WatchMode = WatchMode(proto.WatchPersistentRecursive)
)

// WatchKind names watches for RemoveWatches and CheckWatches.
type WatchKind int32

// The kinds.
const (
	ChildWatches               WatchKind = WatchKind(proto.WatcherChildren)
	DataWatches                WatchKind = WatchKind(proto.WatcherData) // of GetW and ExistsW
	AnyWatches                 WatchKind = WatchKind(proto.WatcherAny)
	PersistentWatches          WatchKind = WatchKind(proto.WatcherPersistent)
	PersistentRecursiveWatches WatchKind = WatchKind(proto.WatcherPersistentRecursive)
)

// Watch is a stream of the changes of a node or a subtree. It lasts until
// Close, RemoveWatches, or the end of the session.
//
// Its reader sees events in the order of the changes, and sees an event before
// the client gets any reply that reflects the change.
type Watch struct {
	stream // of path, the client's
	c      *Client
	mode   WatchMode
}

// Path is the watched path.
func (w *Watch) Path() string { return w.path }

// Mode is what is watched.
func (w *Watch) Mode() WatchMode { return w.mode }

// AddWatch watches a path, whether or not there is a node.
func (c *Client) AddWatch(ctx context.Context, path string, mode WatchMode) (*Watch, error) {
	if mode != WatchNode && mode != WatchTree {
		return nil, &OpError{Op: proto.OpAddWatch.String(), Path: path, Err: fmt.Errorf("%w: watch mode %d", ErrBadArguments, mode)}
	}
	w := &Watch{c: c, mode: mode}
	w.init(path, c.opts.watchBuffer)
	if err := c.addWatch(ctx, path, mode, w); err != nil {
		if ctx.Err() != nil && len(w.others()) == 0 { // the server may have it
			c.Background(ctx, func(ctx context.Context) { _ = w.release(ctx) })
		}
		return nil, err
	}
	return w, nil
}

func (c *Client) addWatch(ctx context.Context, path string, mode WatchMode, w *Watch) error {
	q, err := c.pathCall(proto.OpAddWatch, path)
	if err != nil {
		return err
	}
	q.stream = w
	q.out = jute.AppendInt(q.out, int32(mode))
	_, err = c.do(ctx, q)
	return err
}

// Close ends the stream and, if no other Watch of the client needs it, the
// watch at the server. It may be called more than once. If ctx ends first, Close
// fails, and the server hears of it as soon as it can be reached.
func (w *Watch) Close(ctx context.Context) error {
	if !w.c.watches.drop(w) {
		return nil
	}
	w.end(ErrWatchClosed)
	if len(w.others()) > 0 {
		return nil
	}
	err := w.release(ctx)
	if err != nil && ctx.Err() != nil {
		w.c.Background(ctx, func(ctx context.Context) { _ = w.release(ctx) })
	}
	return err
}

// Release is Close that does not wait for a server, which hears of it as soon as
// it can be reached.
func (w *Watch) Release() {
	if !w.c.watches.drop(w) {
		return
	}
	w.end(ErrWatchClosed)
	if len(w.others()) == 0 {
		w.c.Background(context.Background(), func(ctx context.Context) { _ = w.release(ctx) })
	}
}

// others are the streams that need the same watch at the server.
func (w *Watch) others() []*Watch {
	return w.c.watches.streamsAt(w.c.serverPath(w.path), w.mode)
}

// release takes the watch away at the server. Streams that were added meanwhile
// must not lose theirs: for them it is set again.
func (w *Watch) release(ctx context.Context) error {
	kind := PersistentWatches
	if w.mode == WatchTree {
		kind = PersistentRecursiveWatches
	}
	err := w.c.unwatch(ctx, w.path, kind, nil)
	if others := w.others(); len(others) > 0 {
		err = w.c.addWatch(ctx, w.path, w.mode, nil)
		for _, o := range others {
			o.push(Event{Type: EventReset, State: w.c.State(), Path: o.path, Zxid: w.c.LastZxid()})
		}
	}
	if errors.Is(err, ErrNoWatcher) || errors.Is(err, ErrSessionExpired) || errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// RemoveWatches ends all watches of a kind that the client has on a path: each
// yields an event that says so. It fails with ErrNoWatcher if there is none.
func (c *Client) RemoveWatches(ctx context.Context, path string, kind WatchKind) error {
	return c.unwatch(ctx, path, kind, &forgotten{c, c.serverPath(path), kind})
}

func (c *Client) unwatch(ctx context.Context, path string, kind WatchKind, f *forgotten) error {
	q, err := c.pathCall(proto.OpRemoveWatches, path)
	if err != nil {
		return err
	}
	q.forget = f
	q.out = jute.AppendInt(q.out, int32(kind))
	_, err = c.do(ctx, q)
	return err
}

// ForgetWatches does what RemoveWatches does for the client alone, without
// asking the server, and tells whether there was a watch. It is for a client
// that has no connection.
func (c *Client) ForgetWatches(path string, kind WatchKind) bool {
	f := forgotten{c, c.serverPath(path), kind}
	return f.apply()
}

// ForgetWatch lets the client forget a channel that GetW, ExistsW or ChildrenW
// has returned for path: nothing more comes on it. Who stops waiting for a
// watch that may be long in firing calls it, so that watches do not pile up.
// The server keeps at most one of each kind per path and is not asked.
func (c *Client) ForgetWatch(path string, ch <-chan Event) {
	c.watches.dropOnce(c.serverPath(path), ch)
}

// CheckWatches fails with ErrNoWatcher if the server has no watch of that kind
// for this client.
func (c *Client) CheckWatches(ctx context.Context, path string, kind WatchKind) error {
	q, err := c.pathCall(proto.OpCheckWatches, path)
	if err != nil {
		return err
	}
	q.out = jute.AppendInt(q.out, int32(kind))
	_, err = c.do(ctx, q)
	return err
}

// forgotten takes watches out of the client's table.
type forgotten struct {
	c    *Client
	path string // the server's
	kind WatchKind
}

func (f *forgotten) apply() bool {
	ev := Event{State: f.c.State(), Path: f.c.clientPath(f.path), Zxid: -1}
	found := false
	for _, k := range onceKinds {
		if f.kind != AnyWatches && f.kind != k.removedBy() {
			continue
		}
		ev.Type = k.removed()
		if sinks := f.c.watches.takeOnce(k, f.path); len(sinks) > 0 {
			found = true
			f.c.tell(ev, sinks)
		}
	}
	var gone []*Watch
	if f.kind == AnyWatches || f.kind == PersistentWatches {
		gone = f.c.watches.takeStreams(f.path, WatchNode)
	}
	if f.kind == AnyWatches || f.kind == PersistentRecursiveWatches {
		gone = slices.Concat(gone, f.c.watches.takeStreams(f.path, WatchTree))
	}
	if len(gone) > 0 {
		ev.Type = EventPersistentWatchRemoved
		f.c.tell(ev, nil)
	}
	for _, w := range gone {
		w.push(ev)
		w.end(ErrWatchClosed)
	}
	return found || len(gone) > 0
}
