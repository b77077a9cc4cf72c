package tree

import (
	"math/bits"
	"unsafe"

	"github.com/quollhq/quoll/internal/slab"
)

// pageLen is how many records a page holds.
const pageLen = 64

type page[T any] [pageLen]T

// table numbers records of one kind, in pages that are copied before they are
// changed while a View can see them. Number 0 is never used.
type table[T any] struct {
	pages *[]*page[T] // a field of the current version
	info  blocks
	avail []uint32 // pages that had free records when they were put here
	empty []uint32 // page numbers without memory
	mvcc  *mvcc
	slab  *slab.Slab
}

type pageInfo struct {
	ref    slab.Ref
	born   uint32 // epoch in which this copy was made
	free   uint64 // a bit for each record
	fresh  uint64 // a bit for each record whose blob was made after this copy, as far as known
	listed bool   // in avail
}

// blocks is a list of pageInfo that grows without moving what it holds.
type blocks struct {
	list []*[blockLen]pageInfo
	n    uint32
}

const blockLen = 512

func (b *blocks) at(p uint32) *pageInfo { return &b.list[p/blockLen][p%blockLen] }

// add makes the list longer by one and returns its number.
func (b *blocks) add() uint32 {
	if b.n%blockLen == 0 {
		b.list = append(b.list, new([blockLen]pageInfo))
	}
	b.n++
	return b.n - 1
}

func pageBytes[T any]() int { return int(unsafe.Sizeof(page[T]{})) }

// add makes a record, zeroed, and returns its number.
func (t *table[T]) add() (uint32, *T) {
	for {
		if len(t.avail) == 0 {
			t.addPage()
		}
		p := t.avail[len(t.avail)-1]
		in := t.info.at(p)
		if in.free == 0 {
			in.listed = false
			t.avail = t.avail[:len(t.avail)-1]
			continue
		}
		i := uint32(bits.TrailingZeros64(in.free))
		in.free &^= 1 << i
		r := t.edit(p*pageLen + i)
		*r = *new(T)
		return p*pageLen + i, r
	}
}

// edit is the record n, for changing it.
func (t *table[T]) edit(n uint32) *T {
	p := n / pageLen
	if t.mvcc.newest != 0 && t.info.at(p).born <= t.mvcc.newest {
		t.copyPage(p)
	}
	return &(*t.pages)[p][n%pageLen]
}

// remove frees the record n.
func (t *table[T]) remove(n uint32) {
	p := n / pageLen
	in := t.info.at(p)
	in.free |= 1 << (n % pageLen)
	if in.free == ^uint64(0) {
		t.mvcc.retire(t.slab, in.ref, pageBytes[T](), in.born)
		(*t.pages)[p] = nil
		in.ref, in.free = 0, 0
		t.empty = append(t.empty, p)
		return
	}
	if !in.listed {
		in.listed = true
		t.avail = append(t.avail, p)
	}
}

func (t *table[T]) addPage() {
	ref := t.slab.Alloc(pageBytes[T]())
	pg := (*page[T])(t.slab.Pointer(ref))
	var p uint32
	if k := len(t.empty); k > 0 {
		p = t.empty[k-1]
		t.empty = t.empty[:k-1]
		(*t.pages)[p] = pg
	} else {
		p = t.info.add()
		*t.pages = append(*t.pages, pg)
	}
	free := ^uint64(0)
	if p == 0 {
		free = ^uint64(1)
	}
	*t.info.at(p) = pageInfo{ref: ref, born: t.mvcc.epoch, free: free, listed: true}
	t.avail = append(t.avail, p)
}

func (t *table[T]) copyPage(p uint32) {
	in := t.info.at(p)
	ref := t.slab.Alloc(pageBytes[T]())
	pg := (*page[T])(t.slab.Pointer(ref))
	*pg = *(*t.pages)[p]
	(*t.pages)[p] = pg
	t.mvcc.retire(t.slab, in.ref, pageBytes[T](), in.born)
	in.ref, in.born, in.fresh = ref, t.mvcc.epoch, 0
}

// used tells whether n is a record.
func (t *table[T]) used(n uint32) bool {
	p := n / pageLen
	return n != 0 && p < t.info.n && t.info.at(p).ref != 0 && t.info.at(p).free&(1<<(n%pageLen)) == 0
}
