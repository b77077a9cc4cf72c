package tree

import (
	"hash/maphash"
	"unsafe"

	"github.com/quollhq/quoll/internal/slab"
)

// The index finds a znode by the hash of its full path. It consists of shards,
// so that growing takes little at a time. A shard is a table of slots, each a
// tag of 16 bits from the hash and the znode's number. The tag tells where a
// slot's home is; slots are kept sorted by tag, with gaps (linear probing where
// an older entry with a greater tag makes way). So
//
//   - a search ends at a gap or a greater tag, found or not;
//   - growing is one pass from the old table to the new one that looks at no
//     znode;
//   - removing closes the gap: nothing of what was removed remains.
//
// A slot is 6 bytes: tag | number. The last slot of a table stays a gap.
const (
	shardBits = 11
	slotSize  = 6
	slotMask  = 1<<48 - 1
)

type shard struct {
	mem   unsafe.Pointer
	ref   slab.Ref
	home  uint32 // slots that are some tag's home
	slots uint32 // these and what follows for those who had to give way
	n     uint32
}

type index struct {
	seed   maphash.Seed
	slab   *slab.Slab
	shards [1 << shardBits]shard
	bytes  int64
	grower grower
}

func newIndex(s *slab.Slab) *index {
	x := &index{seed: maphash.MakeSeed(), slab: s}
	x.grower.start(0)
	return x
}

// place is where a path belongs.
type place struct {
	shard *shard
	tag   uint32
}

func (x *index) place(path string) place {
	h := maphash.String(x.seed, path)
	return place{&x.shards[h>>(64-shardBits)], uint32(h) & 0xffff}
}

func (s *shard) at(i uint32) unsafe.Pointer { return unsafe.Add(s.mem, uintptr(i)*slotSize) }

// slot reads a slot: tag in the low 16 bits, number above; 0 is a gap. Each
// table ends with two bytes that let the last slot be read like the others.
func (s *shard) slot(i uint32) uint64 { return *(*uint64)(s.at(i)) & slotMask }

func (s *shard) put(i uint32, e uint64) {
	p := s.at(i)
	*(*uint32)(p) = uint32(e)
	*(*uint16)(unsafe.Add(p, 4)) = uint16(e >> 32)
}

func (s *shard) homeOf(tag uint32) uint32 { return uint32(uint64(tag) * uint64(s.home) >> 16) }

// Find is the znode with this path, 0 if there is none. "/" and "" are the
// root. The path may alias any memory and need not be valid.
func (t *Tree) Find(path string) Node {
	if len(path) <= 1 {
		if path == "" || path == "/" {
			return root
		}
		return 0
	}
	return t.find(t.index.place(path), path)
}

func (t *Tree) find(pl place, path string) Node {
	s := pl.shard
	if s.n == 0 {
		return 0
	}
	for i := s.homeOf(pl.tag); ; i++ {
		e := s.slot(i)
		tag := uint32(e & 0xffff)
		if e == 0 || tag > pl.tag {
			return 0
		}
		if tag == pl.tag && t.hasPath(Node(e>>16), path) {
			return Node(e >> 16)
		}
	}
}

// hasPath tells whether path is n's.
func (v *version) hasPath(n Node, path string) bool {
	for n != root {
		h := v.header(n)
		name := v.name(h.blob)
		at := len(path) - len(name)
		if at < 1 || path[at-1] != '/' || path[at:] != string(name) {
			return false
		}
		path = path[:at-1]
		n = h.parent
	}
	return path == ""
}

// insert adds a number under a path that the index does not hold.
func (x *index) insert(pl place, n Node) {
	x.grow()
	s := pl.shard
	if s.mem == nil || (s.n+1)*100 > s.home*maxLoad {
		x.resize(s, larger(s.size()), 0)
	}
	for !s.insert(uint64(n)<<16 | uint64(pl.tag)) {
		// Too many tags near the greatest. A larger table spreads them; if it
		// does not, they are all the same, and get room for all of them.
		if s.n*2 > s.home {
			x.resize(s, larger(s.size()), 0)
		} else {
			x.resize(s, larger(s.size())+int(s.n)*slotSize, s.n)
		}
	}
	s.n++
}

// insert fails when entries would be pushed over the table's end.
func (s *shard) insert(e uint64) bool {
	tag := e & 0xffff
	i := s.homeOf(uint32(tag))
	for {
		o := s.slot(i)
		if o == 0 || o&0xffff > tag {
			break
		}
		i++
	}
	gap := i
	for s.slot(gap) != 0 {
		gap++
	}
	if gap == s.slots-1 {
		return false
	}
	copy(s.span(i+1, gap+1), s.span(i, gap))
	s.put(i, e)
	return true
}

func (s *shard) span(from, to uint32) []byte {
	return unsafe.Slice((*byte)(s.at(from)), (to-from)*slotSize)
}

// remove takes a number out, which the index holds under that path.
func (x *index) remove(pl place, n Node) {
	s := pl.shard
	want := uint64(n)<<16 | uint64(pl.tag)
	i := s.homeOf(pl.tag)
	for s.slot(i) != want {
		i++
	}
	end := i + 1 // the first slot that is a gap or at home
	for {
		e := s.slot(end)
		if e == 0 || s.homeOf(uint32(e&0xffff)) == end {
			break
		}
		end++
	}
	copy(s.span(i, end-1), s.span(i+1, end))
	s.put(end-1, 0)
	s.n--
	x.shrink()
	if s.n == 0 {
		x.drop(s)
	} else if s.n < s.home/2 && s.home > 32 {
		x.resize(s, tableBytes(s.n+s.n/4), 0)
	}
}

// size is that of the shard's memory.
func (s *shard) size() int {
	if s.mem == nil {
		return 0
	}
	return slab.Size(int(s.slots)*slotSize + 2)
}

// resize moves a shard into a table of at least so many bytes, of which extra
// slots are nobody's home.
func (x *index) resize(s *shard, want int, extra uint32) {
	size := slab.Size(max(want, 64))
	for ; ; size = slab.Size(size + 1) {
		bigger := x.newTable(size, extra)
		if bigger.fill(s) {
			x.drop(s)
			*s = bigger
			x.bytes += int64(size)
			return
		}
		x.slab.Free(bigger.ref, size)
		if size > tableBytes(2*s.n) {
			extra = s.n
		}
	}
}

// newTable makes an empty table that fills size bytes, a size of the slab.
func (x *index) newTable(size int, extra uint32) shard {
	slots, home := homes(size, extra)
	s := shard{ref: x.slab.Alloc(size), home: home, slots: slots}
	s.mem = x.slab.Pointer(s.ref)
	clear(unsafe.Slice((*byte)(s.mem), size))
	return s
}

// fill copies what from holds into the empty table s. It fails when that does
// not fit.
func (s *shard) fill(from *shard) bool {
	next := uint32(0)
	for i, left := uint32(0), from.n; left > 0; i++ {
		e := from.slot(i)
		if e == 0 {
			continue
		}
		next = max(next, s.homeOf(uint32(e&0xffff)))
		if next >= s.slots-1 {
			return false
		}
		s.put(next, e)
		next++
		left--
	}
	s.n = from.n
	return s.n*100 <= s.home*maxLoad
}

func (x *index) drop(s *shard) {
	if s.mem == nil {
		return
	}
	size := s.size()
	x.bytes -= int64(size)
	x.slab.Free(s.ref, size)
	*s = shard{}
}
