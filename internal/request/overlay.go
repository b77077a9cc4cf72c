package request

import (
	"hash/maphash"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tree"
)

// change is what a znode will be once every transaction in flight is applied:
// what validating the next request needs to know of it.
type change struct {
	hash        uint64
	path        []byte
	zxid        int64 // the last transaction that touches it
	exists      bool
	stat        proto.StatPersisted
	crc         uint32 // over path and data: the part of the digest before the stat
	numChildren int32
	dataLen     int32
	acl         acl
	node        tree.Node // in the tree, if it is there since before all that is in flight
}

// digest is the znode's share in the tree's digest, 0 if it has none.
func (c *change) digest() uint64 {
	if !c.exists {
		return 0
	}
	return tree.NodeDigest(c.crc, &c.stat)
}

// overlay maps paths to the changes in flight. It belongs to whoever holds the
// pipeline's lock.
//
// Changes leave it in the order in which they came in, some time after the
// tree shows them: until then both say the same, so it does not matter when.
type overlay struct {
	seed  maphash.Seed
	table []*change // open addressing, linear probing; a power of two long
	used  int
	fifo  []touch // in zxid order
	head  int     // fifo[:head] are gone
	free  []*change
	// undo is filled while a multi is prepared, so that it can be taken back.
	undo      []undo
	recording bool
}

type touch struct {
	zxid int64
	c    *change
}

type undo struct {
	c   *change
	old change // before; a zero zxid means that it was not in the overlay
}

func newOverlay() *overlay {
	return &overlay{seed: maphash.MakeSeed(), table: make([]*change, 1024)}
}

func (o *overlay) find(path string) *change {
	if o.used == 0 {
		return nil
	}
	h := maphash.String(o.seed, path)
	mask := uint64(len(o.table) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		c := o.table[i]
		if c == nil {
			return nil
		}
		if c.hash == h && string(c.path) == path {
			return c
		}
	}
}

// put returns the change at path for the caller to fill, entered under zxid.
// was is its state so far; it may be the entry itself, the tree's view of the
// znode, or nil.
func (o *overlay) put(path string, zxid int64, was *change) *change {
	c := o.find(path)
	fresh := c == nil
	if fresh {
		c = o.insert(path)
	}
	if o.recording {
		u := undo{c: c}
		if !fresh {
			u.old = *c
		}
		o.undo = append(o.undo, u)
	}
	if was != nil && was != c {
		hash, own := c.hash, c.path
		*c = *was
		c.hash, c.path = hash, own
	}
	if c.zxid != zxid || fresh {
		c.zxid = zxid
		o.fifo = append(o.fifo, touch{zxid, c})
	}
	return c
}

func (o *overlay) insert(path string) *change {
	if 2*(o.used+1) > len(o.table) {
		o.grow()
	}
	var c *change
	if n := len(o.free); n > 0 {
		c, o.free = o.free[n-1], o.free[:n-1]
	} else {
		c = new(change)
	}
	*c = change{path: append(c.path[:0], path...), hash: maphash.String(o.seed, path)}
	o.place(c)
	o.used++
	return c
}

func (o *overlay) place(c *change) {
	mask := uint64(len(o.table) - 1)
	i := c.hash & mask
	for o.table[i] != nil {
		i = (i + 1) & mask
	}
	o.table[i] = c
}

func (o *overlay) grow() {
	old := o.table
	o.table = make([]*change, 2*len(old))
	for _, c := range old {
		if c != nil {
			o.place(c)
		}
	}
}

// remove takes c out and closes the gap that it leaves in its run of probes.
func (o *overlay) remove(c *change) {
	mask := uint64(len(o.table) - 1)
	i := c.hash & mask
	for o.table[i] != c {
		i = (i + 1) & mask
	}
	for j := i; ; {
		j = (j + 1) & mask
		next := o.table[j]
		if next == nil {
			break
		}
		if home := next.hash & mask; (j-home)&mask >= (j-i)&mask {
			o.table[i] = next
			i = j
		}
	}
	o.table[i] = nil
	o.used--
	c.acl = nil
	o.free = append(o.free, c)
}

// retire forgets what the tree shows up to and including zxid.
func (o *overlay) retire(zxid int64) {
	for o.head < len(o.fifo) && o.fifo[o.head].zxid <= zxid {
		t := o.fifo[o.head]
		o.fifo[o.head] = touch{}
		o.head++
		if t.c.zxid == t.zxid {
			o.remove(t.c)
		}
	}
	if o.head == len(o.fifo) {
		o.fifo, o.head = o.fifo[:0], 0
	} else if o.head > 4096 && o.head > len(o.fifo)/2 {
		n := copy(o.fifo, o.fifo[o.head:])
		clear(o.fifo[n:])
		o.fifo, o.head = o.fifo[:n], 0
	}
}

// begin starts to record, so that rollback can take back all that follows.
func (o *overlay) begin() {
	o.recording = true
	o.undo = o.undo[:0]
}

func (o *overlay) end() {
	o.recording = false
	clear(o.undo)
}

// rollback takes back everything since begin, which was all under zxid.
func (o *overlay) rollback(zxid int64) {
	for i := len(o.undo) - 1; i >= 0; i-- {
		u := &o.undo[i]
		if u.old.zxid == 0 {
			u.c.zxid = -1 // no touch in the fifo names it any more
			o.remove(u.c)
		} else {
			*u.c = u.old
		}
	}
	for len(o.fifo) > o.head && o.fifo[len(o.fifo)-1].zxid == zxid {
		o.fifo[len(o.fifo)-1] = touch{}
		o.fifo = o.fifo[:len(o.fifo)-1]
	}
	o.end()
}

// each calls f for every change in flight, in no order.
func (o *overlay) each(f func(*change)) {
	for i := o.head; i < len(o.fifo); i++ {
		if t := o.fifo[i]; t.c.zxid == t.zxid {
			f(t.c)
		}
	}
}
