package arena

import (
	"bytes"
	"testing"
)

// Copies overlap with nothing, and a piece is told to be filled once, behind all that lies in
// it.
func TestCopy(t *testing.T) {
	var a Arena
	var copies [][]byte
	filled := 0
	const room = 10
	for i := range 1000 {
		want := bytes.Repeat([]byte{byte(i)}, 1+i*i%5000)
		got, full := a.Copy(want, room)
		if !bytes.Equal(got, want) || cap(got) != len(got)+room {
			t.Fatalf("copy %d has %d bytes of %d, and room for %d", i, len(got), len(want), cap(got)-len(got))
		}
		copies = append(copies, append(got, bytes.Repeat([]byte{byte(i)}, room)...))
		if full != nil {
			filled++
		}
	}
	for i, c := range copies {
		if !bytes.Equal(c, bytes.Repeat([]byte{byte(i)}, len(c))) {
			t.Fatalf("copy %d was overwritten", i)
		}
	}
	if filled < 2 {
		t.Fatalf("%d pieces are filled", filled)
	}
	long := bytes.Repeat([]byte{7}, Piece+3*room)
	for _, c := range []struct{ b, room int }{{Piece, Piece}, {Piece + room, Piece + room}, {Piece + 2*room, Piece + room}} {
		if got, full := a.Copy(long[:Piece:c.b], room); !bytes.Equal(got, long[:Piece]) || full != nil || cap(got) < c.room {
			t.Errorf("%d bytes, room for %d, %d filled", len(got), cap(got)-len(got), len(full))
		}
	}
}

// A piece that is given back is used again; what is no piece is not.
func TestFree(t *testing.T) {
	var a Arena
	part := make([]byte, Piece/2-1)
	first, _ := a.Copy(part, 0)
	a.Copy(part, 0)
	_, filled := a.Copy(part, 0)
	if filled == nil {
		t.Fatal("nothing is filled")
	}
	a.Free(filled)
	a.Free(make([]byte, 10))
	a.Free(nil)
	if watchful && first[0] != 0xdb {
		t.Error("it can still be read")
	}
	var again []byte
	for full := []byte(nil); full == nil; {
		again, full = a.Copy(part, 0)
	}
	if &again[0] != &first[0] {
		t.Error("new memory is used")
	}
	for range 2 * spares {
		a.Free(make([]byte, Piece))
	}
	if len(a.free) != spares {
		t.Errorf("%d pieces are kept", len(a.free))
	}
	a.Drop()
	if _, full := a.Copy(part, 0); full != nil {
		t.Error("a dropped piece is filled")
	}
}
