package watch

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSetAgreesWithMap fills and empties sets whose members lie densely or far
// apart, so that they become lists and bitmaps and lists again.
func TestSetAgreesWithMap(t *testing.T) {
	for _, span := range []int{3, 100, 1000, 50_000, 2_000_000} {
		t.Run(fmt.Sprint(span), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(uint64(span), 2))
			var a arena
			var s set
			want := make(map[ID]bool)
			for i := range 20_000 {
				id := ID(rng.IntN(span))
				var changed bool
				if grow := i < 12_000; rng.IntN(4) > 0 == grow {
					s, changed = a.insert(s, id)
					if changed == want[id] {
						t.Fatalf("step %d: inserting %d gives %v, was in it: %v", i, id, changed, want[id])
					}
					want[id] = true
				} else {
					s, changed = a.remove(s, id)
					if changed != want[id] {
						t.Fatalf("step %d: removing %d gives %v, was in it: %v", i, id, changed, want[id])
					}
					delete(want, id)
				}
				if a.size(s) != len(want) || a.has(s, id) != want[id] {
					t.Fatalf("step %d: size %d, has %d: %v; map has %d, %v", i, a.size(s), id, a.has(s, id), len(want), want[id])
				}
				if i%500 == 0 {
					compareSet(t, &a, s, want)
				}
			}
			for id := range maps.Clone(want) {
				s, _ = a.remove(s, id)
				delete(want, id)
				if len(want)%1000 == 0 {
					compareSet(t, &a, s, want)
				}
			}
			if s != 0 {
				t.Fatalf("set without members is %x", s)
			}
		})
	}
}

func compareSet(t *testing.T, a *arena, s set, want map[ID]bool) {
	t.Helper()
	var got []ID
	a.each(s, func(id ID) { got = append(got, id) })
	if ids := slices.Sorted(maps.Keys(want)); !slices.Equal(got, ids) {
		t.Fatalf("set holds %d members, map %d", len(got), len(ids))
	}
}

func TestSetOfNeighboursIsSmall(t *testing.T) {
	var a arena
	var s set
	for id := range ID(100_000) {
		s, _ = a.insert(s, id)
	}
	if w, _, isBitmap := a.block(s); !isBitmap || len(w) > 100_000/32*3/2 {
		t.Fatalf("100,000 neighbours take %d words, bitmap %v", len(w), isBitmap)
	}
}
