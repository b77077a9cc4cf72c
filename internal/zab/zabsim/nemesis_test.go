package zabsim

import (
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/zab"
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

// TestLeaderOfAMoment is about a leader that begins a term and gives it away at once, by a reconfiguration in its log, with
// nothing left to apply.
func TestLeaderOfAMoment(t *testing.T) {
	w := newWorld(1, Options{NoObservers: true})
	w.draw.reconfig, w.draw.replayAll, w.faulty = true, true, false
	last := len(w.servers) - 1 // is elected, and its address changes
	next := *w.firstConfig()
	next.Members = append([]zab.Member(nil), next.Members...)
	next.Members[last].Addr = "aa"
	e := zab.Entry{Zxid: zab.EpochStart(1) + 1}
	e.Config = w.textOf(&next, e.Zxid)
	for _, s := range w.servers {
		s.disk.log, s.disk.accepted, s.disk.current, s.disk.lastSeen = []zab.Entry{e}, 1, 1, e.Config
		s.rate = 1
		s.start()
	}
	w.recover()
	if w.err != nil {
		t.Fatal(w.err)
	}
	if led := w.agreed.leaders[2].leader; led != w.servers[last].id {
		t.Fatalf("server %d leads first", led)
	}
}
