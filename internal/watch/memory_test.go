package watch

import (
	"fmt"
	"testing"

	"github.com/quollhq/quoll/internal/slab"
)

// poisoned is a Manager whose memory shows what is used after it was given back.
func poisoned(t testing.TB) *Manager {
	m := newManager(&memory{slab: slab.NewPoisoned()})
	t.Cleanup(m.Close)
	return m
}

// All memory of a shard is given back with its last path, and can be used again.
func TestMemoryIsGivenBack(t *testing.T) {
	m := poisoned(t)
	id := m.Attach()
	var most int64
	for range 3 {
		for i := range 100_000 {
			m.Add(id, fmt.Sprintf("/a/%d", i), Data)
		}
		used := m.mem.slab.Usage().Used
		if most == 0 {
			most = used
		}
		if used > most {
			t.Fatalf("%d bytes are in use, %d the first time", used, most)
		}
		m.Detach(id)
		if again := m.Attach(); again != id {
			t.Fatalf("the watcher's number is %d, %d before", again, id)
		}
		// What is left are the blocks of the watcher's list, in its lane's arena.
		if left := m.mem.slab.Usage().Used; left > most/8 {
			t.Fatalf("%d of %d bytes are in use without watches", left, most)
		}
	}
}

// A watch costs little at any moment, also when tables have just grown.
func TestMemoryWhileWatchesAreAdded(t *testing.T) {
	const (
		from, to = 50_000, 600_000
		bytes    = 80.0    // in use, each
		chunk    = 4 << 20 // of the slab; three may be begun, taken ahead or full of holes
	)
	m := New()
	t.Cleanup(m.Close)
	id := m.Attach()
	path := []byte("/quoll-bench-0123456789abc/p00000/k000000000") // 44 bytes
	for n := 1; n <= to; n++ {
		for i, left := len(path)-1, n; left > 0; i, left = i-1, left/10 {
			path[i] = byte('0' + left%10)
		}
		m.Add(id, string(path), Data)
		u := m.mem.slab.Usage()
		if n >= from && (float64(u.Used) > bytes*float64(n) || float64(u.Mapped) > bytes*float64(n)+3*chunk) {
			t.Fatalf("%d watches: %.1f bytes each are in use, %.1f taken", n, float64(u.Used)/float64(n), float64(u.Mapped)/float64(n))
		}
	}
}
