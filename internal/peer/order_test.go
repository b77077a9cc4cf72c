package peer

import (
	"testing"

	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/zab"
)

// TestStateBetweenTransactions has a state sent that others were committed behind at the same moment: its learner gets
// those as transactions, and must not find them in the state.
func TestStateBetweenTransactions(t *testing.T) {
	p := &Peer{machine: newQueue[job](), waiting: budget{limit: 1 << 20}}
	l := newLoop(p)
	entries := []zab.Entry{{Zxid: 1}, {Zxid: 2}, {Zxid: 3}, {Zxid: 4}}
	l.tellMachine(&zab.Ready{
		Commit: entries,
		Sends:  []zab.Send{{Link: 7, Msg: &zab.Message{Type: zab.Snap, Zxid: 2}}},
	})
	jobs := p.machine.take()
	if len(jobs) != 3 {
		t.Fatalf("%d jobs", len(jobs))
	}
	if got := jobs[0].commit; len(got) != 2 || got[1].Zxid != 2 {
		t.Errorf("before the state: %v", got)
	}
	if jobs[1].freeze == nil || jobs[1].freeze != l.states[7] {
		t.Error("the state is not frozen in between")
	}
	if got := jobs[2].commit; len(got) != 2 || got[0].Zxid != 3 {
		t.Errorf("behind the state: %v", got)
	}
}

// TestWaiting bounds what is kept of a learner that does not wait for an answer.
func TestWaiting(t *testing.T) {
	var w waiting
	for i := range waitingMost {
		if err := w.hold(make([]link.Packet, 1)); err != nil || len(w.packets) != i+1 {
			t.Fatalf("packet %d: %d are kept, error %v", i+1, len(w.packets), err)
		}
	}
	if err := w.hold(make([]link.Packet, 1)); err == nil || len(w.packets) > 0 {
		t.Errorf("too many: %d are kept, error %v", len(w.packets), err)
	}
}
