package ensemble

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// TestObserverMaster has a follower of Apache's feed an observer of quoll's, which lives on when the leader is another one.
func TestObserverMaster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	key := map[string]string{"observerMasterPort": fmt.Sprint(harness.FreePort(t))}
	w := &world{t: t, ctx: t.Context(), size: 4, Ensemble: harness.NewEnsemble(t, harness.EnsembleConfig{Seats: []harness.Seat{
		{Subject: harness.Apache, Keys: key}, {Subject: harness.Quoll}, {Subject: harness.Apache},
		{Subject: harness.Quoll, Observer: true, Keys: key}}})}
	for _, sid := range []int{3, 2} { // the third wins an election of two
		w.Server(sid).Launch()
	}
	w.Server(3).WaitReady()
	w.Server(1).Launch()
	w.Server(1).WaitReady()
	w.create(w.dial(1), "/before")
	w.Server(4).Launch()
	w.Server(4).WaitReady()
	w.fed(1)

	w.everyMemberWrites()
	w.watchesOfOthersWrites()
	w.refusals()
	c := w.dial(1)
	w.create(c, "/mine", client.Ephemeral)
	session := c.Session()
	w.must(c.Detach())
	moved, err := client.Dial(w.ctx, w.Server(4).Addr(), client.WithSession(session.ID(), session.Password()))
	w.must(err)
	t.Cleanup(func() { moved.Close() })
	w.create(moved, "/mine-too", client.Ephemeral)

	w.Server(3).Kill()
	for i := range 20 {
		w.create(moved, fmt.Sprint("/after-", i))
	}
	if got := moved.Session().ID(); got != session.ID() {
		t.Errorf("session 0x%x became 0x%x", session.ID(), got)
	}
	w.Server(3).Launch()
	w.Server(3).WaitReady()
	w.equal()
}

// fed waits until a follower feeds an observer.
func (w *world) fed(sid int) {
	w.t.Helper()
	for {
		reply, err := harness.FourLetterWord(w.ctx, w.Server(sid).Addr(), "mntr")
		if err == nil && strings.Contains(reply, "zk_synced_observers\t1\n") {
			return
		}
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("member %d feeds nobody: %v\n%s", sid, err, reply)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
