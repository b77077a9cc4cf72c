package watch

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Len is the number of watches: pairs of a watcher and a path, counted in each
// of the two tables. It is cheap and takes no lock; for whether there are any,
// Empty is cheaper.
func (m *Manager) Len() int {
	if m.Empty() {
		return 0
	}
	n := int64(0)
	for i := range m.shards {
		p := &m.shards[i].pairs
		n += p[dataTable].Load() + p[childTable].Load()
	}
	return int(n)
}

// Empty tells whether there are no watches at all.
func (m *Manager) Empty() bool { return m.inUse.Load() == 0 }

// eachShard calls f for every shard, while nobody else uses it.
func (m *Manager) eachShard(f func(*shard)) {
	for i := range m.shards {
		s := &m.shards[i]
		m.gate.Lock()
		s.mu.Lock()
		f(s)
		s.mu.Unlock()
		m.gate.Unlock()
	}
}

// Summary counts what is in the data table, as Apache's wchs does.
type Summary struct {
	// Connections counts the watchers that have watches. As with Apache, one
	// whose watches were all used up by events still counts; one that removed
	// the last of them does not.
	Connections int
	Paths       int // paths watched
	Watches     int // pairs of the two
}

// String is the answer to wchs.
func (s Summary) String() string {
	return fmt.Sprintf("%d connections watching %d paths\nTotal watches:%d", s.Connections, s.Paths, s.Watches)
}

// Summary counts what is in the data table.
func (m *Manager) Summary() Summary {
	var sum Summary
	m.eachShard(func(s *shard) {
		sum.Paths += s.data
		sum.Watches += int(s.pairs[dataTable].Load())
	})
	for i := range m.roster {
		l := &m.roster[i]
		l.mu.Lock()
		sum.Connections += l.known
		l.mu.Unlock()
	}
	return sum
}

// PathWatchers is a path and who waits on it.
type PathWatchers struct {
	Path string
	IDs  []ID // ascending
}

// ByPath lists the data table, as Apache's wchp does, by path. It copies part
// by part, so that events wait for one part at most; watches that come or go
// meanwhile may be missing.
func (m *Manager) ByPath() []PathWatchers {
	var list []PathWatchers
	m.eachShard(func(s *shard) { list = s.appendWatchers(list) })
	slices.SortFunc(list, func(a, b PathWatchers) int { return cmp.Compare(a.Path, b.Path) })
	return list
}

func (s *shard) appendWatchers(list []PathWatchers) []PathWatchers {
	for n := uint32(1); n <= s.top; n++ {
		e := s.entry(n)
		table := s.arena.table(e, dataTable)
		if none(table) {
			continue
		}
		w := PathWatchers{Path: strings.Clone(s.path(e))}
		for _, set := range table {
			s.arena.each(set, func(id ID) { w.IDs = append(w.IDs, id) })
		}
		slices.Sort(w.IDs)
		w.IDs = slices.Compact(w.IDs)
		list = append(list, w)
	}
	return list
}

// WatcherPaths is a watcher and the paths it waits on.
type WatcherPaths struct {
	ID    ID
	Paths []string // in order; none if events used up all watches
}

// ByWatcher lists the data table, as Apache's wchc does, by watcher.
func (m *Manager) ByWatcher() []WatcherPaths {
	paths := make(map[ID][]string)
	for i := range m.roster {
		m.roster[i].appendKnown(i, paths)
	}
	for _, w := range m.ByPath() {
		for _, id := range w.IDs {
			paths[id] = append(paths[id], w.Path)
		}
	}
	list := make([]WatcherPaths, 0, len(paths))
	for id, p := range paths {
		list = append(list, WatcherPaths{id, p})
	}
	slices.SortFunc(list, func(a, b WatcherPaths) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// appendKnown enters the known watchers of lane number i.
func (l *lane) appendKnown(i int, paths map[ID][]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, r := range l.runs {
		for rest := r.known; rest != 0; rest &= rest - 1 {
			paths[ID(n*laneSize+i*laneRun+bits.TrailingZeros64(rest))] = nil
		}
	}
}
