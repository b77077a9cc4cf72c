package tree

import (
	"slices"

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

// deadList grows without moving what it holds.
type deadList struct {
	blocks [][]dead
}

func (l *deadList) push(d dead) {
	k := len(l.blocks)
	if k == 0 || len(l.blocks[k-1]) == deadBlock {
		l.blocks = append(l.blocks, make([]dead, 0, deadBlock))
		k++
	}
	l.blocks[k-1] = append(l.blocks[k-1], d)
}

// popBlock takes away some of what the list holds, nil if there is nothing.
func (l *deadList) popBlock() []dead {
	k := len(l.blocks)
	if k == 0 {
		return nil
	}
	b := l.blocks[k-1]
	l.blocks[k-1] = nil
	l.blocks = l.blocks[:k-1]
	return b
}

// retire frees memory as soon as no View sees it.
func (m *mvcc) retire(s *slab.Slab, ref slab.Ref, size int, born uint32) {
	if m.newest == 0 || born > m.newest {
		s.Free(ref, size)
		return
	}
	m.views[len(m.views)-1].dead.push(dead{ref: ref, size: uint32(size), born: born})
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
	for _, d := range v.dead.popBlock() {
		if older != nil && d.born <= older.epoch {
			older.dead.push(d)
		} else {
			s.Free(d.ref, int(d.size))
		}
	}
	return len(v.dead.blocks) > 0
}
