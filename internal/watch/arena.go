package watch

import (
	"fmt"
	"math/bits"
	"unsafe"
)

// ref is the place of a block in an arena: its page above pageBits, the offset
// in words below. 0 is no block.
type ref uint32

const (
	pageBits  = 10
	pageWords = 1 << pageBits
	// maxPages keeps the top bit of a ref free, which set uses.
	maxPages = 1 << (31 - pageBits)

	smallWords = 32 // up to here a class is two words wide
	classes    = smallWords/2 + 1 + 5
)

// arena hands out blocks of 32-bit words from pages of a memory. A freed block
// goes to the list of its class and is used again. Blocks of more than a page
// have a page of their own, which is given back when they are freed.
type arena struct {
	mem    *memory
	pages  []piece[uint32]
	free   [classes]ref // freed blocks, linked by their first word
	vacant []uint32     // numbers of pages given back
	tail   ref          // the unused rest of the youngest page
	left   int          // its words
}

// class gives the class of blocks that hold n words, and their size; the size
// alone counts for blocks larger than a page.
func class(n int) (c, size int) {
	switch {
	case n <= 2:
		return 1, 2
	case n <= smallWords:
		return (n + 1) / 2, (n + 1) &^ 1
	case n <= pageWords:
		b := bits.Len(uint(n - 1))
		return smallWords/2 + b - 5, 1 << b
	}
	return 0, (n + pageWords - 1) &^ (pageWords - 1)
}

// alloc gives a block of at least n words, not cleared.
func (a *arena) alloc(n int) ref {
	c, size := class(n)
	if c == 0 {
		return a.page(size)
	}
	if r := a.free[c]; r != 0 {
		a.free[c] = ref(a.words(r, 1)[0])
		return r
	}
	if a.left < size {
		a.keepTail()
		a.tail, a.left = a.page(pageWords), pageWords
	}
	r := a.tail
	a.tail += ref(size)
	a.left -= size
	return r
}

// page adds a page and gives its first word.
func (a *arena) page(size int) ref {
	p := take[uint32](a.mem, size)
	if n := len(a.vacant); n > 0 {
		i := a.vacant[n-1]
		a.vacant = a.vacant[:n-1]
		a.pages[i] = p
		return ref(i << pageBits)
	}
	if len(a.pages) == 0 {
		a.pages = append(a.pages, piece[uint32]{}) // block 0 is no block
	}
	if len(a.pages) == maxPages {
		panic(fmt.Sprintf("watch: arena is full: %d pages of %d words", maxPages, pageWords))
	}
	a.pages = append(a.pages, p)
	return ref((len(a.pages) - 1) << pageBits)
}

// keepTail makes free blocks of what is left of the youngest page.
func (a *arena) keepTail() {
	for a.left > 0 {
		n := min(a.left, smallWords)
		a.release(a.tail, n)
		a.tail += ref(n)
		a.left -= n
	}
}

// release frees a block of which n words were asked for.
func (a *arena) release(r ref, n int) {
	c, _ := class(n)
	if c == 0 {
		i := uint32(r >> pageBits)
		give(a.mem, a.pages[i])
		a.pages[i] = piece[uint32]{}
		a.vacant = append(a.vacant, i)
		return
	}
	a.words(r, 1)[0] = uint32(a.free[c])
	a.free[c] = r
}

// words is the first n words of the block at r, valid until it is released.
func (a *arena) words(r ref, n int) []uint32 {
	off := int(r & (pageWords - 1))
	return a.pages[r>>pageBits].items[off : off+n : off+n]
}

// empty forgets all blocks.
func (a *arena) empty() {
	for _, p := range a.pages {
		give(a.mem, p)
	}
	*a = arena{mem: a.mem}
}

// putString copies s into a new block.
func (a *arena) putString(s string) ref {
	r := a.alloc((len(s) + 3) / 4)
	copy(a.bytes(r, len(s)), s)
	return r
}

// releaseString frees what putString made of a string of n bytes.
func (a *arena) releaseString(r ref, n int) { a.release(r, (n+3)/4) }

// bytes is the string of n bytes at r, valid until it is released.
func (a *arena) bytes(r ref, n int) []byte {
	if n == 0 {
		return nil
	}
	w := a.words(r, (n+3)/4)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(w))), n)
}
