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
		for i := range 200_000 {
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
