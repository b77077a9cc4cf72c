package zab

import "testing"

// What is given back is empty, holds on to nothing, and is bounded.
func TestLists(t *testing.T) {
	var l lists
	list := append(l.get(1), Entry{Zxid: 1, Data: []byte("x")}, Entry{Zxid: 2})
	l.put(list)
	again := l.get(2)
	if len(again) != 0 || cap(again) != cap(list) || list[0].Data != nil {
		t.Errorf("%d of %d, %v", len(again), cap(again), list)
	}
	l.put(again)
	if big := l.get(cap(again) + 1); cap(big) <= cap(again) {
		t.Errorf("room for %d", cap(big))
	}
	for range 2 * freeLists {
		l.put(make([]Entry, newList))
	}
	l.put(make([]Entry, newList-1))
	l.put(nil)
	if len(l.free) != freeLists {
		t.Errorf("%d lists are kept", len(l.free))
	}
	l = lists{}
	if l.put(make([]Entry, longList)); len(l.free) != 0 {
		t.Error("a long list is kept")
	}
}

// A run that is proposed as a whole keeps the room behind it, for when the list is used again.
func TestRunKeepsItsRoom(t *testing.T) {
	h := leads(t, Options{Active: members(t, 5, 1, 2, 3)})
	list := append(make([]Entry, 0, 64), Entry{Zxid: h.p.NextZxid()}, Entry{Zxid: h.p.NextZxid() + 1})
	if n, err := h.p.Propose(list...); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	r := h.p.Ready()
	if got := r.Writes[0].Entries; len(got) != 2 || cap(got) != 64 {
		t.Errorf("%d entries, room for %d", len(got), cap(got))
	}
}
