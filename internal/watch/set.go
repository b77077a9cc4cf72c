package watch

import (
	"math/bits"
	"slices"
)

// set is a set of watchers. Most sets have one member, some have many:
//
//	0            empty
//	one | id     a single member
//	ref          a block in the arena of the set's shard:
//
//	  word 0     number of members, and bitmap in the top bit
//	  word 1     words of the block
//	  word 2...  ascending ids, or a bit for each id
//
// Numbers of watchers are dense, so that a bitmap is never much larger than the
// list that it replaces.
type set uint32

const (
	one    set    = 1 << 31
	bitmap uint32 = 1 << 31

	headWords  = 2
	bitmapFrom = 63   // members with which a list may become a bitmap
	listBelow  = 31   // members with which a bitmap becomes a list again
	maxList    = 4096 // members with which a list becomes a bitmap at any rate
)

// maxID is the largest number of a watcher.
const maxID = ID(one) - 1

func (s set) single() bool { return s&one != 0 }

// block is the whole block of s, and its number of members.
func (a *arena) block(s set) (w []uint32, n int, isBitmap bool) {
	h := a.words(ref(s), headWords)
	return a.words(ref(s), int(h[1])), int(h[0] &^ bitmap), h[0]&bitmap != 0
}

// newBlock makes a block with room for n words behind the head. Its words are
// not cleared.
func (a *arena) newBlock(n int) (set, []uint32) {
	_, size := class(headWords + n)
	r := a.alloc(size)
	w := a.words(r, size)
	w[0], w[1] = 0, uint32(size)
	return set(r), w
}

// size is the number of members.
func (a *arena) size(s set) int {
	switch {
	case s == 0:
		return 0
	case s.single():
		return 1
	}
	return int(a.words(ref(s), 1)[0] &^ bitmap)
}

// has tells whether id is a member.
func (a *arena) has(s set, id ID) bool {
	if s == 0 {
		return false
	}
	if s.single() {
		return s == one|set(id)
	}
	w, n, isBitmap := a.block(s)
	if isBitmap {
		i := headWords + int(id>>5)
		return i < len(w) && w[i]>>(id&31)&1 != 0
	}
	_, found := slices.BinarySearch(w[headWords:headWords+n], uint32(id))
	return found
}

// each calls f for every member, in ascending order.
func (a *arena) each(s set, f func(ID)) {
	if s == 0 {
		return
	}
	if s.single() {
		f(ID(s &^ one))
		return
	}
	w, n, isBitmap := a.block(s)
	if !isBitmap {
		for _, id := range w[headWords : headWords+n] {
			f(ID(id))
		}
		return
	}
	for i, word := range w[headWords:] {
		for ; word != 0; word &= word - 1 {
			f(ID(i<<5 + bits.TrailingZeros32(word)))
		}
	}
}

// insert adds id. It gives the set as it is now, and whether id is new in it.
func (a *arena) insert(s set, id ID) (set, bool) {
	if s == 0 {
		return one | set(id), true
	}
	if s.single() {
		return a.insertSecond(s, id)
	}
	w, n, isBitmap := a.block(s)
	if isBitmap {
		return a.insertBit(s, w, id)
	}
	ids := w[headWords : headWords+n]
	at, found := slices.BinarySearch(ids, uint32(id))
	if found {
		return s, false
	}
	if top := max(id, ID(ids[n-1])); n >= maxList || n >= bitmapFrom && int(top>>5) < 2*n {
		s = a.toBitmap(s, top)
		w, _, _ = a.block(s)
		return a.insertBit(s, w, id)
	}
	if headWords+n == len(w) {
		s, w = a.grow(s, n+1)
	}
	copy(w[headWords+at+1:], w[headWords+at:headWords+n])
	w[headWords+at] = uint32(id)
	w[0]++
	return s, true
}

func (a *arena) insertSecond(s set, id ID) (set, bool) {
	first := ID(s &^ one)
	if first == id {
		return s, false
	}
	s, w := a.newBlock(2)
	w[0], w[headWords], w[headWords+1] = 2, uint32(min(first, id)), uint32(max(first, id))
	return s, true
}

// grow moves s to a block with room for n words behind the head.
func (a *arena) grow(s set, n int) (set, []uint32) {
	old, _, _ := a.block(s)
	grown, w := a.newBlock(n)
	w[0] = old[0]
	clear(w[headWords+copy(w[headWords:], old[headWords:]):])
	a.release(ref(s), len(old))
	return grown, w
}

func (a *arena) insertBit(s set, w []uint32, id ID) (set, bool) {
	i := headWords + int(id>>5)
	if i >= len(w) {
		// A quarter more than is needed, so that growing is rare.
		s, w = a.grow(s, int(id>>5)*5/4+1)
	}
	if w[i]>>(id&31)&1 != 0 {
		return s, false
	}
	w[i] |= 1 << (id & 31)
	w[0]++
	return s, true
}

// toBitmap makes a bitmap with room for top out of a list.
func (a *arena) toBitmap(s set, top ID) set {
	old, n, _ := a.block(s)
	b, w := a.newBlock(int(top>>5) + 1)
	w[0] = bitmap | uint32(n)
	clear(w[headWords:])
	for _, id := range old[headWords : headWords+n] {
		w[headWords+int(id>>5)] |= 1 << (id & 31)
	}
	a.release(ref(s), len(old))
	return b
}

// toList makes a list out of a bitmap.
func (a *arena) toList(s set) set {
	old, n, _ := a.block(s)
	l, w := a.newBlock(n)
	w[0] = uint32(n)
	at := headWords
	a.each(s, func(id ID) {
		w[at] = uint32(id)
		at++
	})
	a.release(ref(s), len(old))
	return l
}

// remove takes id out. It gives the set as it is now, and whether id was in it.
func (a *arena) remove(s set, id ID) (set, bool) {
	if !a.has(s, id) {
		return s, false
	}
	if s.single() {
		return 0, true
	}
	w, n, isBitmap := a.block(s)
	w[0]--
	if isBitmap {
		w[headWords+int(id>>5)] &^= 1 << (id & 31)
		if n-1 < listBelow {
			s = a.toList(s)
		}
		return s, true
	}
	ids := w[headWords : headWords+n]
	at, _ := slices.BinarySearch(ids, uint32(id))
	copy(ids[at:], ids[at+1:])
	if n == 2 {
		last := ids[0]
		a.drop(s)
		return one | set(last), true
	}
	return s, true
}

// drop frees the set.
func (a *arena) drop(s set) {
	if s != 0 && !s.single() {
		a.release(ref(s), int(a.words(ref(s), headWords)[1]))
	}
}
