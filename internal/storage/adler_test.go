package storage

import (
	"fmt"
	stdadler "hash/adler32"
	"math/rand/v2"
	"testing"
)

func TestAdlerAgreesWithTheStandardLibrary(t *testing.T) {
	t.Run("as this processor does it", func(t *testing.T) { testAdler(t, adler32) })
	t.Run("without vectors", func(t *testing.T) {
		testAdler(t, func(sum uint32, b []byte) uint32 { return adlerSpans(sum, b, false) })
	})
}

func testAdler(t *testing.T, adler32 func(uint32, []byte) uint32) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, fill := range []string{"zeros", "ones", "random"} {
		b := make([]byte, 3<<20)
		for i := range b {
			switch fill {
			case "ones":
				b[i] = 0xff
			case "random":
				b[i] = byte(rng.Uint32())
			}
		}
		for n := range 1000 {
			if got, want := adler32(adlerInit, b[:n]), stdadler.Checksum(b[:n]); got != want {
				t.Fatalf("%s, %d bytes: %08x, want %08x", fill, n, got, want)
			}
		}
		if got, want := adler32(adlerInit, b), stdadler.Checksum(b); got != want {
			t.Fatalf("%s, all: %08x, want %08x", fill, got, want)
		}
		cut := rng.IntN(len(b))
		if got, want := adler32(adler32(adlerInit, b[:cut]), b[cut:]), stdadler.Checksum(b); got != want {
			t.Fatalf("%s, continued at %d: %08x, want %08x", fill, cut, got, want)
		}
	}
}

func BenchmarkAdler(b *testing.B) {
	for _, n := range []int{200, 1 << 20} {
		buf := make([]byte, n)
		for i := range buf {
			buf[i] = byte(i * 31)
		}
		b.Run(fmt.Sprintf("quoll-%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				adler32(adlerInit, buf)
			}
		})
		b.Run(fmt.Sprintf("std-%d", n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				stdadler.Checksum(buf)
			}
		})
	}
}
