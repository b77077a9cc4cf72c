package tree

import "github.com/quollhq/quoll/internal/jute"

// NearBatch is how many paths Near takes at most: more waits for memory than
// that a processor has not under way.
const NearBatch = 32

// farFrom is the size in bytes of the index from which on Near is of use: a
// smaller tree is in the processor's caches as it is.
const farFrom = 512 << 10

// Far tells whether the tree is so large that Near is worth its while. The caller
// holds a lock.
func (t *Tree) Far() bool { return t.index.bytes >= farFrom }

// Near has the processor fetch what it needs to find these paths, NearBatch at
// most, and to read what is there: in a tree that is larger than its caches it
// waits for memory three times for each, for the index, the header and the blob.
// One after the other that takes most of the time of a Find; Near lets the waits
// overlap. The caller holds a lock; paths may be anything.
func (t *Tree) Near(paths []string) {
	var places [NearBatch]place
	var nodes [NearBatch]Node
	touched := uint64(0)
	for i, p := range paths {
		places[i] = t.index.place(p)
	}
	// Short loops: the processor looks so far ahead that many of their loads are under way.
	for i := range paths {
		if s := places[i].shard; s.n > 0 {
			touched |= s.slot(s.homeOf(places[i].tag))
		}
	}
	for i := range paths {
		nodes[i] = places[i].shard.first(places[i].tag)
		touched |= uint64(t.header(nodes[i]).blob) // that of number 0 is never read for good
	}
	for _, n := range nodes[:len(paths)] {
		if n != 0 {
			touched |= uint64(*(*byte)(t.mem.Pointer(t.header(n).blob)))
		}
	}
	keep(touched)
}

// first is the first number with this tag, 0 if there is none.
func (s *shard) first(tag uint32) Node {
	if s.n == 0 {
		return 0
	}
	for i := s.homeOf(tag); ; i++ {
		e := s.slot(i)
		if e == 0 || uint32(e&0xffff) > tag {
			return 0
		}
		if uint32(e&0xffff) == tag {
			return Node(e >> 16)
		}
	}
}

// keep uses x, so that the reads that it was made of are not left out.
//
//go:noinline
func keep(uint64) {}

// Nearer gathers paths for Near. It is made for the stack of who holds the tree's
// lock, and of use if Far.
type Nearer struct {
	Tree  *Tree
	n     int
	paths [NearBatch]string
}

// Add takes the string that b begins with: of requests and transactions, that of
// nearly all is a path, and what is none is found nowhere. b must stay as it is
// until Fetch.
func (n *Nearer) Add(b []byte) {
	d := jute.NewDecoder(b)
	if n.paths[n.n] = d.AliasString(); n.paths[n.n] == "" {
		return
	}
	if n.n++; n.n == len(n.paths) {
		n.Fetch()
	}
}

// Fetch calls Near for what was added.
func (n *Nearer) Fetch() {
	n.Tree.Near(n.paths[:n.n])
	n.n = 0
}
