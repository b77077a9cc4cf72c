package watch

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"
)

// entry is a path that somebody waits on. An unused entry has no sets, and
// plen is the number of the next unused one.
type entry struct {
	path ref
	plen uint32
	sets [int(modes) + int(recursive)]set // data: standard, persistent, recursive; child: standard, persistent
}

// set gives the watchers that wait on e in this way.
func (e *entry) set(t tableID, md mode) *set { return &e.sets[int(t)*int(modes)+int(md)] }

// table gives the sets of one table.
func (e *entry) table(t tableID) []set {
	if t == dataTable {
		return e.sets[:modes]
	}
	return e.sets[modes:]
}

// unwatched tells whether all of the sets are empty.
func unwatched(sets []set) bool {
	var any set
	for _, s := range sets {
		any |= s
	}
	return any == 0
}

const (
	entryBits  = 7
	entryPage  = 1 << entryBits
	maxEntries = 1 << 27 // what a handle has room for
	minSlots   = 16
)

// slot leads from a path's hash to its entry; entry 0 is none.
type slot struct {
	hash, entry uint32
}

// shard holds the paths of one part of all hashes. Entries are numbered from 1
// and never move.
type shard struct {
	mu      sync.Mutex
	arena   arena
	entries []piece[entry]
	unused  uint32 // the first entry in the list of unused ones
	top     uint32 // the largest number of an entry so far
	slots   piece[slot]
	paths   int                  // entries in use
	data    int                  // those among them with watches in the data table
	pairs   [tables]atomic.Int64 // watchers and paths
	_       [64]byte             // neighbours are used by other processors
}

// entry gives the entry with this number.
func (s *shard) entry(n uint32) *entry {
	return &s.entries[(n-1)>>entryBits].items[(n-1)&(entryPage-1)]
}

// home is the slot in which the search for a hash begins. The number of slots
// need not be a power of two, so that growing by half is possible.
func (s *shard) home(hash uint32) int { return int(uint64(hash) * uint64(len(s.slots.items)) >> 32) }

// after is the slot in which the search goes on.
func (s *shard) after(i int) int {
	if i++; i < len(s.slots.items) {
		return i
	}
	return 0
}

// distance is how many steps of a search lead from one slot to another.
func (s *shard) distance(from, to int) int {
	if d := to - from; d >= 0 {
		return d
	}
	return to - from + len(s.slots.items)
}

// find gives the number of the path's entry, or 0.
func (s *shard) find(hash uint32, path string) uint32 {
	if s.paths == 0 {
		return 0
	}
	for i := s.home(hash); s.slots.items[i].entry != 0; i = s.after(i) {
		if s.slots.items[i].hash != hash {
			continue
		}
		n := s.slots.items[i].entry
		if e := s.entry(n); string(s.arena.bytes(e.path, int(e.plen))) == path {
			return n
		}
	}
	return 0
}

// ensure finds the path's entry or makes one.
func (s *shard) ensure(hash uint32, path string) uint32 {
	if n := s.find(hash, path); n != 0 {
		return n
	}
	if 4*(s.paths+1) > 3*len(s.slots.items) {
		s.rehash()
	}
	n := s.newEntry()
	e := s.entry(n)
	*e = entry{path: s.arena.putString(path), plen: uint32(len(path))}
	s.place(slot{hash, n})
	s.paths++
	return n
}

func (s *shard) newEntry() uint32 {
	if n := s.unused; n != 0 {
		s.unused = s.entry(n).plen
		return n
	}
	if s.top == maxEntries {
		panic(fmt.Sprintf("watch: too many paths: %d in one shard", s.top))
	}
	if s.top&(entryPage-1) == 0 {
		s.entries = append(s.entries, take[entry](s.arena.mem, entryPage))
	}
	s.top++
	return s.top
}

func (s *shard) place(sl slot) {
	i := s.home(sl.hash)
	for s.slots.items[i].entry != 0 {
		i = s.after(i)
	}
	s.slots.items[i] = sl
}

func (s *shard) rehash() {
	old := s.slots
	s.slots = take[slot](s.arena.mem, max(minSlots, len(old.items)*3/2))
	clear(s.slots.items)
	for _, sl := range old.items {
		if sl.entry != 0 {
			s.place(sl)
		}
	}
	give(s.arena.mem, old)
}

// keptPages is how many pages of entries a shard keeps when its last path goes.
const keptPages = 8

// forget frees the entry, which nobody waits on any more. A shard that has held
// many paths and has none left gives its memory back.
func (s *shard) forget(hash, n uint32) {
	s.paths--
	if s.paths == 0 && len(s.entries) > keptPages {
		s.empty()
		return
	}
	i := s.home(hash)
	for s.slots.items[i].entry != n {
		i = s.after(i)
	}
	s.unplace(i)
	e := s.entry(n)
	s.arena.releaseString(e.path, int(e.plen))
	*e = entry{plen: s.unused}
	s.unused = n
}

// empty gives the memory of a shard without paths back.
func (s *shard) empty() {
	s.arena.empty()
	for _, p := range s.entries {
		give(s.arena.mem, p)
	}
	give(s.arena.mem, s.slots)
	s.entries, s.slots = nil, piece[slot]{}
	s.unused, s.top = 0, 0
}

// unplace empties a slot, and moves slots back that were placed behind it
// because it was taken.
func (s *shard) unplace(hole int) {
	for i := s.after(hole); s.slots.items[i].entry != 0; i = s.after(i) {
		home := s.home(s.slots.items[i].hash)
		if s.distance(home, i) >= s.distance(hole, i) {
			s.slots.items[hole] = s.slots.items[i]
			hole = i
		}
	}
	s.slots.items[hole] = slot{}
}

// waits tells whether id waits in the table on the path of entry n, which may
// be unused by now.
func (s *shard) waits(n uint32, t tableID, id ID) bool {
	if n > s.top {
		return false
	}
	for _, set := range s.entry(n).table(t) {
		if s.arena.has(set, id) {
			return true
		}
	}
	return false
}

// path is the path of e, valid until the entry is freed.
func (s *shard) path(e *entry) string { return aliasString(s.arena.bytes(e.path, int(e.plen))) }

// aliasString is b as a string, valid for as long as b does not change.
func aliasString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
