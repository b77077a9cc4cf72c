package slab

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Who fills one chunk after the other finds the next there, and its first half
// touched.
func TestNextChunkIsTouchedAhead(t *testing.T) {
	s := New()
	defer s.Close()
	takeUnits := func(n int) {
		for range n {
			s.Alloc(unitSize * 3 / 4) // all of a unit but for its end
		}
	}
	small := func() bool { return len(s.chunks) <= aheadFrom }
	for small() {
		if s.ahead.next != nil {
			t.Fatalf("a chunk was taken ahead with %d in use", len(s.chunks))
		}
		takeUnits(1)
	}
	for s.ahead.next == nil {
		if len(s.chunks) > aheadFrom+1 {
			t.Fatal("no chunk was taken ahead")
		}
		takeUnits(1)
	}
	next := s.ahead.next
	s.ahead.rest()
	if err := unix.Madvise(next[:unix.Getpagesize()], unix.MADV_POPULATE_WRITE); err != nil {
		t.Skip("this system cannot be asked for pages: ", err)
	}
	if got := resident(t, next); got < chunkSize/2 {
		t.Errorf("%d bytes of the next chunk are there, want %d", got, chunkSize/2)
	}
	if got, want := s.Usage().Mapped, int64(len(s.chunks)+1)*chunkSize; got != want {
		t.Errorf("%d bytes are mapped, want %d", got, want)
	}
	for n := len(s.chunks); len(s.chunks) == n; {
		takeUnits(1)
	}
	if s.bases[len(s.bases)-1] != unsafe.Pointer(unsafe.SliceData(next)) {
		t.Error("the next chunk is not the one that was there")
	}
	s.ahead.rest()
	if got := resident(t, next); got != chunkSize {
		t.Errorf("%d bytes of the chunk in use are there, want all", got)
	}
	if got, want := s.Usage().Mapped, int64(len(s.chunks))*chunkSize; got != want {
		t.Errorf("%d bytes are mapped, want %d", got, want)
	}
}

func resident(t *testing.T, mem []byte) (bytes int) {
	t.Helper()
	page := unix.Getpagesize()
	vec := make([]byte, len(mem)/page)
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(mem))), uintptr(len(mem)), uintptr(unsafe.Pointer(unsafe.SliceData(vec))))
	if errno != 0 {
		t.Fatal(errno)
	}
	for _, v := range vec {
		bytes += int(v&1) * page
	}
	return bytes
}
