package tree

import (
	"slices"
	"unsafe"

	"github.com/quollhq/quoll/internal/slab"
)

// mvcc decides when memory that was replaced may be used again.
//
// Time is counted in epochs: freezing ends one. A View of epoch e sees what was
// made in an epoch <= e and replaced in one > e. What is replaced while Views
// live is put on the newest one's list, for a View that is older sees it only
// if the newest does or it was made before both. When a View is closed, each
// thing on its list goes to the next older View that sees it, else is freed.
type mvcc struct {
	epoch  uint32  // the current one, from 1
	newest uint32  // the newest live View's, 0: there is none
	views  []*View // live, oldest first
}

// dead is memory that only Views may still see.
type dead struct {
	ref  slab.Ref
	size uint32
	born uint32 // the epoch it was made in, or any earlier one
}

// deadBlock is how many dead things a list takes memory for at once.
const deadBlock = 1024

// deadList grows without moving what it holds. It lies in a slab, too.
type deadList struct {
	blocks []slab.Ref // of deadBlock things, the last one of n
	n      int
}

// deadBytes is the size of a block.
const deadBytes = deadBlock * int(unsafe.Sizeof(dead{}))

func (l *deadList) push(s *slab.Slab, d dead) {
	if len(l.blocks) == 0 || l.n == deadBlock {
		l.blocks, l.n = append(l.blocks, s.Alloc(deadBytes)), 0
	}
	l.block(s, len(l.blocks)-1)[l.n] = d
	l.n++
}

// block is all of a block.
func (l *deadList) block(s *slab.Slab, i int) *[deadBlock]dead {
	return (*[deadBlock]dead)(s.Pointer(l.blocks[i]))
}

// popBlock gives away the last things that the list holds, and frees their
// block.
func (l *deadList) popBlock(s *slab.Slab, bury func(dead)) {
	k := len(l.blocks) - 1
	if k < 0 {
		return
	}
	for _, d := range l.block(s, k)[:l.n] {
		bury(d)
	}
	s.Free(l.blocks[k], deadBytes)
	l.blocks, l.n = l.blocks[:k], deadBlock
}

// retire frees memory as soon as no View sees it.
func (m *mvcc) retire(s *slab.Slab, ref slab.Ref, size int, born uint32) {
	if m.newest == 0 || born > m.newest {
		s.Free(ref, size)
		return
	}
	m.views[len(m.views)-1].dead.push(s, dead{ref: ref, size: uint32(size), born: born})
}

// drop takes v off the live Views.
func (m *mvcc) drop(v *View) {
	i := slices.Index(m.views, v)
	m.views = slices.Delete(m.views, i, i+1)
	m.newest = 0
	if k := len(m.views); k > 0 {
		m.newest = m.views[k-1].epoch
	}
}

// bury deals with a block of what only v and older Views saw, and tells whether
// there is more. v is dropped.
func (m *mvcc) bury(s *slab.Slab, v *View) bool {
	var older *View
	for _, w := range m.views {
		if w.epoch < v.epoch {
			older = w
		}
	}
	v.dead.popBlock(s, func(d dead) {
		if older != nil && d.born <= older.epoch {
			older.dead.push(s, d)
		} else {
			s.Free(d.ref, int(d.size))
		}
	})
	return len(v.dead.blocks) > 0
}
