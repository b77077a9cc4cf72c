package tree

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/quollhq/quoll/internal/slab"
)

// Check visits the whole tree and says what does not fit together: links,
// counts, index, owners, quotas, digest, uses of access control lists, memory.
// The error joins the first things found. The caller holds a lock.
func (t *Tree) Check() error {
	c := checker{t: t, uses: make(map[uint32]int), extras: make(map[uint32]bool)}
	c.uses[OpenACL] = t.acls.lists[OpenACL].uses
	c.node(root, "")
	c.totals()
	c.owners()
	c.lists()
	c.quotas()
	c.shards()
	checkTable(&c, "headers", &t.headerTable, c.count)
	checkTable(&c, "dirs", &t.dirTable, c.dirs)
	checkTable(&c, "extras", &t.extraTable, len(c.extras))
	c.memory()
	return errors.Join(c.found...)
}

// maxFound bounds how many faults Check lists.
const maxFound = 10

type checker struct {
	t        *Tree
	found    []error
	count    int
	dirs     int
	dataSize int64
	digest   uint64
	blobs    int64 // bytes
	uses     map[uint32]int
	extras   map[uint32]bool
}

func (c *checker) fault(format string, args ...any) {
	if len(c.found) < maxFound {
		c.found = append(c.found, fmt.Errorf("tree: "+format, args...))
	}
}

func (c *checker) node(n Node, path string) {
	t := c.t
	if !t.headerTable.used(uint32(n)) {
		c.fault("%q is znode %d, which is free", path, n)
		return
	}
	h := t.header(n)
	c.count++
	var b blob
	t.open(h.blob, &b)
	c.dataSize += sizeOf(path, b.data())
	c.blobs += int64(slab.Size(b.size()))
	c.uses[h.acl]++
	if got := t.Find(path); got != n {
		c.fault("%q is znode %d, the index finds %d", path, n, got)
	}
	if want := t.prefixOf(path, b.data()); *b.crc() != want {
		c.fault("%q has the checksum %#x, want %#x", path, *b.crc(), want)
	}
	if counted(path) {
		c.digest += t.digestOf(h)
	}
	if h.more&isExtra != 0 {
		c.extra(n, h.more&^isExtra, path)
	}
	if d := t.dirOf(h); d != nil {
		c.dirs++
		c.children(n, d, path)
	}
}

func (c *checker) extra(n Node, x uint32, path string) {
	t := c.t
	if !t.extraTable.used(x) || c.extras[x] {
		c.fault("%q has the extra %d, which is free or another's", path, x)
		return
	}
	c.extras[x] = true
	if e := t.extra(x); e.node != n {
		c.fault("%q is znode %d, its extra says %d", path, n, e.node)
	}
}

func (c *checker) children(n Node, d *dir, path string) {
	t := c.t
	prev, count, nameBytes := Node(0), uint32(0), int64(0)
	for child := d.first; child != 0; {
		h := t.header(child)
		name := string(t.name(h.blob))
		if h.parent != n || h.prev != prev {
			c.fault("%q below %q: parent %d, want %d; previous %d, want %d", name, path, h.parent, n, h.prev, prev)
			return
		}
		count++
		nameBytes += int64(len(name))
		c.node(child, path+"/"+name)
		prev, child = child, h.next
	}
	if d.last != prev || d.children != count || d.nameBytes != nameBytes {
		c.fault("%q: last child %d, want %d; %d children, want %d; %d bytes of names, want %d",
			path, d.last, prev, d.children, count, d.nameBytes, nameBytes)
	}
}

func (c *checker) totals() {
	t := c.t
	if t.count != c.count {
		c.fault("%d znodes counted, want %d", t.count, c.count)
	}
	if t.dataSize != c.dataSize {
		c.fault("data size %d, want %d", t.dataSize, c.dataSize)
	}
	if m := t.memo; m.node != 0 && m.digest != t.digestOf(t.header(m.node)) {
		c.fault("znode %d is remembered with the digest %#x, want %#x", m.node, m.digest, t.digestOf(t.header(m.node)))
	}
	if t.digest != c.digest {
		c.fault("digest %#x, want %#x", t.digest, c.digest)
	}
}

func (c *checker) owners() {
	t := c.t
	listed := make(map[uint32]bool)
	ephemerals := 0
	for session, l := range t.owners.sessions {
		c.ownedBy(l, kindSession, listed, func(owner int64) bool { return owner == session })
		ephemerals += l.n
		if l.n == 0 {
			c.fault("session %#x is kept without ephemerals", session)
		}
	}
	if ephemerals != t.owners.ephemerals {
		c.fault("%d ephemerals counted, want %d", t.owners.ephemerals, ephemerals)
	}
	c.ownedBy(t.owners.containers, kindContainer, listed, func(int64) bool { return true })
	c.ownedBy(t.owners.ttls, kindTTL, listed, func(int64) bool { return true })
	for x := range c.extras {
		if has := t.extra(x).owner != 0; has != listed[x] {
			c.fault("extra %d has an owner: %v, is listed: %v", x, has, listed[x])
		}
	}
}

func (c *checker) ownedBy(l owned, k kind, listed map[uint32]bool, owns func(int64) bool) {
	prev, n := uint32(0), 0
	for x := l.first; x != 0; {
		e := c.t.extra(x)
		if !c.extras[x] || listed[x] || e.prev != prev || c.t.opt.kindOf(e.owner) != k || !owns(e.owner) {
			c.fault("extra %d of owner %#x stands in the wrong place of a list of kind %d", x, e.owner, k)
			return
		}
		listed[x] = true
		n++
		prev, x = x, e.next
	}
	if l.last != prev || l.n != n {
		c.fault("list of kind %d: last %d, want %d; length %d, want %d", k, l.last, prev, l.n, n)
	}
}

func (c *checker) lists() {
	a := &c.t.acls
	vacant, idle := make(map[uint32]bool), make(map[uint32]bool)
	for _, id := range a.vacant {
		vacant[id] = true
	}
	for _, id := range a.idle {
		idle[id] = true
	}
	for i, l := range a.lists {
		id := uint32(i)
		switch {
		case id == OpenACL:
		case l == nil || vacant[id]:
			if l != nil || !vacant[id] || c.uses[id] != 0 {
				c.fault("access control list %d is vacant and has %d uses", id, c.uses[id])
			}
		case l.uses != c.uses[id] || l.uses == 0 && !idle[id] || l.idle != idle[id] || a.byText[l.text] != id:
			c.fault("access control list %d: %d uses, want %d; idle %v; found as %d", id, l.uses, c.uses[id], l.idle, a.byText[l.text])
		}
	}
}

func (c *checker) quotas() {
	for path := range c.t.quotas {
		if c.t.Find(QuotaPath+path+"/"+limitsName) == 0 {
			c.fault("quota of %q without limits", path)
		}
	}
}

func (c *checker) shards() {
	x := c.t.index
	n, size := 0, int64(0)
	for i := range x.shards {
		s := &x.shards[i]
		n += int(s.n)
		size += int64(s.size())
		if s.mem != nil {
			c.shard(i, s)
		}
	}
	if n != c.count-1 || x.grower.n != n {
		c.fault("%d znodes in the index, want %d", n, c.count-1)
	}
	if size != x.bytes {
		c.fault("index of %d bytes, want %d", x.bytes, size)
	}
}

func (c *checker) shard(i int, s *shard) {
	n, before := uint32(0), uint64(0)
	for j := range s.slots {
		e := s.slot(j)
		if e != 0 {
			n++
			home := s.homeOf(uint32(e & 0xffff))
			if home > j || home < j && (before == 0 || before&0xffff > e&0xffff) {
				c.fault("shard %d: tag %#x, at home in %d, stands in %d after tag %#x", i, e&0xffff, home, j, before&0xffff)
			}
		}
		before = e
	}
	if n != s.n || before != 0 {
		c.fault("shard %d: %d znodes, want %d; last slot %#x", i, s.n, n, before)
	}
}

func checkTable[T any](c *checker, name string, t *table[T], want int) {
	n := 0
	listed := make(map[uint32]bool)
	for _, p := range t.avail {
		listed[p] = true
	}
	for p := range t.info.n {
		in := t.info.at(p)
		if in.listed != listed[p] || in.ref != 0 && in.free != 0 && !in.listed {
			c.fault("%s: page %d is listed: %v, free %#x", name, p, in.listed, in.free)
		}
		if in.ref != 0 {
			n += pageLen - bits.OnesCount64(in.free)
		}
	}
	if t.info.n > 0 {
		n-- // number 0
	}
	if n != want {
		c.fault("%s: %d in use, want %d", name, n, want)
	}
}

// memory compares what the slab gave with what the tree and its Views hold.
func (c *checker) memory() {
	t := c.t
	want := c.blobs + t.index.bytes + livePages(&t.headerTable) + livePages(&t.dirTable) + livePages(&t.extraTable)
	for _, v := range t.mvcc.views {
		for i := range v.dead.blocks {
			n := deadBlock
			if i == len(v.dead.blocks)-1 {
				n = v.dead.n
			}
			want += int64(slab.Size(deadBytes))
			for _, d := range v.dead.block(t.slab, i)[:n] {
				want += int64(slab.Size(int(d.size)))
			}
		}
	}
	if got := t.slab.Usage().Used; got != want {
		c.fault("%d bytes of the slab are in use, want %d", got, want)
	}
}

func livePages[T any](t *table[T]) int64 {
	n := int64(0)
	for p := range t.info.n {
		if t.info.at(p).ref != 0 {
			n += int64(slab.Size(pageBytes[T]()))
		}
	}
	return n
}
