package watch

import "github.com/quollhq/quoll/internal/slab"

// slot leads from a path's hash to its entry; entry 0 is none.
type slot struct {
	hash, entry uint32
}

// index leads from the hashes of a shard's paths to their entries. It consists of parts, chosen by the top bits of the
// hash, and each becomes larger by itself: that is a matter of microseconds, and what exists twice meanwhile is one part
// of very many. All parts fill at the same pace, though. So that they do not all become larger at about the same
// moment, and leave room behind that nobody has a use for, they start with different sizes: at any time some have just
// grown and others are about to.
type index struct {
	parts [parts]part
}

const (
	partBits = 7
	parts    = 1 << partBits
)

// part is a table with linear probing. The number of slots need not be a power of two.
type part struct {
	slots piece[slot]
	used  int
}

// Sizes of parts in bytes are those of the slab, so that nothing is lost.
const (
	minPart = 64
	// Every part has one of so many series of sizes. Each goes on by as many of the slab's sizes, and so never meets the
	// others. That is by 33 to 50 in 100 up to 64 KiB, and by 64 KiB from there on, where ten million paths are watched.
	series = 4
	// The share of slots that may be in use.
	loadOf, loadIn = 3, 4
)

// part gives the part that a hash belongs to.
func (x *index) part(hash uint32) *part { return &x.parts[hash>>(32-partBits)] }

// insert adds an entry, which the index does not hold.
func (x *index) insert(mem *memory, sl slot) {
	p := x.part(sl.hash)
	if loadIn*(p.used+1) > loadOf*len(p.slots.items) {
		p.resize(mem, p.larger(int(sl.hash>>(32-partBits))))
	}
	p.place(sl)
	p.used++
}

// remove takes an entry out, which the index holds.
func (x *index) remove(sl slot) {
	p := x.part(sl.hash)
	i := p.home(sl.hash)
	for p.slots.items[i] != sl {
		i = p.after(i)
	}
	p.unplace(i)
	p.used--
}

// empty gives all memory back.
func (x *index) empty(mem *memory) {
	for i := range x.parts {
		give(mem, x.parts[i].slots)
	}
	*x = index{}
}

// larger is the number of slots that p, which is part number i, grows to.
func (p *part) larger(i int) int {
	size := bytesOf[slot](len(p.slots.items))
	if size == 0 {
		return minPart/bytesOf[slot](1) + i%series
	}
	for range series {
		size = slab.Size(size + 1)
	}
	return size / bytesOf[slot](1)
}

// resize moves p to a table of n slots.
func (p *part) resize(mem *memory, n int) {
	old := p.slots
	p.slots = take[slot](mem, n)
	clear(p.slots.items)
	for _, sl := range old.items {
		if sl.entry != 0 {
			p.place(sl)
		}
	}
	give(mem, old)
}

// home is the slot in which the search for a hash begins.
func (p *part) home(hash uint32) int {
	return int(uint64(hash<<partBits) * uint64(len(p.slots.items)) >> 32)
}

// after is the slot in which the search goes on.
func (p *part) after(i int) int {
	if i++; i < len(p.slots.items) {
		return i
	}
	return 0
}

// distance is how many steps of a search lead from one slot to another.
func (p *part) distance(from, to int) int {
	if d := to - from; d >= 0 {
		return d
	}
	return to - from + len(p.slots.items)
}

func (p *part) place(sl slot) {
	i := p.home(sl.hash)
	for p.slots.items[i].entry != 0 {
		i = p.after(i)
	}
	p.slots.items[i] = sl
}

// unplace empties a slot, and moves slots back that were placed behind it
// because it was taken.
func (p *part) unplace(hole int) {
	for i := p.after(hole); p.slots.items[i].entry != 0; i = p.after(i) {
		home := p.home(p.slots.items[i].hash)
		if p.distance(home, i) >= p.distance(hole, i) {
			p.slots.items[hole] = p.slots.items[i]
			hole = i
		}
	}
	p.slots.items[hole] = slot{}
}
