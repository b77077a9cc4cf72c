package tree

import (
	"math/rand/v2"
	"testing"

	"github.com/quollhq/quoll/internal/slab"
)

// A shard holds the same as a map while it grows and shrinks, whatever the tags
// are.
func TestShard(t *testing.T) {
	tags := map[string]func(*rand.Rand) uint32{
		"even":      func(r *rand.Rand) uint32 { return r.Uint32N(1 << 16) },
		"the last":  func(r *rand.Rand) uint32 { return 0xffff - r.Uint32N(40) },
		"the first": func(r *rand.Rand) uint32 { return r.Uint32N(3) },
		"few":       func(r *rand.Rand) uint32 { return r.Uint32N(50) << 10 },
	}
	for name, tag := range tags {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 1))
			x := newIndex(slab.NewPoisoned())
			defer x.slab.Close()
			s := &x.shards[5]
			tagOf := map[Node]uint32{}
			var live []Node
			for i := range 20000 {
				if grow := i/2500%2 == 0; len(live) == 0 || len(live) < 600 && r.IntN(10) < 6 == grow {
					n := Node(i + 1)
					tagOf[n] = tag(r)
					live = append(live, n)
					x.insert(place{s, tagOf[n]}, n)
				} else {
					j := r.IntN(len(live))
					x.remove(place{s, tagOf[live[j]]}, live[j])
					live[j] = live[len(live)-1]
					live = live[:len(live)-1]
				}
				if i%199 == 0 {
					compareShard(t, s, live, tagOf)
				}
			}
			for _, n := range live {
				x.remove(place{s, tagOf[n]}, n)
			}
			if s.mem != nil || x.bytes != 0 || x.slab.Usage().Used != 0 {
				t.Fatalf("%d bytes left", x.bytes)
			}
		})
	}
}

func compareShard(t *testing.T, s *shard, live []Node, tagOf map[Node]uint32) {
	t.Helper()
	c := checker{}
	if s.mem != nil {
		c.shard(0, s)
	}
	for _, err := range c.found {
		t.Fatal(err)
	}
	if int(s.n) != len(live) {
		t.Fatalf("%d entries, want %d", s.n, len(live))
	}
	for _, n := range live {
		if !s.has(tagOf[n], n) {
			t.Fatalf("%d with tag %#x is lost", n, tagOf[n])
		}
	}
}

func (s *shard) has(tag uint32, n Node) bool {
	for i := s.homeOf(tag); ; i++ {
		e := s.slot(i)
		if e == 0 || uint32(e&0xffff) > tag {
			return false
		}
		if e == uint64(n)<<16|uint64(tag) {
			return true
		}
	}
}

// All shards grow in order, hold what they should, and leave few holes.
func TestIndexGrowsInOrder(t *testing.T) {
	x := newIndex(slab.New())
	defer x.slab.Close()
	r := rand.New(rand.NewPCG(1, 1))
	const n = 150_000
	places := make([]place, n)
	for i := range places {
		h := r.Uint64()
		places[i] = place{&x.shards[h>>(64-shardBits)], uint32(h) & 0xffff}
		x.insert(places[i], Node(i+1))
		if i > n/2 && i%10_000 == 0 {
			checkShards(t, x, i+1)
			if perEntry := float64(x.slab.Usage().Used) / float64(i+1); perEntry > 9 {
				t.Fatalf("%.1f bytes each for %d entries", perEntry, i+1)
			}
		}
	}
	for i, pl := range places {
		if !pl.shard.has(pl.tag, Node(i+1)) {
			t.Fatalf("%d is lost", i+1)
		}
	}
	for i, pl := range places {
		x.remove(pl, Node(i+1))
		if left := n - 1 - i; left%30_000 == 0 {
			checkShards(t, x, left)
		}
	}
	if x.bytes != 0 || x.grower.level != larger(minLevel) {
		t.Fatalf("%d bytes are left, level %d", x.bytes, x.grower.level)
	}
}

func checkShards(t *testing.T, x *index, n int) {
	t.Helper()
	c := checker{t: &Tree{state: state{index: x}}, count: n + 1}
	c.shards()
	for _, err := range c.found {
		t.Fatal(err)
	}
}
