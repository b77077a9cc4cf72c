package slab

import (
	"fmt"
	"math/bits"
	"unsafe"
)

// takeUnits finds k consecutive free units, k a power of two up to 16, aligned
// to k.
func (s *Slab) takeUnits(k int) uint32 {
	for {
		for i := s.hint; i < len(s.chunks); i++ {
			c := &s.chunks[i]
			if c.freeUnits == 0 {
				if i == s.hint {
					s.hint++
				}
				continue
			}
			if u, ok := c.findAligned(k); ok {
				s.mark(i, u, k)
				return uint32(i*chunkUnits + u)
			}
		}
		s.addChunk()
	}
}

// allocUnits hands out a large object: whole units, or, above a chunk's size,
// whole chunks.
func (s *Slab) allocUnits(n int) Ref {
	k := (n + unitSize - 1) / unitSize
	s.used += int64(k) * unitSize
	if k > chunkUnits {
		return s.allocChunks(n)
	}
	for {
		for i := s.hint; i < len(s.chunks); i++ {
			c := &s.chunks[i]
			if c.freeUnits < k {
				continue
			}
			if u, ok := c.findRun(k); ok {
				s.mark(i, u, k)
				return unitRef(uint32(i*chunkUnits + u))
			}
		}
		s.addChunk()
	}
}

func (s *Slab) freeUnits(r Ref, n int) {
	k := (n + unitSize - 1) / unitSize
	s.used -= int64(k) * unitSize
	if k > chunkUnits {
		s.freeChunks(int(r>>chunkShift), n)
		return
	}
	s.returnUnits(uint32(r>>unitShift), k)
}

func (s *Slab) mark(i, u, k int) {
	c := &s.chunks[i]
	if c.freeUnits == chunkUnits {
		s.empty--
	}
	for b := u; b < u+k; b++ {
		c.free[b/64] &^= 1 << (b % 64)
	}
	c.freeUnits -= k
	if half := chunkUnits / 2; c.freeUnits < half && c.freeUnits+k >= half {
		s.lookAhead()
	}
}

// lookAhead prepares the next chunk if it will be needed soon.
func (s *Slab) lookAhead() {
	if s.ahead.next != nil || s.empty > 0 || len(s.chunks) <= aheadFrom {
		return
	}
	if s.ahead.prepare(); s.ahead.next != nil {
		s.mapped += chunkSize
	}
}

func (s *Slab) returnUnits(u uint32, k int) {
	i, at := int(u/chunkUnits), int(u%chunkUnits)
	c := &s.chunks[i]
	for b := at; b < at+k; b++ {
		c.free[b/64] |= 1 << (b % 64)
	}
	c.freeUnits += k
	s.hint = min(s.hint, i)
	if c.freeUnits < chunkUnits {
		return
	}
	// One free chunk stays, so that a tree that breathes around a chunk's
	// border does not ask the system each time.
	if s.empty > 0 {
		s.release(i)
		return
	}
	s.empty++
}

// findAligned finds k consecutive free units aligned to k, k a power of two
// that divides 64.
func (c *chunk) findAligned(k int) (int, bool) {
	for w, free := range c.free {
		// Fold so that bit b says whether b..b+k-1 are all free.
		for j := 1; j < k; j *= 2 {
			free &= free >> j
		}
		if free &= alignedBits(k); free != 0 {
			return w*64 + bits.TrailingZeros64(free), true
		}
	}
	return 0, false
}

// alignedBits has every k-th bit set.
func alignedBits(k int) uint64 {
	m := uint64(1)
	for j := k; j < 64; j *= 2 {
		m |= m << j
	}
	return m
}

// findRun finds the first k consecutive free units.
func (c *chunk) findRun(k int) (int, bool) {
	run := 0
	for b := 0; b < chunkUnits; b++ {
		if c.free[b/64]&(1<<(b%64)) == 0 {
			run = 0
			continue
		}
		if run++; run == k {
			return b - k + 1, true
		}
	}
	return 0, false
}

func (s *Slab) addChunk() {
	i := s.chunkNumbers(1)
	mem := s.ahead.take()
	if mem == nil {
		mem = s.mapBytes(chunkSize)
	}
	c := chunk{mem: mem, freeUnits: chunkUnits, spans: new([chunkUnits]span)}
	for w := range c.free {
		c.free[w] = ^uint64(0)
	}
	s.chunks[i], s.bases[i] = c, unsafe.Pointer(unsafe.SliceData(mem))
	s.hint = min(s.hint, i)
	s.empty++
	if i == 0 {
		s.mark(0, 0, 1) // the unit that holds Ref 0, which means none
	}
}

func (s *Slab) release(i int) {
	s.ahead.rest()
	s.mapped -= int64(len(s.chunks[i].mem))
	unmapMemory(s.chunks[i].mem)
	s.chunks[i], s.bases[i] = chunk{}, nil
	s.vacant = append(s.vacant, uint32(i))
}

func (s *Slab) mapBytes(n int) []byte {
	mem, err := mapMemory(n)
	if err != nil {
		panic(fmt.Errorf("%w: asked the system for %d bytes beside %d: %w", ErrExhausted, n, s.mapped, err))
	}
	s.mapped += int64(n)
	return mem
}

// chunkNumbers reserves k consecutive chunk numbers.
func (s *Slab) chunkNumbers(k int) int {
	if k == 1 && len(s.vacant) > 0 {
		i := s.vacant[len(s.vacant)-1]
		s.vacant = s.vacant[:len(s.vacant)-1]
		return int(i)
	}
	i := len(s.chunks)
	if i+k > maxChunks {
		panic(fmt.Errorf("%w: %d chunks of %d bytes are in use", ErrExhausted, i, chunkSize))
	}
	s.chunks = append(s.chunks, make([]chunk, k)...)
	s.bases = append(s.bases, make([]unsafe.Pointer, k)...)
	return i
}

// allocChunks hands out an object that is larger than a chunk: a mapping of
// its own under consecutive chunk numbers.
func (s *Slab) allocChunks(n int) Ref {
	if len(s.chunks) == 0 {
		s.addChunk() // number 0, whose first Ref means none, is not for objects of this kind
	}
	k := (n + chunkSize - 1) / chunkSize
	i := s.chunkNumbers(k)
	mem := s.mapBytes(k * chunkSize)
	s.chunks[i].mem = mem
	for j := range k {
		s.bases[i+j] = unsafe.Pointer(&mem[j*chunkSize])
	}
	return Ref(i) << chunkShift
}

func (s *Slab) freeChunks(i, n int) {
	k := (n + chunkSize - 1) / chunkSize
	s.mapped -= int64(len(s.chunks[i].mem))
	unmapMemory(s.chunks[i].mem)
	for j := range k {
		s.chunks[i+j], s.bases[i+j] = chunk{}, nil
		s.vacant = append(s.vacant, uint32(i+j))
	}
}
