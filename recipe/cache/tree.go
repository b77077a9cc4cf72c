package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/internal/contend"
)

// Node is a node of the tree as the cache has it. It is not changed any more
// when the cache is.
type Node[T any] struct {
	Path  string
	Value T
	// Stat is that of when the value was read: what it tells of children may be
	// out of date.
	Stat client.Stat
	// Err is why there is no value.
	Err error
}

// Tree is a cache of a node and all below it. It may be used by many goroutines.
type Tree[T any] struct {
	c      *client.Client
	root   string
	decode func(data []byte) (T, error)
	cancel context.CancelFunc
	done   chan struct{} // closed when run has ended
	poke   chan struct{} // asks to look how far the cache has come

	mu       sync.RWMutex
	entries  map[string]*entry[T]
	count    int   // of entries that are nodes
	zxid     int64 // see Zxid; -1 until the cache is filled
	advanced chan struct{}
	err      error
	view     *View[T] // of the present state, once it is asked for
	readers  map[*reader[T]]struct{}
}

// entry is what the cache knows of a path.
type entry[T any] struct {
	node *Node[T] // nil: only its name is known
	kids map[string]struct{}
	// listed tells that kids are all children, as of the cache's zxid.
	listed bool
}

// Open fills a cache with the node at path and all below it. The path need not
// exist. The function decode makes a value of a node's data, which it must not
// keep or change. The context bounds only the filling.
func Open[T any](ctx context.Context, c *client.Client, path string, decode func(data []byte) (T, error)) (*Tree[T], error) {
	if err := client.ValidatePath(path); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	t := &Tree[T]{
		c: c, root: path, decode: decode, zxid: -1,
		done:     make(chan struct{}),
		poke:     make(chan struct{}, 1),
		entries:  make(map[string]*entry[T]),
		advanced: make(chan struct{}),
		readers:  make(map[*reader[T]]struct{}),
	}
	w, err := c.AddWatch(ctx, path, client.WatchTree)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	life, cancel := context.WithCancel(client.Unbound(context.WithoutCancel(ctx)))
	t.cancel = cancel
	go t.run(life, w)
	if err := t.reached(ctx, 0); err != nil {
		t.Close()
		return nil, fmt.Errorf("cache %s: %w", path, err)
	}
	return t, nil
}

// Bytes decodes data to a copy of them.
func Bytes(data []byte) ([]byte, error) { return bytes.Clone(data), nil }

// String decodes data to a string of the same bytes.
func String(data []byte) (string, error) { return string(data), nil }

// JSON decodes data that are a JSON value. No data are the zero value, as nodes
// that only have children have none.
func JSON[T any](data []byte) (v T, err error) {
	if len(data) > 0 {
		err = json.Unmarshal(data, &v)
	}
	return v, err
}

// Close ends the cache. What it holds can still be read.
func (t *Tree[T]) Close() {
	t.cancel()
	<-t.done
}

// Done is closed when the cache is kept no more: after Close, or because the
// client was closed or a server refused. Then Err says why.
func (t *Tree[T]) Done() <-chan struct{} { return t.done }

// Err is why the cache is kept no more; nil while it is.
func (t *Tree[T]) Err() error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.err
}

// Zxid is how far the cache has come: it has all changes up to this one.
func (t *Tree[T]) Zxid() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.zxid
}

// Len is the number of nodes.
func (t *Tree[T]) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.count
}

// Get is the node at path.
func (t *Tree[T]) Get(path string) (Node[T], bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if e := t.entries[path]; e != nil && e.node != nil {
		return *e.node, true
	}
	return Node[T]{}, false
}

// Children lists the nodes whose parent is the node at path, in no order.
func (t *Tree[T]) Children(path string) []Node[T] {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.entries[path]
	if e == nil {
		return nil
	}
	list := make([]Node[T], 0, len(e.kids))
	for name := range e.kids {
		if kid := t.entries[client.Join(path, name)]; kid != nil && kid.node != nil {
			list = append(list, *kid.node)
		}
	}
	return list
}

// Await waits until the cache has all changes up to zxid, which is that of a
// change that took place: for example [client.Stat.Mzxid] of one's own write.
func (t *Tree[T]) Await(ctx context.Context, zxid int64) error {
	if t.Zxid() >= zxid {
		return nil
	}
	if t.c.LastZxid() < zxid {
		if err := t.c.Sync(ctx, t.root); err != nil {
			return fmt.Errorf("cache: %w", err)
		}
	}
	if err := t.reached(ctx, zxid); err != nil {
		return fmt.Errorf("cache %s: %w", t.root, err)
	}
	return nil
}

// Refresh waits until the cache has everything that was committed before, by
// whomever.
func (t *Tree[T]) Refresh(ctx context.Context) error {
	if err := t.c.Sync(ctx, t.root); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return t.Await(ctx, t.c.LastZxid())
}

// reached waits until the cache has come that far.
func (t *Tree[T]) reached(ctx context.Context, zxid int64) error {
	for {
		t.mu.RLock()
		at, err, advanced := t.zxid, t.err, t.advanced
		t.mu.RUnlock()
		switch {
		case at >= zxid:
			return nil
		case err != nil:
			return err
		}
		select {
		case t.poke <- struct{}{}:
		default:
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// advance records that all changes up to zxid are in the cache.
func (t *Tree[T]) advance(zxid int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if zxid > t.zxid {
		t.zxid, t.view = zxid, nil
		close(t.advanced)
		t.advanced = make(chan struct{})
	}
}

// run keeps the cache until ctx ends.
func (t *Tree[T]) run(ctx context.Context, w *client.Watch) {
	defer close(t.done)
	var err error
	for err == nil {
		err = t.follow(ctx, w)
		w.Release()
		for client.Transient(err) {
			if err = contend.Recover(ctx, t.c, err); err == nil {
				w, err = t.c.AddWatch(ctx, t.root, client.WatchTree)
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	close(t.advanced)
	t.advanced = make(chan struct{})
	for r := range t.readers {
		r.wake()
	}
}
