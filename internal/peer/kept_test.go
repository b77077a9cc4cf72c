package peer

import (
	"slices"
	"testing"

	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/zab"
)

// Memory comes back in order, and not before disk, machine and window are done with all that lies in it.
func TestKept(t *testing.T) {
	var k kept
	var freed []byte
	for i := range 4 {
		k.add(int64(10*(i+1)), []byte{byte(i)}, func(b []byte) { freed = append(freed, b[0]) })
	}
	for _, step := range []struct {
		stored, applied, forgotten int64
		want                       []byte
	}{
		{100, 100, 9, nil}, {100, 9, 100, nil}, {9, 100, 100, nil},
		{10, 19, 100, []byte{0}}, {30, 30, 29, []byte{0, 1}}, {40, 100, 100, []byte{0, 1, 2, 3}}, {200, 200, 200, []byte{0, 1, 2, 3}},
	} {
		k.stored, k.applied = step.stored, step.applied
		if k.release(step.forgotten); !slices.Equal(freed, step.want) {
			t.Errorf("%+v: %v came back", step, freed)
		}
	}
}

// A learner keeps the memory of transactions that come from its leader while it serves, and no other.
func TestLearnerKeepsMemory(t *testing.T) {
	c, other := &link.Conn{Owner: newContact()}, &link.Conn{Owner: newContact()}
	serving := zab.Status{State: zab.Following, Phase: zab.Broadcast}
	for name, x := range map[string]struct {
		up     *uplink
		status zab.Status
		want   int
	}{
		"serving":     {&uplink{conn: c}, serving, 2},
		"in sync yet": {&uplink{conn: c}, zab.Status{State: zab.Following, Phase: zab.Synchronization}, 0},
		"of another":  {&uplink{conn: other}, serving, 0},
		"no learner":  {nil, serving, 0},
	} {
		l := newLoop(&Peer{})
		l.up, l.status = x.up, x.status
		l.received(c, nil, []wire.Filled{{Last: 5, Memory: make([]byte, 1)}, {Last: 9, Memory: make([]byte, 1)}})
		if n := len(l.kept.pieces); n != x.want || n > 0 && l.kept.pieces[1].last != 9 {
			t.Errorf("%s: %d pieces are kept", name, n)
		}
	}
}
