package tree

// findBatch is how many paths FindAll looks for at once.
const findBatch = 32

// FindAll sets nodes[i] to what Find yields for paths[i]. In a tree that is
// larger than the processor's caches a Find waits for memory three times, for
// the index, the header and the blob; FindAll lets the waits of many paths
// overlap, and leaves what it found near the processor for who reads it next.
func (t *Tree) FindAll(nodes []Node, paths []string) {
	for len(paths) > findBatch {
		t.findSome(nodes, paths[:findBatch])
		nodes, paths = nodes[findBatch:], paths[findBatch:]
	}
	t.findSome(nodes, paths)
}

func (t *Tree) findSome(nodes []Node, paths []string) {
	nodes = nodes[:len(paths)]
	var places [findBatch]place
	touched := uint64(0)
	for i, p := range paths {
		pl := t.index.place(p)
		places[i] = pl
		if pl.shard.n > 0 {
			touched |= pl.shard.slot(pl.shard.homeOf(pl.tag))
		}
	}
	for i := range paths {
		nodes[i] = places[i].shard.first(places[i].tag)
		touched |= uint64(t.header(nodes[i]).blob) // that of number 0 is never read for good
	}
	for _, n := range nodes {
		if n != 0 {
			h := t.header(n)
			touched |= uint64(*(*byte)(t.mem.Pointer(h.blob)))
		}
	}
	for i, p := range paths {
		if nodes[i] == 0 || !t.hasPath(nodes[i], p) {
			nodes[i] = t.Find(p)
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
