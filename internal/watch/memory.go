package watch

import (
	"sync"
	"unsafe"

	"github.com/quollhq/quoll/internal/slab"
)

// memory is where a Manager keeps what it knows: outside of Go's heap. Millions of watches are nothing to the collector
// then, and what is given back is free at once, instead of lying about until the heap has doubled.
//
// The nil memory is Go's heap, which the race detector sees into: tests use it.
type memory struct {
	mu   sync.Mutex
	slab *slab.Slab
}

// piece is a part of a memory: the words, not cleared, and its name there.
type piece[T any] struct {
	items []T
	ref   slab.Ref
}

// take takes room for n items, which hold no Go pointers. They are not cleared.
func take[T any](m *memory, n int) piece[T] {
	if m == nil {
		return piece[T]{items: make([]T, n)}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	ref := m.slab.Alloc(bytesOf[T](n))
	return piece[T]{unsafe.Slice((*T)(m.slab.Pointer(ref)), n), ref}
}

// give gives back what take took.
func give[T any](m *memory, p piece[T]) {
	if m == nil || p.items == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slab.Free(p.ref, bytesOf[T](len(p.items)))
}

// bytesOf is the size of n items.
func bytesOf[T any](n int) int {
	var t T
	return n * int(unsafe.Sizeof(t))
}

// close gives all of it back to the system.
func (m *memory) close() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slab.Close()
}
