package arena

import (
	"bytes"
	"testing"
)

// What is handed out overlaps with nothing, and a piece is told to be filled once, behind all that lies in it.
func TestRoom(t *testing.T) {
	var a Arena
	var parts, filled [][]byte
	for i := range 1000 {
		n := 1 + i*i%5000
		room, full := a.Room(n)
		if len(room) != 0 || cap(room) != n {
			t.Fatalf("room for %d of %d", cap(room), n)
		}
		parts = append(parts, append(room, bytes.Repeat([]byte{byte(i)}, n)...))
		if full != nil {
			filled = append(filled, full)
		}
	}
	for i, p := range parts {
		if !bytes.Equal(p, bytes.Repeat([]byte{byte(i)}, len(p))) {
			t.Fatalf("part %d was overwritten", i)
		}
	}
	if len(filled) < 2 {
		t.Fatalf("%d pieces are filled", len(filled))
	}
	if room, full := a.Room(most); cap(room) != most || full != nil {
		t.Errorf("room for %d, %d bytes filled", cap(room), len(full))
	}
}

// A piece that is given back is handed out again; what is no piece is not.
func TestFree(t *testing.T) {
	var a Arena
	first, _ := a.Room(most - 1)
	a.Room(most - 1)
	_, filled := a.Room(most - 1)
	if filled == nil {
		t.Fatal("nothing is filled")
	}
	first = append(first, 1)
	a.Free(filled)
	a.Free(make([]byte, 10))
	a.Free(nil)
	if watchful && first[0] != 0xdb {
		t.Error("it can still be read")
	}
	var again []byte
	for full := []byte(nil); full == nil; {
		again, full = a.Room(most - 1)
	}
	if &again[:1][0] != &first[0] {
		t.Error("new memory is used")
	}
	for range 2 * spares {
		a.Free(make([]byte, Piece))
	}
	if len(a.free) != spares {
		t.Errorf("%d pieces are kept", len(a.free))
	}
	a.Drop()
	if _, full := a.Room(1); full != nil {
		t.Error("a dropped piece is filled")
	}
}
