package watch

import (
	"math/rand/v2"
	"testing"

	"github.com/quollhq/quoll/internal/slab"
)

// At any time the indexes of all shards take little for each entry, and no entry has to wait until more than few others
// are moved.
func TestIndexesGrowLittleAtATime(t *testing.T) {
	const (
		from, to = 50_000, 1_500_000
		bytes    = 14.0    // in use, each
		chunk    = 4 << 20 // of the slab; three may be begun, taken ahead or full of holes that those left who moved on
		share    = 1000    // of all entries, one of so many is moved at most
	)
	mem := &memory{slab: slab.New()}
	t.Cleanup(mem.close)
	var all [shards]index
	rng := rand.New(rand.NewPCG(1, 2))
	for n := uint32(1); n <= to; n++ {
		x, sl := &all[rng.IntN(shards)], slot{rng.Uint32(), n}
		p := x.part(sl.hash)
		before, moved := len(p.slots.items), p.used
		x.insert(mem, sl)
		if n < from {
			continue
		}
		u := mem.slab.Usage()
		if float64(u.Used) > bytes*float64(n) || float64(u.Mapped) > bytes*float64(n)+3*chunk {
			t.Fatalf("%d entries: %.2f bytes each are in use, %.2f taken", n, float64(u.Used)/float64(n), float64(u.Mapped)/float64(n))
		}
		if len(p.slots.items) != before && moved > int(n)/share {
			t.Fatalf("%d entries: one had to wait for %d to be moved", n, moved)
		}
	}
}

// Entries are found in every size of the parts, while others come and go.
func TestIndexFindsWhatItHolds(t *testing.T) {
	mem := &memory{slab: slab.NewPoisoned()}
	t.Cleanup(mem.close)
	var x index
	rng := rand.New(rand.NewPCG(3, 4))
	var live []slot
	for n := uint32(1); n <= 60_000; n++ {
		if sl := (slot{rng.Uint32(), n}); n%3 > 0 {
			x.insert(mem, sl)
			live = append(live, sl)
		} else {
			i := rng.IntN(len(live))
			x.remove(live[i])
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		if n%5000 == 0 {
			checkIndex(t, &x, live)
		}
	}
	for _, sl := range live {
		x.remove(sl)
	}
	checkIndex(t, &x, nil)
	x.empty(mem)
	if u := mem.slab.Usage(); u.Used != 0 {
		t.Fatalf("an empty index uses %d bytes", u.Used)
	}
}

// checkIndex compares what an index holds with what it should.
func checkIndex(t *testing.T, x *index, want []slot) {
	t.Helper()
	for _, sl := range want {
		p := x.part(sl.hash)
		i := p.home(sl.hash)
		for p.slots.items[i] != sl {
			if p.slots.items[i].entry == 0 {
				t.Fatalf("entry %d of hash %#x is not found", sl.entry, sl.hash)
			}
			i = p.after(i)
		}
	}
	n := 0
	for i := range x.parts {
		p, used := &x.parts[i], 0
		for _, sl := range p.slots.items {
			if sl.entry != 0 {
				used++
			}
		}
		if used != p.used {
			t.Fatalf("part %d has %d entries, counted %d", i, used, p.used)
		}
		n += used
	}
	if n != len(want) {
		t.Fatalf("there are %d entries, want %d", n, len(want))
	}
}
