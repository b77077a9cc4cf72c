package watch

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	entryBits  = 8
	entryPage  = 1 << entryBits
	maxEntries = 1 << 27 // what a handle has room for
)

// shard holds the paths of one part of all hashes. Entries are numbered from 1
// and never move.
type shard struct {
	mu      sync.Mutex
	arena   arena
	entries []piece[entry]
	unused  uint32 // the first entry in the list of unused ones
	top     uint32 // the largest number of an entry so far
	index   index
	paths   int                  // entries in use
	data    int                  // those among them with watches in the data table
	pairs   [tables]atomic.Int64 // watchers and paths
	_       [64]byte             // neighbours are used by other processors
}

// entry gives the entry with this number.
func (s *shard) entry(n uint32) *entry {
	return &s.entries[(n-1)>>entryBits].items[(n-1)&(entryPage-1)]
}

// find gives the number of the path's entry, or 0.
func (s *shard) find(hash uint32, path string) uint32 {
	p := s.index.part(hash)
	if p.used == 0 {
		return 0
	}
	for i := p.home(hash); p.slots.items[i].entry != 0; i = p.after(i) {
		if p.slots.items[i].hash != hash {
			continue
		}
		n := p.slots.items[i].entry
		if s.path(s.entry(n)) == path {
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
	n := s.newEntry()
	*s.entry(n) = newEntry(s.arena.putString(path), len(path))
	s.index.insert(s.arena.mem, slot{hash, n})
	s.paths++
	return n
}

func (s *shard) newEntry() uint32 {
	if n := s.unused; n != 0 {
		s.unused = uint32(s.entry(n).length())
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

// keptPages is how many pages of entries a shard keeps when its last path goes.
const keptPages = 4

// forget frees the entry, which nobody waits on any more. A shard that has held
// many paths and has none left gives its memory back.
func (s *shard) forget(hash, n uint32) {
	s.paths--
	if s.paths == 0 && len(s.entries) > keptPages {
		s.empty()
		return
	}
	s.index.remove(slot{hash, n})
	e := s.entry(n)
	s.arena.releaseString(e.path, e.length())
	*e = newEntry(0, int(s.unused))
	s.unused = n
}

// empty gives the memory of a shard without paths back.
func (s *shard) empty() {
	s.arena.empty()
	for _, p := range s.entries {
		give(s.arena.mem, p)
	}
	s.index.empty(s.arena.mem)
	s.entries = nil
	s.unused, s.top = 0, 0
}

// waits tells whether id waits in the table on the path of entry n, which may
// be unused by now.
func (s *shard) waits(n uint32, t tableID, id ID) bool {
	if n > s.top {
		return false
	}
	return s.arena.hasAny(s.arena.table(s.entry(n), t), id)
}

// path is the path of e, valid until the entry is freed.
func (s *shard) path(e *entry) string { return aliasString(s.arena.bytes(e.path, e.length())) }

// aliasString is b as a string, valid for as long as b does not change.
func aliasString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
