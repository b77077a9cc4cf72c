package request

import (
	"math"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tree"
)

// TestOwnersMeanOneThing creates a znode whose owner is the client's session
// number, below it another one, and removes them as the reaper would. Whether
// that owner is a session or the mark of a time to live, preparing and the tree
// must decide alike.
func TestOwnersMeanOneThing(t *testing.T) {
	const marksTTL, reserved, old = -1<<56 | 5, -1<<56 | 1<<40 | 5, math.MinInt64 + 5
	extended := tree.Options{ExtendedTypes: true}
	emulating := tree.Options{ExtendedTypes: true, Emulate353TTL: true}
	for _, test := range []struct {
		name      string
		owner     int64
		o         tree.Options
		ephemeral bool
	}{
		{"session", 5, emulating, true},
		{"mark of a TTL, no extended types", marksTTL, tree.Options{Emulate353TTL: true}, true},
		{"mark of a TTL", marksTTL, extended, false},
		{"reserved bits", reserved, extended, true},
		{"mark of 3.5.3, no extended types", old, tree.Options{Emulate353TTL: true}, true},
		{"mark of 3.5.3, not emulated", old, extended, true},
		{"mark of 3.5.3", old, emulating, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(o *Options) {
				o.Tree, o.ExtendedTypes = tree.New(test.o), test.o.ExtendedTypes
			})
			c, m := w.clientOf(test.owner)
			w.submit(c,
				Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/n", "", proto.FlagEphemeral)},
				Request{Xid: 2, Op: proto.OpCreate, Body: createBody("/n/c", "", 0)},
				Request{Xid: 3, Op: proto.OpDelete, Body: deleteBody("/n/c", -1)},
				Request{Xid: 4, Op: proto.OpDeleteContainer, Body: createBody("/n", "", 0)[:6]})
			want := []proto.Code{proto.OK, proto.OK, proto.OK, proto.OK}
			if test.ephemeral {
				want = []proto.Code{proto.OK, proto.NoChildrenForEphemerals, proto.NoNode, proto.BadVersion}
			}
			for i, code := range want {
				if h, _ := m.next(t); h.Err != code {
					t.Errorf("request %d: %+v, want %v", i+1, h, code)
				}
			}
			w.Close()
			owned := 0
			for range w.tree.Ephemerals(test.owner) {
				owned++
			}
			if there := w.tree.Find("/n") != 0; there != test.ephemeral || owned != w.tree.EphemeralCount() || (owned == 1) != there {
				t.Errorf("there %v, %d ephemerals of the session, %d in all", there, owned, w.tree.EphemeralCount())
			}
		})
	}
}
