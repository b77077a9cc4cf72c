package tree

import (
	"encoding/binary"
	"math"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/slab"
)

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

// persisted reads the stat that disk and digest know.
func (v *version) persisted(h *header, st *proto.StatPersisted) {
	var b blob
	v.open(h.blob, &b)
	v.persistedOf(h, &b, st)
}

func (v *version) persistedOf(h *header, b *blob, st *proto.StatPersisted) {
	var s blobStat
	b.stat(&s)
	st.Czxid, st.Mzxid, st.Pzxid = s.czxid, s.mzxid, s.czxid
	st.Ctime, st.Mtime = int64(s.ctime), int64(s.mtime)
	st.Version, st.Cversion, st.Aversion, st.EphemeralOwner = s.version, 0, 0, 0
	if h.more == 0 {
		return
	}
	if d := v.dirOf(h); d != nil {
		st.Cversion, st.Pzxid = d.cversion, d.pzxid
	}
	if x := v.extraOf(h); x != nil {
		st.Aversion, st.EphemeralOwner = x.aversion, x.owner
		st.Ctime, st.Mtime = withTop(st.Ctime, x.ctimeTop), withTop(st.Mtime, x.mtimeTop)
	}
}

// stat reads the stat that clients see.
func (v *version) stat(h *header, st *proto.Stat) {
	var b blob
	var s blobStat
	v.open(h.blob, &b)
	b.stat(&s)
	st.Czxid, st.Mzxid, st.Pzxid = s.czxid, s.mzxid, s.czxid
	st.Ctime, st.Mtime = int64(s.ctime), int64(s.mtime)
	st.Version, st.Cversion, st.Aversion, st.EphemeralOwner = s.version, 0, 0, 0
	st.DataLength, st.NumChildren = int32(max(b.dataLen, 0)), 0
	if h.more == 0 {
		return
	}
	if d := v.dirOf(h); d != nil {
		st.Pzxid, st.NumChildren = d.pzxid, int32(d.children)
		// Disk counts creates. Clients count changes: for each create there was
		// a delete, but for the children that are still there.
		st.Cversion = d.cversion*2 - int32(d.children)
	}
	if x := v.extraOf(h); x != nil {
		st.Aversion = x.aversion
		st.Ctime, st.Mtime = withTop(st.Ctime, x.ctimeTop), withTop(st.Mtime, x.mtimeTop)
		if v.opt.kindOf(x.owner) == kindSession {
			st.EphemeralOwner = x.owner
		}
	}
}

// Stat is what a client sees of n.
func (t *Tree) Stat(n Node) proto.Stat {
	var st proto.Stat
	t.stat(t.header(n), &st)
	return st
}

// AppendStat appends the encoded Stat of n, proto.StatLen bytes.
func (t *Tree) AppendStat(b []byte, n Node) []byte {
	var st proto.Stat
	t.stat(t.header(n), &st)
	b = grow(b, proto.StatLen)
	putStat((*[proto.StatLen]byte)(b[len(b)-proto.StatLen:]), &st)
	return b
}

func putStat(b *[proto.StatLen]byte, st *proto.Stat) {
	be := binary.BigEndian
	be.PutUint64(b[0:], uint64(st.Czxid))
	be.PutUint64(b[8:], uint64(st.Mzxid))
	be.PutUint64(b[16:], uint64(st.Ctime))
	be.PutUint64(b[24:], uint64(st.Mtime))
	be.PutUint32(b[32:], uint32(st.Version))
	be.PutUint32(b[36:], uint32(st.Cversion))
	be.PutUint32(b[40:], uint32(st.Aversion))
	be.PutUint64(b[44:], uint64(st.EphemeralOwner))
	be.PutUint32(b[52:], uint32(st.DataLength))
	be.PutUint32(b[56:], uint32(st.NumChildren))
	be.PutUint64(b[60:], uint64(st.Pzxid))
}

// Meta is what validating a change of a znode needs to know of it.
type Meta struct {
	proto.StatPersisted
	PathDataCRC uint32 // PrefixCRC of its path and data; 0 below /zookeeper/
	ACL         uint32
	NumChildren int32
	DataLength  int32
}

// Meta is what validating a change of n needs to know.
func (t *Tree) Meta(n Node) Meta {
	h := t.header(n)
	var b blob
	var m Meta
	t.open(h.blob, &b)
	m.PathDataCRC, m.ACL, m.DataLength = *b.crc(), h.acl, int32(max(b.dataLen, 0))
	t.persistedOf(h, &b, &m.StatPersisted)
	if d := t.dirOf(h); d != nil {
		m.NumChildren = int32(d.children)
	}
	return m
}

// Data is n's data, nil if it is null. It aliases the tree.
func (t *Tree) Data(n Node) []byte { return t.data(t.header(n).blob) }

// ACLID is the number of n's access control list, for ACLByID.
func (t *Tree) ACLID(n Node) uint32 { return t.header(n).acl }

// Parent is the parent of n; the root's is 0.
func (t *Tree) Parent(n Node) Node { return t.header(n).parent }

// NumChildren is how many children n has.
func (t *Tree) NumChildren(n Node) int {
	if d := t.dirOf(t.header(n)); d != nil {
		return int(d.children)
	}
	return 0
}

// Path appends the full path of n, "/" for the root.
func (t *Tree) Path(b []byte, n Node) []byte {
	if n == root {
		return append(b, '/')
	}
	return t.appendPath(b, n)
}

// appendPath appends the full path of n, nothing for the root.
func (v *version) appendPath(b []byte, n Node) []byte {
	total := 0
	for m := n; m != root; {
		h := v.header(m)
		total += 1 + v.nameLen(h.blob)
		m = h.parent
	}
	from := len(b)
	b = grow(b, total)
	end := from + total
	for m := n; m != root; {
		h := v.header(m)
		name := v.name(h.blob)
		end -= len(name)
		copy(b[end:], name)
		end--
		b[end] = '/'
		m = h.parent
	}
	return b
}

// AppendChildren appends the names of n's children, oldest first, as an encoded
// vector of strings.
func (t *Tree) AppendChildren(b []byte, n Node) []byte { return t.appendChildren(b, n) }

func (v *version) appendChildren(b []byte, n Node) []byte {
	d := v.dirOf(v.header(n))
	if d == nil {
		return append(b, 0, 0, 0, 0)
	}
	from := len(b)
	b = grow(b, v.childrenLen(d))
	at := b[from:]
	binary.BigEndian.PutUint32(at, d.children)
	at = at[4:]
	for c := d.first; c != 0; {
		ch := v.header(c)
		name := v.name(ch.blob)
		binary.BigEndian.PutUint32(at, uint32(len(name)))
		copy(at[4:], name)
		at = at[4+len(name):]
		c = ch.next
	}
	return b
}

// childrenLen is the length of the encoded vector of the children's names.
func (v *version) childrenLen(d *dir) int { return 4 + 4*int(d.children) + int(d.nameBytes) }

// ChildrenLen is how many bytes AppendChildren appends for n.
func (t *Tree) ChildrenLen(n Node) int {
	if d := t.dirOf(t.header(n)); d != nil {
		return t.childrenLen(d)
	}
	return 4
}

// FirstChild is the oldest child of n, 0 if there is none.
func (t *Tree) FirstChild(n Node) Node {
	if d := t.dirOf(t.header(n)); d != nil {
		return d.first
	}
	return 0
}

// NextSibling is the child of n's parent that was created after n, 0 if n is
// the youngest.
func (t *Tree) NextSibling(n Node) Node { return t.header(n).next }

// Name is the last part of n's path, "" for the root. It aliases the tree.
func (t *Tree) Name(n Node) []byte { return t.name(t.header(n).blob) }

// AllChildren is how many descendants n has. It visits all that have children,
// and their children.
func (t *Tree) AllChildren(n Node) int {
	if n == root {
		return t.count - 1
	}
	return t.descendants(n)
}

func (v *version) descendants(n Node) int {
	total := 0
	for c := n; ; {
		h := v.header(c)
		if d := v.dirOf(h); d != nil && d.first != 0 {
			total += int(d.children)
			c = d.first
			continue
		}
		for c != n && h.next == 0 {
			c = h.parent
			h = v.header(c)
		}
		if c == n {
			return total
		}
		c = h.next
	}
}

// grow makes b longer by n bytes of arbitrary content.
func grow(b []byte, n int) []byte {
	if n > math.MaxInt-len(b) {
		panic("tree: slice too long")
	}
	if cap(b)-len(b) < n {
		bigger := make([]byte, len(b), max(2*cap(b), len(b)+n))
		copy(bigger, b)
		b = bigger
	}
	return b[:len(b)+n]
}
