package tree

import (
	"fmt"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// What a Loader is told to expect, right or wrong, changes neither the tree nor, by much, its memory.
func TestExpect(t *testing.T) {
	const nodes = 40_000
	load := func(t *testing.T, expect func(done int) int) *Tree {
		l := NewLoader()
		st := &proto.StatPersisted{Czxid: 1, Mzxid: 1, Pzxid: 1}
		if err := l.AddNode("", nil, OpenACLID, st); err != nil {
			t.Fatal(err)
		}
		for i := range nodes {
			if i%5_000 == 3_000 {
				l.Expect(expect(i))
			}
			if err := l.AddNode(fmt.Sprintf("/n%d", i), nil, OpenACLID, st); err != nil {
				t.Fatal(err)
			}
		}
		tr, _, err := l.Finish(1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(tr.Close)
		return tr
	}
	usual := load(t, func(int) int { return 0 }).index.bytes
	for name, expect := range map[string]func(done int) int{
		"right":    func(int) int { return nodes },
		"too few":  func(done int) int { return done / 2 },
		"too many": func(int) int { return 1 << 40 },
		"nonsense": func(int) int { return -1 },
	} {
		t.Run(name, func(t *testing.T) {
			tr := load(t, expect)
			for i := range nodes {
				if tr.Find(fmt.Sprintf("/n%d", i)) == 0 {
					t.Fatalf("znode %d is not found", i)
				}
			}
			for i := nodes; i < 2*nodes; i++ {
				if tr.Find(fmt.Sprintf("/n%d", i)) != 0 {
					t.Fatalf("znode %d is found", i)
				}
			}
			if got := tr.index.bytes; got > usual*22/10 || got < usual*9/10 {
				t.Errorf("%d bytes of index, usually %d", got, usual)
			}
		})
	}
}
