package watch

import (
	"strings"

	"github.com/quollhq/quoll/internal/proto"
)

// source is a set of watchers that an event concerns, and the arena it lies in.
type source struct {
	arena *arena
	set   set
}

// Fire calls tell for every watcher that waits for event ev on path, once for
// each, and uses up the one-shot watches among those. It gives how many watchers
// the data table and the child table had for the event: a deletion concerns
// both, and a watcher that is in both is counted in both, but told once.
//
// The caller holds the tree's exclusive lock. The path is a valid one. tell must
// not call m.
func (m *Manager) Fire(path string, ev proto.EventType, tell func(ID)) (data, child int) {
	if m.Empty() {
		return 0, 0
	}
	m.gate.Lock()
	defer m.gate.Unlock()
	i, hash := m.place(path)
	s := &m.shards[i]
	n := s.find(hash, path)
	m.sources = m.sources[:0]
	if ev != proto.EventNodeChildrenChanged {
		if n != 0 {
			m.collect(s, n, dataTable)
		}
		m.collectAncestors(path)
		data = m.tell(0, tell)
	}
	if n == 0 {
		return data, 0
	}
	if ev == proto.EventNodeDeleted || ev == proto.EventNodeChildrenChanged {
		from := len(m.sources)
		m.collect(s, n, childTable)
		child = m.tell(from, tell)
		m.useUp(s, n, childTable)
	}
	if ev != proto.EventNodeChildrenChanged {
		m.useUp(s, n, dataTable)
	}
	m.settle(s, n, hash)
	return data, child
}

// collect adds the watchers of one table of an entry to the sources.
func (m *Manager) collect(s *shard, n uint32, t tableID) {
	for _, set := range s.arena.table(s.entry(n), t) {
		if set != 0 {
			m.sources = append(m.sources, source{&s.arena, set})
		}
	}
}

// collectAncestors adds the recursive watches above path to the sources.
func (m *Manager) collectAncestors(path string) {
	mask := m.depths.mask.Load()
	if mask == 0 || path == "/" {
		return
	}
	if mask&1 != 0 {
		m.collectRecursive("/")
	}
	for i, d := 1, 1; mask>>d != 0; i++ {
		at := strings.IndexByte(path[i:], '/')
		if at < 0 {
			return
		}
		i += at
		if mask>>d&1 != 0 {
			m.collectRecursive(path[:i])
		}
		d = min(d+1, maxDepth)
	}
}

func (m *Manager) collectRecursive(path string) {
	i, hash := m.place(path)
	s := &m.shards[i]
	if n := s.find(hash, path); n != 0 {
		if set := s.arena.set(s.entry(n), where{dataTable, recursive}); set != 0 {
			m.sources = append(m.sources, source{&s.arena, set})
		}
	}
}

// tell tells the members of the sources from the given one on, except those
// that are in an earlier source. It gives the number of different members in
// those sources, told or not.
func (m *Manager) tell(from int, tell func(ID)) (n int) {
	for i := from; i < len(m.sources); i++ {
		src := m.sources[i]
		if i == 0 {
			n += src.arena.size(src.set)
			src.arena.each(src.set, tell)
			continue
		}
		src.arena.each(src.set, func(id ID) {
			if among(m.sources[from:i], id) {
				return
			}
			n++
			if !among(m.sources[:from], id) {
				tell(id)
			}
		})
	}
	return n
}

func among(sources []source, id ID) bool {
	for _, src := range sources {
		if src.arena.has(src.set, id) {
			return true
		}
	}
	return false
}

// useUp drops the one-shot watches of one table of an entry.
func (m *Manager) useUp(s *shard, n uint32, t tableID) {
	e := s.entry(n)
	once := where{t, standard}
	used := s.arena.set(e, once)
	if used == 0 {
		return
	}
	s.arena.putSet(e, once, 0)
	left := s.arena.table(e, t)
	rest := !none(left)
	pairs := int64(0)
	s.arena.each(used, func(id ID) {
		if rest && s.arena.hasAny(left, id) {
			return
		}
		pairs++
		m.roster.usedUp(id, t)
	})
	s.pairs[t].Add(-pairs)
	s.arena.drop(used)
	if t == dataTable && !rest {
		s.data--
	}
}
