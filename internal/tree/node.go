package tree

import "github.com/quollhq/quoll/internal/slab"

// Node names a znode while a lock is held. Zero is none.
type Node uint32

const root Node = 1

// header is what links a znode to its relatives. What it says of itself stands
// in its blob.
type header struct {
	parent     Node
	next, prev Node // siblings
	blob       slab.Ref
	more       uint32 // number of the dir; with isExtra that of the extra, which has the dir's; 0: neither
	acl        uint32
}

// isExtra marks a number in header.more.
const isExtra = 1 << 31

// dir is the part of a znode that has, or had, children. Who has none has a
// cversion of 0 and the pzxid of its czxid.
type dir struct {
	pzxid       int64
	nameBytes   int64 // total length of the children's names
	first, last Node  // children, oldest first
	children    uint32
	cversion    int32 // persisted: counts creates
}

// extra is the part of a znode that few have. Who has none has no owner, an
// aversion of 0 and times that fit 48 bits. Those with an owner are linked in
// the list of its kind, see owners.
type extra struct {
	owner      int64
	node       Node
	next, prev uint32 // extras
	aversion   int32
	ctimeTop   int16 // bits 48 to 63
	mtimeTop   int16
	dir        uint32
}

// version is one state of the tree, for readers: the current one, or what a
// View froze.
type version struct {
	headers []*page[header]
	dirs    []*page[dir]
	extras  []*page[extra]
	mem     *slab.Reader
	opt     Options
}

func (v *version) header(n Node) *header { return &v.headers[n/pageLen][n%pageLen] }
func (v *version) dir(d uint32) *dir     { return &v.dirs[d/pageLen][d%pageLen] }
func (v *version) extra(x uint32) *extra { return &v.extras[x/pageLen][x%pageLen] }

// dirOf is a znode's dir, nil if it has none.
func (v *version) dirOf(h *header) *dir {
	d := h.more
	if d&isExtra != 0 {
		d = v.extra(d &^ isExtra).dir
	}
	if d == 0 {
		return nil
	}
	return v.dir(d)
}

// extraOf is a znode's extra, nil if it has none.
func (v *version) extraOf(h *header) *extra {
	if h.more&isExtra == 0 {
		return nil
	}
	return v.extra(h.more &^ isExtra)
}

func timeFits(ms int64) bool             { return uint64(ms) <= timeMask }
func withTop(low int64, top int16) int64 { return low | int64(top)<<48 }
func topOf(ms int64) int16               { return int16(ms >> 48) }
