package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"time"
)

// Sector is how many bytes a disk writes as a whole.
const Sector = 512

// inode is a file or a directory.
type inode struct {
	touched int // the operation that last opened it: stands for a time

	// Of a file: data is what is read. versions holds, for every sector that
	// changed since the last sync, what it was then and after every change;
	// sizes the same of the length.
	data     []byte
	versions map[int64][][]byte
	sizes    []int64
	lost     bool // a sync failed: no later one makes up for it

	// Of a directory: entries is what is seen, durable what a crash leaves at
	// least, pending the changes between them.
	entries, durable map[string]*inode
	pending          []dirOp
}

// dirOp takes the name from away, if not "", and sets to, if not "", to node.
type dirOp struct {
	from, to string
	node     *inode
}

func newDir() *inode {
	return &inode{entries: map[string]*inode{}, durable: map[string]*inode{}}
}

func newFile() *inode { return &inode{versions: map[int64][][]byte{}, sizes: []int64{0}} }

func (n *inode) isDir() bool { return n.entries != nil }

func (n *inode) info(name string) info {
	return info{name: name, size: int64(len(n.data)), dir: n.isDir(), mod: time.Unix(0, int64(n.touched)*1e6).UTC()}
}

func (o dirOp) apply(entries map[string]*inode) {
	if o.from != "" {
		delete(entries, o.from)
	}
	if o.to != "" {
		entries[o.to] = o.node
	}
}

func (n *inode) change(op dirOp) {
	op.apply(n.entries)
	n.pending = append(n.pending, op)
}

// settle makes the first k pending changes durable.
func (n *inode) settle(k int) {
	for _, op := range n.pending[:k] {
		op.apply(n.durable)
	}
	n.pending = n.pending[k:]
}

// sectorAt copies the sector s as it is now, with zeros behind the end.
func (n *inode) sectorAt(s int64) []byte {
	b := make([]byte, Sector)
	if off := s * Sector; off < int64(len(n.data)) {
		copy(b, n.data[off:])
	}
	return b
}

// changing runs change, which changes bytes from off to end, and keeps what
// was before and what is after it.
func (n *inode) changing(off, end int64, change func()) {
	for s := off / Sector; s*Sector < end; s++ {
		if n.versions[s] == nil {
			n.versions[s] = [][]byte{n.sectorAt(s)}
		}
	}
	change()
	for s := off / Sector; s*Sector < end; s++ {
		n.versions[s] = append(n.versions[s], n.sectorAt(s))
	}
	n.sizes = append(n.sizes, int64(len(n.data)))
}

func (d *Disk) write(n *inode, b []byte, off int64) {
	if len(b) == 0 {
		return
	}
	end := off + int64(len(b))
	n.changing(off, end, func() {
		d.grow(n, end)
		copy(n.data[off:], b)
	})
}

func (d *Disk) resize(n *inode, size int64) {
	old := int64(len(n.data))
	n.changing(size, max(size, old), func() {
		if size < old {
			n.data = n.data[:size:size]
			d.used -= old - size
			return
		}
		d.grow(n, size)
	})
}

func (d *Disk) grow(n *inode, size int64) {
	if more := size - int64(len(n.data)); more > 0 {
		n.data = append(n.data, make([]byte, more)...)
		d.used += more
	}
}

func (n *inode) sync() {
	if n.lost {
		return
	}
	clear(n.versions)
	n.sizes = append(n.sizes[:0], int64(len(n.data)))
}

// Crash is a power loss, and the next start. Every handle of before is stale.
func (d *Disk) Crash(rng *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.era++
	d.down, d.fault, d.used = false, nil, 0
	d.crash(d.root, rng)
}

func (d *Disk) crash(n *inode, rng *rand.Rand) {
	if !n.isDir() {
		n.crashFile(rng)
		d.used += int64(len(n.data))
		return
	}
	n.settle(rng.IntN(len(n.pending) + 1))
	n.pending = nil
	n.entries = maps.Clone(n.durable)
	for _, name := range sortedKeys(n.entries) {
		d.crash(n.entries[name], rng)
	}
}

// crashFile keeps a random version of every sector and of the length. Now and
// then everything or nothing is kept: the most likely cases.
func (n *inode) crashFile(rng *rand.Rand) {
	pick := func(k int) int { return rng.IntN(k) }
	switch rng.IntN(4) {
	case 0:
		pick = func(int) int { return 0 }
	case 1:
		pick = func(k int) int { return k - 1 }
	}
	size := n.sizes[pick(len(n.sizes))]
	data := make([]byte, size)
	copy(data, n.data)
	for _, s := range sortedKeys(n.versions) {
		if off := s * Sector; off < size {
			v := n.versions[s]
			copy(data[off:], v[pick(len(v))])
		}
	}
	n.data = data
	n.lost = false
	n.sync()
}

// Clone copies the disk, with what is not synced; a fault is not copied.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Disk{root: d.root.clone(map[*inode]*inode{}), ops: d.ops, used: d.used, capacity: d.capacity}
}

func (n *inode) clone(done map[*inode]*inode) *inode {
	if n == nil {
		return nil
	}
	if c := done[n]; c != nil {
		return c
	}
	c := &inode{touched: n.touched, lost: n.lost}
	done[n] = c
	if !n.isDir() {
		c.data = append([]byte(nil), n.data...)
		c.sizes = append([]int64(nil), n.sizes...)
		c.versions = map[int64][][]byte{}
		for s, v := range n.versions {
			c.versions[s] = append([][]byte(nil), v...)
		}
		return c
	}
	c.entries, c.durable = map[string]*inode{}, map[string]*inode{}
	for name, child := range n.entries {
		c.entries[name] = child.clone(done)
	}
	for name, child := range n.durable {
		c.durable[name] = child.clone(done)
	}
	for _, op := range n.pending {
		c.pending = append(c.pending, dirOp{op.from, op.to, op.node.clone(done)})
	}
	return c
}

// Content is what the file name holds, a copy.
func (d *Disk) Content(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(name)
	if n == nil || n.isDir() {
		return nil, fmt.Errorf("no file %s", name)
	}
	return append([]byte(nil), n.data...), nil
}

// SetContent makes the file name hold content, durably and past every fault:
// for what happens to a disk behind the back of its users.
func (d *Disk) SetContent(name string, content []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, base, err := d.parent("set", name)
	if err != nil {
		return err
	}
	n := dir.entries[base]
	if n == nil {
		n = newFile()
		dir.change(dirOp{to: base, node: n})
		dir.settle(len(dir.pending))
	}
	d.used += int64(len(content) - len(n.data))
	n.data = append([]byte(nil), content...)
	n.sync()
	return nil
}

// FlipBit changes one bit of a file.
func (d *Disk) FlipBit(name string, off int64, bit uint) error {
	b, err := d.Content(name)
	if err != nil {
		return err
	}
	b[off] ^= 1 << bit
	return d.SetContent(name, b)
}
