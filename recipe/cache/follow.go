package cache

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/quollhq/quoll/client"
)

const (
	// batchNodes is how many nodes are read per request: so few that their data
	// fit into a reply, even if each is as large as a server lets it be.
	batchNodes = 32
	// batchesAtOnce is how many requests are under way.
	batchesAtOnce = 16
)

// pending is what events have told and was not read again so far.
type pending struct {
	all   bool // any node may have changed
	paths []string
	known map[string]struct{}
	first int64 // zxid of the first change, or -1
}

func (p *pending) add(ev client.Event) {
	if len(p.paths) == 0 {
		p.first = ev.Zxid
	}
	switch ev.Type {
	case client.EventCreated, client.EventDeleted, client.EventDataChanged:
		if _, ok := p.known[ev.Path]; !ok {
			p.known[ev.Path] = struct{}{}
			p.paths = append(p.paths, ev.Path)
		}
	default:
		p.all = true
	}
}

// take adds the events that are there, and tells whether there were any.
func (p *pending) take(w *client.Watch) (some bool) {
	for {
		ev, ok := w.TryNext()
		if !ok {
			return some
		}
		p.add(ev)
		some = true
	}
}

// follow keeps the cache up to date until the watch ends.
func (t *Tree[T]) follow(ctx context.Context, w *client.Watch) error {
	p := pending{all: true}
	for {
		var err error
		if p.all {
			err = t.fill(ctx)
		} else {
			err = t.reread(ctx, p.paths)
		}
		if err != nil {
			return err
		}
		p = pending{known: make(map[string]struct{})}
		// Events come before the replies that show their changes. So when there is
		// none, nothing has changed up to what was seen before looking.
		seen := t.c.LastZxid()
		if p.take(w) {
			if !p.all { // or nobody tells what has changed since
				t.advance(p.first - 1)
			}
			continue
		}
		t.advance(seen)
		if err := t.await(ctx, w, &p); err != nil {
			return err
		}
	}
}

// await waits for events, or until it is asked how far the cache has come.
func (t *Tree[T]) await(ctx context.Context, w *client.Watch, p *pending) error {
	select {
	case <-w.Ready():
		ev, err := w.Next(ctx)
		if err != nil {
			return err
		}
		p.add(ev)
		p.take(w)
	case <-t.poke:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// fill reads every node that the cache knows, and the children of those that
// have others than before.
func (t *Tree[T]) fill(ctx context.Context) error {
	t.mu.RLock()
	paths := make([]string, 0, len(t.entries)+1)
	for path := range t.entries {
		paths = append(paths, path)
	}
	t.mu.RUnlock()
	slices.Sort(paths) // parents before their children
	if len(paths) == 0 {
		paths = append(paths, t.root)
	}
	for len(paths) > 0 {
		var mu sync.Mutex
		var more []string
		err := inBatches(ctx, paths, batchesAtOnce, func(ctx context.Context, batch []string) error {
			found, err := t.readWithChildren(ctx, batch)
			mu.Lock()
			defer mu.Unlock()
			more = append(more, found...)
			return err
		})
		if err != nil {
			return err
		}
		paths = more
	}
	return nil
}

// reread reads nodes again, in the order of their changes.
func (t *Tree[T]) reread(ctx context.Context, paths []string) error {
	return inBatches(ctx, paths, 1, func(ctx context.Context, batch []string) error {
		_, err := t.read(ctx, batch)
		return err
	})
}

// inBatches calls f for parts of paths, some at once. The first error ends it.
func inBatches(ctx context.Context, paths []string, atOnce int, f func(ctx context.Context, batch []string) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	batches := slices.Collect(slices.Chunk(paths, batchNodes))
	next := make(chan []string, len(batches))
	for _, b := range batches {
		next <- b
	}
	close(next)
	var wg sync.WaitGroup
	for range min(atOnce, len(batches)) {
		wg.Go(func() {
			for batch := range next {
				if ctx.Err() != nil {
					return
				}
				if err := f(ctx, batch); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// readWithChildren reads nodes and lists their children where need be. It
// returns the paths of those that are new.
func (t *Tree[T]) readWithChildren(ctx context.Context, paths []string) (found []string, err error) {
	parents, err := t.read(ctx, paths)
	if err != nil || len(parents) == 0 {
		return nil, err
	}
	ops := make([]client.ReadOp, len(parents))
	for i, path := range parents {
		ops[i] = client.ChildrenOp(path)
	}
	results, err := t.c.MultiRead(ctx, ops...)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, r := range results {
		switch {
		case r.Err == nil:
			found = append(found, t.setChildren(parents[i], r.Children)...)
		case errors.Is(r.Err, client.ErrNoNode):
			t.remove(parents[i])
		}
	}
	return found, nil
}

// read reads nodes, and returns those whose children are not known.
func (t *Tree[T]) read(ctx context.Context, paths []string) (parents []string, err error) {
	ops := make([]client.ReadOp, len(paths))
	for i, path := range paths {
		ops[i] = client.GetOp(path)
	}
	results, err := t.c.MultiRead(ctx, ops...)
	if err != nil {
		return nil, err
	}
	nodes := make([]*Node[T], len(paths))
	for i, r := range results {
		nodes[i] = t.node(paths[i], r)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, n := range nodes {
		if n == nil {
			t.remove(paths[i])
		} else if !t.set(n) {
			parents = append(parents, paths[i])
		}
	}
	return parents, nil
}

// node makes a node of a read; nil if there is none.
func (t *Tree[T]) node(path string, r client.ReadResult) *Node[T] {
	if errors.Is(r.Err, client.ErrNoNode) {
		return nil
	}
	n := &Node[T]{Path: path, Stat: r.Stat, Err: r.Err}
	if n.Err == nil {
		n.Value, n.Err = t.decode(r.Data)
	}
	return n
}

func split(path string) (parent, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 1)], path[i+1:]
}
