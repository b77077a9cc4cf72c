package cache

import (
	"context"
	"fmt"
	"iter"
	"slices"
)

// Change is one node's change. A node that has come has no Old, one that has
// gone no New. A node that was deleted and made again has both, with different
// [client.Stat.Czxid].
type Change[T any] struct {
	Path     string
	Old, New *Node[T]
}

// reader is what one reader of the changes was not told so far. The tree's lock
// guards it.
type reader[T any] struct {
	old   map[string]*Node[T] // by path: what the reader believes
	order []string            // paths of old, and some that were settled
	ready chan struct{}
}

// note records that a node is about to change.
func (r *reader[T]) note(path string, old *Node[T]) {
	if _, ok := r.old[path]; !ok {
		r.old[path] = old
		r.order = append(r.order, path)
	}
	r.wake()
}

// settle forgets a change after which the node is what the reader believes: one
// that has come and gone since. A reader that stands still must not gather what
// passes by.
func (r *reader[T]) settle(path string, now *Node[T]) {
	if old, noted := r.old[path]; noted && old == now {
		delete(r.old, path)
	}
	if len(r.order) < 2*len(r.old)+spareOrder {
		return
	}
	seen := make(map[string]bool, len(r.old))
	r.order = slices.DeleteFunc(r.order, func(path string) bool {
		_, noted := r.old[path]
		first := noted && !seen[path]
		seen[path] = true
		return !first
	})
}

// spareOrder is how many settled paths are kept at least, so that they are not
// looked for all the time.
const spareOrder = 1024

func (r *reader[T]) wake() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// Changes ranges over what changes, beginning with all nodes that there are,
// each as one that has come, parents first. The last pair holds the error that
// ended it, that of ctx included.
func (t *Tree[T]) Changes(ctx context.Context) iter.Seq2[Change[T], error] {
	return func(yield func(Change[T], error) bool) {
		r := t.subscribe()
		defer t.unsubscribe(r)
		for {
			for {
				change, ok := t.next(r)
				if !ok {
					break
				}
				if !yield(change, nil) {
					return
				}
			}
			err := t.Err()
			if err == nil {
				select {
				case <-r.ready:
					continue
				case <-ctx.Done():
					err = ctx.Err()
				}
			}
			yield(Change[T]{}, fmt.Errorf("cache %s: %w", t.root, err))
			return
		}
	}
}

func (t *Tree[T]) subscribe() *reader[T] {
	r := &reader[T]{old: make(map[string]*Node[T]), ready: make(chan struct{}, 1)}
	t.mu.Lock()
	defer t.mu.Unlock()
	for path, e := range t.entries {
		if e.node != nil {
			r.note(path, nil)
		}
	}
	slices.Sort(r.order)
	t.readers[r] = struct{}{}
	return r
}

func (t *Tree[T]) unsubscribe(r *reader[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.readers, r)
}

// next is the next change that the reader was not told of. What has become again
// as it was is none.
func (t *Tree[T]) next(r *reader[T]) (Change[T], bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(r.order) > 0 {
		path := r.order[0]
		r.order = r.order[1:]
		old, noted := r.old[path]
		if !noted {
			continue
		}
		delete(r.old, path)
		var now *Node[T]
		if e := t.entries[path]; e != nil {
			now = e.node
		}
		if old != now {
			return Change[T]{path, old, now}, true
		}
	}
	r.order = nil
	return Change[T]{}, false
}
