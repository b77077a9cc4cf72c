package watch

import (
	"slices"
	"testing"
)

// check goes through everything that m holds and compares what is counted with
// what is there.
func check(t *testing.T, m *Manager) {
	t.Helper()
	inUse := 0
	var depths [maxDepth + 1]int
	pairs := make(map[ID][tables]uint32)
	reach := make(map[ID][]handle)
	for i := range m.shards {
		if m.shards[i].paths > 0 {
			inUse++
		}
		checkShard(t, m, i, func(n uint32, e *entry, tb tableID, ids []ID) {
			if tb == dataTable && m.shards[i].arena.set(e, where{tb, recursive}) != 0 {
				depths[depth(m.shards[i].path(e))]++
			}
			for _, id := range ids {
				p := pairs[id]
				p[tb]++
				pairs[id] = p
				reach[id] = append(reach[id], newHandle(i, tb, n))
			}
		})
	}
	if got := int(m.inUse.Load()); got != inUse {
		t.Fatalf("%d shards in use, counted %d", inUse, got)
	}
	if depths != m.depths.n {
		t.Fatalf("recursive watches by depth: there are %v, counted %v", depths, m.depths.n)
	}
	for d, n := range depths {
		if m.depths.mask.Load()>>d&1 != 0 != (n > 0) {
			t.Fatalf("depth %d has %d recursive watches, mask %b", d, n, m.depths.mask.Load())
		}
	}
	for id := ID(1); id <= m.last; id++ {
		checkRecord(t, m, id, pairs[id], reach[id])
	}
}

// checkShard calls f for each table of each entry with its watchers.
func checkShard(t *testing.T, m *Manager, i int, f func(n uint32, e *entry, tb tableID, ids []ID)) {
	t.Helper()
	s := &m.shards[i]
	paths, data := 0, 0
	var pairs [tables]int64
	for n := uint32(1); n <= s.top; n++ {
		e := s.entry(n)
		if e.unwatched() {
			continue
		}
		paths++
		path := s.path(e)
		shard, hash := m.place(path)
		if shard != i || s.find(hash, path) != n {
			t.Fatalf("entry %d of shard %d, %q, is not found where it belongs", n, i, path)
		}
		for tb := dataTable; tb < tables; tb++ {
			var ids []ID
			for _, set := range s.arena.table(e, tb) {
				from := len(ids)
				s.arena.each(set, func(id ID) { ids = append(ids, id) })
				if got := ids[from:]; !slices.IsSorted(got) || len(got) != s.arena.size(set) {
					t.Fatalf("%q has a set of %d with %v", path, s.arena.size(set), got)
				}
			}
			slices.Sort(ids)
			ids = slices.Compact(ids)
			pairs[tb] += int64(len(ids))
			if tb == dataTable && len(ids) > 0 {
				data++
			}
			f(n, e, tb, ids)
		}
	}
	counted := [tables]int64{s.pairs[dataTable].Load(), s.pairs[childTable].Load()}
	if paths != s.paths || data != s.data || pairs != counted {
		t.Fatalf("shard %d has %d paths, %d in the data table, %v pairs; counted %d, %d, %v",
			i, paths, data, pairs, s.paths, s.data, counted)
	}
	checkArena(t, m, i)
}

// checkArena looks for words that are lost or given twice.
func checkArena(t *testing.T, m *Manager, i int) {
	t.Helper()
	s := &m.shards[i]
	owner := make(map[[2]int]string) // by page and offset
	claim := func(r ref, n int, who string) {
		_, size := class(n)
		page, from := int(r>>pageBits), int(r&(pageWords-1))
		for off := from; off < from+size; off++ {
			w := [2]int{page, off}
			if owner[w] != "" {
				t.Fatalf("shard %d: word %v belongs to %s and %s", i, w, owner[w], who)
			}
			owner[w] = who
		}
	}
	for n := uint32(1); n <= s.top; n++ {
		e := s.entry(n)
		if e.unwatched() {
			continue
		}
		claim(e.path, (e.length()+3)/4, "path")
		if e.kept() == formSeveral {
			claim(ref(e.sets[0]), allWays, "sets")
		}
		for _, w := range everywhere {
			set := s.arena.set(e, w)
			if set != 0 && !set.single() {
				claim(ref(set), int(s.arena.words(ref(set), headWords)[1]), "set")
			}
		}
	}
	for c := 1; c < classes; c++ {
		size := 2 * c
		if size > smallWords {
			size = 1 << (c - smallWords/2 + 5)
		}
		for r := s.arena.free[c]; r != 0; r = ref(s.arena.words(r, 1)[0]) {
			claim(r, size, "free list")
		}
	}
	total := s.arena.left
	for _, p := range s.arena.pages {
		total -= len(p.items)
	}
	if len(owner)+total != 0 {
		t.Fatalf("shard %d: %d words have an owner, %d should", i, len(owner), -total)
	}
}

func checkRecord(t *testing.T, m *Manager, id ID, pairs [tables]uint32, reach []handle) {
	t.Helper()
	l := m.roster.lane(id)
	rec := l.record(id)
	if rec.pairs != pairs {
		t.Fatalf("watcher %d is in %v pairs, its record says %v", id, pairs, rec.pairs)
	}
	for _, h := range reach {
		if s := l.sweeps[id]; !l.holds(&rec.list, h) && (s == nil || !l.holds(&s.rest, h)) {
			t.Fatalf("watcher %d would not find its watch %x when it leaves", id, h)
		}
	}
}
