package zab

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestWindow compares the window with a plain search.
func TestWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	h := history{keep: 20}
	last := int64(0)
	for range 3000 {
		last++
		if r.IntN(30) == 0 {
			last = EpochStart(EpochOf(last)+1) + 1
		}
		h.append(&Entry{Zxid: last})
		h.applied = last
		zxid := h.window[r.IntN(len(h.window))].Zxid + r.Int64N(3) - 1
		i, ok := h.find(zxid)
		want := slices.IndexFunc(h.window, func(e Entry) bool { return e.Zxid >= zxid })
		if want < 0 {
			want = len(h.window)
		}
		if i != want || ok != (want < len(h.window) && h.window[want].Zxid == zxid) {
			t.Fatalf("%x: got %d, %v, want %d in %v", zxid, i, ok, want, h.window)
		}
		from := h.before + r.Int64N(5)
		var part []Entry
		for _, e := range h.window {
			if e.Zxid > from && e.Zxid <= zxid {
				part = append(part, e)
			}
		}
		if got := h.between(from, zxid); !slices.EqualFunc(got, part, func(a, b Entry) bool { return a.Zxid == b.Zxid }) {
			t.Fatalf("between %x and %x: got %v, want %v", from, zxid, got, part)
		}
	}
}
