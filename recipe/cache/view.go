package cache

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// View is the cache at one time. It does not change.
type View[T any] struct {
	zxid  int64
	nodes map[string]*Node[T]
	paths func() []string // sorted
}

// View is the present state. While nothing changes it is the same one; making
// one costs a map of all nodes.
func (t *Tree[T]) View() *View[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.view == nil {
		nodes := make(map[string]*Node[T], t.count)
		for path, e := range t.entries {
			if e.node != nil {
				nodes[path] = e.node
			}
		}
		t.view = &View[T]{t.zxid, nodes, sync.OnceValue(func() []string { return slices.Sorted(maps.Keys(nodes)) })}
	}
	return t.view
}

// Zxid is the change up to which all are in the view; see [Tree.Zxid].
func (v *View[T]) Zxid() int64 { return v.zxid }

// Len is the number of nodes.
func (v *View[T]) Len() int { return len(v.nodes) }

// Get is the node at path.
func (v *View[T]) Get(path string) (Node[T], bool) {
	if n := v.nodes[path]; n != nil {
		return *n, true
	}
	return Node[T]{}, false
}

// All ranges over the nodes, sorted by path.
func (v *View[T]) All() iter.Seq[Node[T]] { return v.Below("") }

// Below ranges over the nodes below the one at path, sorted by path.
func (v *View[T]) Below(path string) iter.Seq[Node[T]] {
	return func(yield func(Node[T]) bool) {
		prefix := strings.TrimSuffix(path, "/") + "/"
		paths := v.paths()
		first, _ := slices.BinarySearch(paths, prefix)
		for _, p := range paths[first:] {
			if !strings.HasPrefix(p, prefix) {
				return
			}
			if p != path && !yield(*v.nodes[p]) {
				return
			}
		}
	}
}
