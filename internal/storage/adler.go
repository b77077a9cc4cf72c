package storage

import "encoding/binary"

// Adler-32 as RFC 1950 defines it, 32 bytes at a time where the processor has
// AVX2, or eight. Apache's logs and snapshots carry it; it is on the way of every
// write and of every load, and the standard library's takes one addition after
// the other per byte.

const (
	adlerMod = 65521
	// adlerWords is how many words fit before a 16-bit lane overflows: the
	// lanes of the second sum reach 255*k*(k-1)/2.
	adlerWords = 22
	adlerBlock = adlerWords * 8
	// adlerSpan bytes can be summed in 64 bits without a modulo.
	adlerSpan = 1 << 20 / adlerBlock * adlerBlock
	adlerEven = 0x00ff00ff00ff00ff

	adlerVectorBlock = 32
	// adlerVectorMost is how many of its blocks fit before a 32-bit lane
	// overflows: eight bytes, in each block times the blocks after it, reach
	// 8*255*k*(k-1)/2.
	adlerVectorMost = 1 << 11
)

// adlerInit is the checksum of nothing.
const adlerInit uint32 = 1

// adler32 continues the checksum sum over b.
func adler32(sum uint32, b []byte) uint32 { return adlerSpans(sum, b, adlerVector) }

func adlerSpans(sum uint32, b []byte, vector bool) uint32 {
	s1, s2 := uint64(sum&0xffff), uint64(sum>>16)
	for len(b) > 0 {
		span := b[:min(len(b), adlerSpan)]
		b = b[len(span):]
		if vector {
			s1, s2, span = adlerVectors(s1, s2, span)
		}
		s1, s2 = adlerSum(s1, s2, span)
		s1 %= adlerMod
		s2 %= adlerMod
	}
	return uint32(s2<<16 | s1)
}

// adlerVectors sums all whole blocks of b, and gives the rest of it.
func adlerVectors(s1, s2 uint64, b []byte) (_, _ uint64, rest []byte) {
	for len(b) >= adlerVectorBlock {
		n := min(len(b)/adlerVectorBlock, adlerVectorMost)
		bytes, before, weighted := adlerBlocks(&b[0], n)
		s2 += uint64(n*adlerVectorBlock)*s1 + adlerVectorBlock*before + weighted
		s1 += bytes
		b = b[n*adlerVectorBlock:]
	}
	return s1, s2, b
}

func adlerSum(s1, s2 uint64, b []byte) (uint64, uint64) {
	for len(b) >= 16 {
		n := min(len(b), adlerBlock) &^ 15
		block := b[:n]
		b = b[n:]
		// Per lane: v sums the bytes at one place of every word, w sums v as
		// it was before each word, that is every byte times the words after it.
		var v0, v1, w0, w1 uint64
		for len(block) >= 16 {
			x, y := binary.LittleEndian.Uint64(block), binary.LittleEndian.Uint64(block[8:])
			block = block[16:]
			w0 += v0
			w1 += v1
			v0 += x & adlerEven
			v1 += x >> 8 & adlerEven
			w0 += v0
			w1 += v1
			v0 += y & adlerEven
			v1 += y >> 8 & adlerEven
		}
		s2 += uint64(n)*s1 + 8*(lanes(w0)+lanes(w1)) + weighted(v0, v1)
		s1 += lanes(v0) + lanes(v1)
	}
	for _, c := range b {
		s1 += uint64(c)
		s2 += s1
	}
	return s1, s2
}

// lanes adds up the four 16-bit lanes of x.
func lanes(x uint64) uint64 {
	x = x&0x0000ffff0000ffff + x>>16&0x0000ffff0000ffff
	return x&0xffffffff + x>>32
}

// weighted adds up the lanes, each times the number of bytes from its place to
// the end of the word: 8 for the first byte.
func weighted(even, odd uint64) uint64 {
	return even&0xffff*8 + even>>16&0xffff*6 + even>>32&0xffff*4 + even>>48*2 +
		odd&0xffff*7 + odd>>16&0xffff*5 + odd>>32&0xffff*3 + odd>>48
}
