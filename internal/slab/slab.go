// Package slab hands out memory that Go's collector neither scans nor counts.
//
// Memory comes from the system in chunks of 4 MiB. A chunk is divided into
// units of 16 KiB; a run of units is a span, which holds objects of one size
// class, or one large object. Objects are named by a Ref, half as large as a
// pointer, and hold no Go pointers.
//
//	chunk  | unit | unit | unit ... 256
//	span   = 1, 2, 4, 8 or 16 units, aligned to its size
//	object = 8, 16 ... 256, 288, 320 ... 65536 bytes; above that whole units
//
// An object does not know its size: whoever frees it says how large it is. A
// span whose objects are all free goes back to its chunk, and a chunk that is
// wholly free back to the system, so that memory follows what is in use even
// if sizes change over time.
package slab

import (
	"errors"
	"fmt"
	"math/bits"
	"unsafe"
)

// Ref names an object: its chunk and its offset there in steps of 8 bytes.
// Zero is none.
type Ref uint32

const (
	granule     = 8
	unitSize    = 16 << 10
	chunkSize   = 4 << 20
	chunkUnits  = chunkSize / unitSize
	chunkShift  = 19 // log2(chunkSize / granule)
	unitShift   = 11 // log2(unitSize / granule)
	chunkMask   = 1<<chunkShift - 1
	maxChunks   = 1 << (32 - chunkShift)
	wordsOfFree = chunkUnits / 64
)

// ErrExhausted marks the panic that ends a process which needs more memory
// than the system gives, or than a Slab can address (32 GiB).
var ErrExhausted = errors.New("out of memory for znodes")

// span is what is known of a run of units that holds objects of one class.
// It is kept at the run's first unit.
type span struct {
	free       Ref    // first free object; each one's first bytes name the next
	fresh      uint16 // objects from here on were never handed out
	live       uint16
	class      uint8 // plus one; 0: no span starts at this unit
	partial    bool  // linked in its class's list of spans with free objects
	next, prev uint32
}

type chunk struct {
	mem       []byte // what the system gave; nil: part of a larger mapping, or vacant
	free      [wordsOfFree]uint64
	freeUnits int
	spans     *[chunkUnits]span // nil: belongs to one huge object, or vacant
}

// Reader finds objects. A copy of a Slab's Reader finds those that lived when
// it was copied for as long as they live, without any lock, while the Slab goes
// on.
type Reader struct {
	bases []unsafe.Pointer // by chunk
}

// Pointer is the address of an object. It is valid until the object is freed.
func (rd *Reader) Pointer(r Ref) unsafe.Pointer {
	return unsafe.Add(rd.bases[r>>chunkShift], uintptr(r&chunkMask)*granule)
}

// Bytes is the first n bytes of an object.
func (rd *Reader) Bytes(r Ref, n int) []byte {
	return unsafe.Slice((*byte)(rd.Pointer(r)), n)
}

// Slab is an allocator. It is not safe for concurrent use, except that its
// Reader may be used, and not copied, beside others that only read.
type Slab struct {
	Reader
	chunks  []chunk
	vacant  []uint32 // chunk numbers to use again
	partial [classCount]uint32
	hint    int // no chunk before this one has free units
	empty   int // wholly free chunks kept mapped
	mapped  int64
	used    int64
	poison  bool
	ahead   ahead
}

// New makes a Slab that has taken no memory so far.
func New() *Slab { return &Slab{} }

// NewPoisoned makes a Slab that overwrites every object when it is freed, so
// that tests see what is used after that.
func NewPoisoned() *Slab { return &Slab{poison: true} }

// Usage is what a Slab holds, in bytes: taken from the system and handed out
// (rounded up to classes).
type Usage struct{ Mapped, Used int64 }

// Usage tells what the Slab holds.
func (s *Slab) Usage() Usage { return Usage{Mapped: s.mapped, Used: s.used} }

// Alloc hands out an object of at least n bytes and arbitrary content. It is
// aligned to 8 bytes, and to n if n is a power of two from 16 to 4096.
// Alloc panics with an error that wraps ErrExhausted when there is no memory.
func (s *Slab) Alloc(n int) Ref {
	if n > maxClass {
		return s.allocUnits(n)
	}
	c := classOf(n)
	s.used += int64(classSizes[c])
	u := s.partial[c]
	if u == 0 {
		u = s.newSpan(c)
	}
	sp := s.span(u - 1)
	r := sp.free
	if r != 0 {
		sp.free = *(*Ref)(s.Pointer(r))
	} else {
		r = unitRef(u-1) + Ref(sp.fresh)*Ref(classSizes[c]/granule)
		sp.fresh++
	}
	sp.live++
	if sp.free == 0 && sp.fresh == classObjects[c] {
		s.unlink(u-1, sp)
	}
	return r
}

// Free takes back an object for which Alloc was asked for n bytes, or for any
// other n with the same Size.
func (s *Slab) Free(r Ref, n int) {
	if s.poison {
		b := s.Bytes(r, Size(n))
		for i := range b {
			b[i] = 0xdb
		}
	}
	if n > maxClass {
		s.freeUnits(r, n)
		return
	}
	c := classOf(n)
	s.used -= int64(classSizes[c])
	u := uint32(r>>unitShift) &^ (uint32(classUnits[c]) - 1)
	sp := s.span(u)
	if int(sp.class) != c+1 || sp.live == 0 {
		panic(fmt.Sprintf("slab: object %#x of %d bytes freed in a span of class %d with %d live objects", r, n, int(sp.class)-1, sp.live))
	}
	*(*Ref)(s.Pointer(r)) = sp.free
	sp.free = r
	sp.live--
	if sp.live == 0 {
		s.dropSpan(u, sp)
	} else if !sp.partial {
		s.link(u, sp)
	}
}

// Close gives all memory back. No object may be used after that.
func (s *Slab) Close() {
	s.ahead.close()
	for i := range s.chunks {
		if s.chunks[i].mem != nil {
			unmapMemory(s.chunks[i].mem)
		}
	}
	*s = Slab{poison: s.poison}
}

func (s *Slab) span(u uint32) *span {
	return &s.chunks[u/chunkUnits].spans[u%chunkUnits]
}

func unitRef(u uint32) Ref { return Ref(u) << unitShift }

// link puts a span in front of its class's list of those with free objects.
// Lists hold unit numbers plus one.
func (s *Slab) link(u uint32, sp *span) {
	head := &s.partial[sp.class-1]
	sp.partial, sp.prev, sp.next = true, 0, *head
	if *head != 0 {
		s.span(*head - 1).prev = u + 1
	}
	*head = u + 1
}

func (s *Slab) unlink(u uint32, sp *span) {
	if sp.prev != 0 {
		s.span(sp.prev - 1).next = sp.next
	} else {
		s.partial[sp.class-1] = sp.next
	}
	if sp.next != 0 {
		s.span(sp.next - 1).prev = sp.prev
	}
	sp.partial, sp.prev, sp.next = false, 0, 0
}

// newSpan makes a span for class c and returns its unit plus one.
func (s *Slab) newSpan(c int) uint32 {
	u := s.takeUnits(int(classUnits[c]))
	sp := s.span(u)
	*sp = span{class: uint8(c + 1)}
	s.link(u, sp)
	return u + 1
}

func (s *Slab) dropSpan(u uint32, sp *span) {
	if sp.partial {
		s.unlink(u, sp)
	}
	units := int(classUnits[sp.class-1])
	sp.class = 0
	s.returnUnits(u, units)
}

// Size is how many bytes an object takes for which n are asked.
func Size(n int) int {
	if n > maxClass {
		return (n + unitSize - 1) &^ (unitSize - 1)
	}
	return int(classSizes[classOf(n)])
}

const (
	smallMax   = 256
	smallCount = smallMax / granule
	stepBits   = 3 // above smallMax: 8 classes for each doubling
	maxClass   = 64 << 10
	classCount = smallCount + 8<<stepBits
)

// classOf is the class of objects of n bytes, n <= maxClass.
func classOf(n int) int {
	if n <= smallMax {
		return max(n-1, 0) / granule
	}
	e := bits.Len(uint(n-1)) - 1 // 2^e <= n-1 < 2^(e+1), e >= 8
	return smallCount + (e-8)<<stepBits + (n-1)>>(e-stepBits) - 1<<stepBits
}

var classSizes, classUnits, classObjects = layOutClasses()

// layOutClasses picks for each class the shortest span that loses at most
// 1/128 at its end and holds at least 8 objects, or 16 units.
func layOutClasses() (sizes [classCount]uint32, units [classCount]uint8, objects [classCount]uint16) {
	for c := range sizes {
		if c < smallCount {
			sizes[c] = uint32(c+1) * granule
		} else {
			i := c - smallCount
			sizes[c] = uint32(1<<stepBits+i&(1<<stepBits-1)+1) << (8 - stepBits + i>>stepBits)
		}
		k := uint32(1)
		for k < 16 && (k*unitSize%sizes[c] > k*unitSize/128 || k*unitSize/sizes[c] < 8) {
			k *= 2
		}
		units[c], objects[c] = uint8(k), uint16(k*unitSize/sizes[c])
	}
	return sizes, units, objects
}
