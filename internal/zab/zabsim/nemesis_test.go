package zabsim

import (
	"testing"
	"time"
)

// TestProposalsOfALostLeader is about a leader that is lost with what recover has proposed, and a successor that has
// settled before recover looks again: it proposes anew.
func TestProposalsOfALostLeader(t *testing.T) {
	w := newWorld(1, Options{NoReconfig: true, NoObservers: true})
	w.draw.delay, w.draw.sync, w.faulty = 100*time.Microsecond, 100*time.Microsecond, false
	for _, s := range w.servers {
		s.rate = 1
		s.start()
	}
	for !w.settled() {
		if !w.next(time.Minute) {
			t.Fatalf("no leader in a minute: %s", w.describe())
		}
	}
	old := w.leading()
	for _, s := range w.servers {
		w.block(old, s, s != old)
		w.block(s, old, s != old)
	}
	for _, c := range old.sortedConns() {
		w.hangUp(c, 0)
		w.hangUp(c, 1)
	}
	w.after(8*time.Millisecond, w.healNet)
	w.recover()
	if w.err != nil {
		t.Fatal(w.err)
	}
	if w.terms < 2 {
		t.Fatal("the leader was not lost")
	}
}
