package watch

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/slab"
)

// Manager holds the watches of all connections of one server.
//
// Concurrency: Add is called under the lock of the tree that the read it
// belongs to is made under, by many connections at once; Fire under the lock
// that excludes those. So a watch misses no event, and Add and Fire never run
// at the same time. Everything else may be called at any time, with or without
// a lock of the tree. What concerns one watcher (Add, Remove, Contains, Detach)
// must be called by one goroutine at a time.
//
// Inside, locks are taken in the order gate, shard, lane. Fire takes the gate
// alone, which keeps everyone but Add out of the shards and lanes.
type Manager struct {
	mem    *memory
	seed   maphash.Seed // clients choose the paths
	inUse  atomic.Int32 // shards with paths
	depths depths
	shards [shards]shard
	roster roster

	gate    sync.Mutex
	last    ID       // the largest number given, guarded by gate
	free    []ID     // numbers of detached watchers, guarded by gate
	sources []source // of the event that Fire is at, guarded by gate
}

// New returns a Manager without watchers. It is to be closed.
func New() *Manager { return newManager(&memory{slab: slab.New()}) }

func newManager(mem *memory) *Manager {
	m := &Manager{mem: mem, seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].arena.mem = mem
	}
	for i := range m.roster {
		m.roster[i].arena.mem = mem
	}
	return m
}

// Close gives back the memory of the watches, which the collector does not see. The Manager must not be used any more.
func (m *Manager) Close() { m.mem.close() }

// Attach adds a watcher without watches. Numbers start at 1.
func (m *Manager) Attach() ID {
	m.gate.Lock()
	defer m.gate.Unlock()
	if n := len(m.free); n > 0 {
		id := m.free[n-1]
		m.free = m.free[:n-1]
		return id
	}
	if m.last == maxID {
		panic("watch: too many watchers")
	}
	m.last++
	m.roster.attach(m.last)
	return m.last
}

// detachRun is how many paths Detach goes through before it lets others in: a block of handles, or several small ones.
const detachRun = maxListBlock

// Detach drops all watches of id and frees the number. Until it returns, Fire
// may still tell id; afterwards the caller must not use id.
func (m *Manager) Detach(id ID) {
	m.gate.Lock()
	var room [detachRun]handle
	for {
		handles := m.roster.take(id, room[:0])
		if len(handles) == 0 {
			break
		}
		for _, h := range handles {
			m.dropAll(h, id)
		}
		m.gate.Unlock()
		m.gate.Lock()
	}
	m.roster.leave(id)
	m.free = append(m.free, id)
	m.gate.Unlock()
}

// dropAll drops the watches of id that h leads to, if there still are any.
func (m *Manager) dropAll(h handle, id ID) {
	s := &m.shards[h.shard()]
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waits(h.entry(), h.table(), id) {
		return
	}
	for _, w := range everywhere {
		if w.table == h.table() {
			m.drop(s, h.entry(), w, id)
		}
	}
	m.settle(s, h.entry(), 0)
}

// place gives the shard and the hash within it for a path.
func (m *Manager) place(path string) (shard int, hash uint32) {
	h := maphash.String(m.seed, path)
	return int(h >> (64 - shardBits)), uint32(h)
}

// Add makes id wait on path. The path is copied; it need not exist. Adding a
// watch that is there already changes nothing.
func (m *Manager) Add(id ID, path string, kind Kind) {
	sets := addSets(kind)
	i, hash := m.place(path)
	s := &m.shards[i]
	s.mu.Lock()
	if s.paths == 0 {
		m.inUse.Add(1)
	}
	n := s.ensure(hash, path)
	stale := false
	for _, w := range sets {
		if m.add(i, n, w, id) {
			stale = true
		}
	}
	s.mu.Unlock()
	if stale {
		m.sweep(id)
	}
}

// add puts id into one set of an entry, and tells whether the watcher's list
// should be swept.
func (m *Manager) add(shard int, n uint32, w where, id ID) (stale bool) {
	s := &m.shards[shard]
	e := s.entry(n)
	table, before := s.arena.table(e, w.table), s.arena.set(e, w)
	first := none(table)
	fresh := first || !s.arena.hasAny(table, id)
	after, added := s.arena.insert(before, id)
	if !added {
		return false
	}
	s.arena.putSet(e, w, after)
	if w.mode == recursive && before == 0 {
		m.depths.add(depth(s.path(e)), 1)
	}
	if !fresh {
		return false
	}
	if first && w.table == dataTable {
		s.data++
	}
	s.pairs[w.table].Add(1)
	return m.roster.gain(id, newHandle(shard, w.table, n))
}

// drop takes id out of one set of an entry, and tells whether it was in it. The
// caller settles the entry when it is done with it.
func (m *Manager) drop(s *shard, n uint32, w where, id ID) bool {
	e := s.entry(n)
	left, was := s.arena.remove(s.arena.set(e, w), id)
	if !was {
		return false
	}
	s.arena.putSet(e, w, left)
	if w.mode == recursive && left == 0 {
		m.depths.add(depth(s.path(e)), -1)
	}
	table := s.arena.table(e, w.table)
	if s.arena.hasAny(table, id) {
		return true
	}
	s.pairs[w.table].Add(-1)
	m.roster.lose(id, w.table)
	if w.table == dataTable && none(table) {
		s.data--
	}
	return true
}

// settle frees the entry when nobody waits on it any more.
func (m *Manager) settle(s *shard, n, hash uint32) {
	e := s.entry(n)
	if !e.unwatched() {
		return
	}
	if hash == 0 {
		_, hash = m.place(s.path(e))
	}
	s.forget(hash, n)
	if s.paths == 0 {
		m.inUse.Add(-1)
	}
}

// Remove drops the watches of type t that id has on path, and tells whether
// there was one.
func (m *Manager) Remove(id ID, path string, t proto.WatcherType) bool {
	m.gate.Lock()
	defer m.gate.Unlock()
	i, hash := m.place(path)
	s := &m.shards[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.find(hash, path)
	if n == 0 {
		return false
	}
	removed := false
	for _, w := range removeSets(t) {
		if m.drop(s, n, w, id) {
			removed = true
		}
	}
	if removed {
		m.settle(s, n, hash)
	}
	return removed
}

// Contains tells whether id has a watch of type t on path.
func (m *Manager) Contains(id ID, path string, t proto.WatcherType) bool {
	m.gate.Lock()
	defer m.gate.Unlock()
	i, hash := m.place(path)
	s := &m.shards[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.find(hash, path)
	if n == 0 {
		return false
	}
	// For a persistent watch the data table alone is asked: its twin in the
	// child table comes and goes with it.
	return slices.ContainsFunc(removeSets(t), func(w where) bool {
		return s.arena.has(s.arena.set(s.entry(n), w), id)
	})
}
