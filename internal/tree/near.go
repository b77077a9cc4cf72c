package tree

import (
	"unsafe"

	"github.com/quollhq/quoll/internal/jute"
)

// nearBatch is how many paths are looked for at once: more waits for memory than
// that a processor has not under way.
const nearBatch = 32

// nearFrom is the size in bytes of the index from which on Near does anything, that of
// some 4,000 znodes: a smaller tree is in the processor's caches as it is.
const nearFrom = 32 << 10

// Near has the processor fetch what it needs to find the paths that n requests or
// transactions begin with, and to read what is there: in a tree that is larger than
// its caches it waits for memory three times for each, for the index, the header and
// the blob. One after the other that takes most of the time of a Find; Near lets the
// waits overlap. A body that begins with something else does no harm: that is found
// nowhere. The caller holds a lock.
func (t *Tree) Near(n int, body func(i int) []byte) {
	if n < 2 || t.index.bytes < nearFrom {
		return
	}
	for from := 0; from < n; from += nearBatch {
		var bodies [nearBatch][]byte
		touched, batch := uint64(0), min(nearBatch, n-from)
		for i := range batch {
			bodies[i] = body(from + i)
			touched |= fetchBody(bodies[i])
		}
		keep(touched)
		var paths [nearBatch]string
		k := 0
		for _, b := range bodies[:batch] {
			d := jute.NewDecoder(b)
			if paths[k] = d.AliasString(); paths[k] != "" {
				k++
			}
		}
		t.near(paths[:k])
	}
}

// fetchBody reads the lines of the cache that a body lies in, as far as one has about a
// hundred bytes of data: another processor has written it.
func fetchBody(b []byte) (touched uint64) {
	const line, most = 64, 256
	for at := 0; at < min(len(b), most); at += line {
		touched |= uint64(b[at])
	}
	return touched
}

// near is Near for at most nearBatch paths, which may be anything.
func (t *Tree) near(paths []string) {
	var places [nearBatch]place
	var nodes [nearBatch]Node
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
			touched |= fetchBlob(t.mem.Pointer(t.header(n).blob))
		}
	}
	keep(touched)
}

// fetchBlob reads the line of the cache that a blob begins in and, unless that is in
// another page, the next one: the name most often ends there.
func fetchBlob(p unsafe.Pointer) uint64 {
	const line, page = 64, 4096
	b := uint64(*(*byte)(p))
	if uintptr(p)%page < page-line {
		b |= uint64(*(*byte)(unsafe.Add(p, line)))
	}
	return b
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
