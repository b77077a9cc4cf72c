package slab

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

func TestClasses(t *testing.T) {
	for n := 0; n <= maxClass; n++ {
		c := classOf(n)
		if size := int(classSizes[c]); size < n {
			t.Fatalf("%d bytes are given %d", n, size)
		}
		if c > 0 && int(classSizes[c-1]) >= n && n > 0 {
			t.Fatalf("%d bytes would fit %d, are given %d", n, classSizes[c-1], classSizes[c])
		}
	}
	for c, size := range classSizes {
		if c > 0 && size <= classSizes[c-1] {
			t.Fatalf("class %d of %d bytes follows %d", c, size, classSizes[c-1])
		}
		span := int(classUnits[c]) * unitSize
		if used := int(classObjects[c]) * int(size); used > span || span-used > span/64 && classUnits[c] < 16 {
			t.Fatalf("class %d: %d bytes used of a span of %d", c, used, span)
		}
	}
}

func TestAlignment(t *testing.T) {
	s := New()
	defer s.Close()
	for n := 16; n <= 4096; n *= 2 {
		for range 3 {
			if p := uintptr(s.Pointer(s.Alloc(n))); p%uintptr(n) != 0 {
				t.Fatalf("object of %d bytes at %#x", n, p)
			}
		}
	}
}

type object struct {
	ref  Ref
	size int
	fill byte
}

func fill(s *Slab, o object) {
	b := s.Bytes(o.ref, o.size)
	for i := range b {
		b[i] = o.fill
	}
}

func checkFill(t *testing.T, s *Slab, o object) {
	t.Helper()
	b := s.Bytes(o.ref, o.size)
	if !bytes.Equal(b, bytes.Repeat([]byte{o.fill}, o.size)) {
		t.Fatalf("object %#x of %d bytes was overwritten", o.ref, o.size)
	}
}

func randomSize(r *rand.Rand) int {
	switch r.IntN(80) {
	case 0:
		return r.IntN(5 << 20)
	case 1, 2:
		return r.IntN(1 << 20)
	case 3, 4, 5:
		return r.IntN(80 << 10)
	}
	return 1 + r.IntN(600)
}

// Objects keep their content among many others that come and go, and all
// memory is accounted for at any time.
func TestRandom(t *testing.T) {
	s := NewPoisoned()
	defer s.Close()
	r := rand.New(rand.NewPCG(1, 2))
	var live []object
	used := int64(0)
	for i := range 6000 {
		grow := i/600%2 == 0
		if len(live) == 0 || r.IntN(10) < 6 == grow {
			o := object{size: randomSize(r), fill: byte(i)}
			o.ref = s.Alloc(o.size)
			if o.ref == 0 {
				t.Fatal("handed out the Ref that means none")
			}
			used += int64(Size(o.size))
			fill(s, o)
			live = append(live, o)
			continue
		}
		j := r.IntN(len(live))
		o := live[j]
		checkFill(t, s, o)
		s.Free(o.ref, o.size)
		used -= int64(Size(o.size))
		live[j] = live[len(live)-1]
		live = live[:len(live)-1]
		if u := s.Usage(); u.Used != used || u.Mapped < used {
			t.Fatalf("usage %+v, %d bytes are live", u, used)
		}
	}
	for _, o := range live {
		checkFill(t, s, o)
		s.Free(o.ref, o.size)
	}
	// What stays: the chunk with the reserved unit and one in reserve.
	if u := s.Usage(); u.Used != 0 || u.Mapped > 2*chunkSize {
		t.Fatalf("usage %+v after everything was freed", u)
	}
}

// A Reader copied earlier finds its objects while the Slab grows and shrinks.
func TestReaderOutlivesGrowth(t *testing.T) {
	s := NewPoisoned()
	defer s.Close()
	o := object{ref: s.Alloc(100), size: 100, fill: 7}
	fill(s, o)
	rd := s.Reader
	done := make(chan bool)
	go func() {
		ok := true
		for range 1000 {
			ok = ok && rd.Bytes(o.ref, 1)[0] == 7
		}
		done <- ok
	}()
	var refs []Ref
	for range 3000 {
		refs = append(refs, s.Alloc(9000))
	}
	for _, r := range refs {
		s.Free(r, 9000)
	}
	if !<-done {
		t.Fatal("a copied Reader lost its object")
	}
}

func TestFreeOfWrongClassPanics(t *testing.T) {
	s := New()
	defer s.Close()
	r := s.Alloc(100)
	defer func() {
		if recover() == nil {
			t.Fatal("a wrong size went unnoticed")
		}
	}()
	s.Free(r, 1000)
}

func TestExhaustedIsMarked(t *testing.T) {
	s := New()
	defer s.Close()
	defer func() {
		err, _ := recover().(error)
		if !errors.Is(err, ErrExhausted) {
			t.Fatalf("panic %v", err)
		}
	}()
	s.Alloc(40 << 30)
}

func BenchmarkAllocFree(b *testing.B) {
	s := New()
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		s.Free(s.Alloc(112), 112)
	}
}
