package ensemble

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// TestDiffers has a follower of one of Apache's servers apply a transaction wrongly. It notices by the digest that comes with the
// transaction, and ends with the leader's state.
func TestDiffers(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "failpoints")
	t.Setenv("FAILPOINTS", "@"+rules)
	w := newWorld(t, []harness.Subject{harness.Quoll, harness.Apache, harness.Apache}, nil)
	if w.Leader() == 1 {
		t.Fatal("Apache's servers have a leader by now, with whom they began")
	}
	through := w.dial(3)
	w.create(through, "/before")
	w.must(w.dial(1).Sync(w.ctx, "/"))
	w.must(os.WriteFile(rules+".new", []byte("machine/corrupt=fail,1x"), 0o644))
	w.must(os.Rename(rules+".new", rules))
	w.healed(1, through)
	w.create(through, "/after")
	w.equal()
	if log := w.Server(1).Tail(1000); !strings.Contains(log, "the leader's state was read") {
		t.Error("the state did not come from the leader")
	}
}

// healed waits until a member has found that its state differs, and serves again. It may take a moment until the member
// knows what to do wrongly: so there are always more transactions.
func (w *world) healed(sid int, through *client.Client) {
	w.t.Helper()
	s := w.Server(sid)
	n := 0
	for waits := harness.NewPatience(patience, time.Second); ; time.Sleep(20 * time.Millisecond) {
		w.create(through, fmt.Sprint("/differs", n))
		n++
		text, err := harness.FourLetterWord(w.ctx, s.Addr(), "mntr")
		if err == nil && strings.Contains(text, fmt.Sprintln("zk_state_resyncs_count\t1")) {
			break
		}
		if waits.Spent() {
			w.t.Fatalf("member %d does not notice that its state differs: %v", sid, err)
		}
	}
	s.WaitReady()
}
