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
