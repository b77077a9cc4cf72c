package ensemble

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/peer/peertest"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/test/harness"
)

// said is what a learner's log says when it is brought in line by TRUNC, and by SNAP.
var said = map[harness.Subject]struct{ cut, state string }{
	harness.Quoll:  {"the log was cut", "the leader's state was read"},
	harness.Apache: {"Truncating log to get in sync with the leader", "Getting a snapshot from leader"},
}

// TestLearnersBehind has a member of one program come back to two of the other one: with a transaction in its log that
// nobody else has, which its leader tells it to cut; and far behind, so that it is sent the whole state.
func TestLearnersBehind(t *testing.T) {
	for _, c := range []struct {
		name            string
		learner, others harness.Subject
	}{
		{"quoll behind apache", harness.Quoll, harness.Apache},
		{"apache behind quoll", harness.Apache, harness.Quoll},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, []harness.Subject{c.learner, c.others, c.others}, map[string]string{"snapshotSizeFactor": "-1"})
			w.write("before", 20, "")
			// What it will have lost comes behind what all have. This session stays, for its end would be a transaction.
			w.must(w.dialWith([]client.Option{client.WithSessionTimeout(40 * time.Second)}, 1).Sync(w.ctx, "/"))
			w.Server(1).Stop()
			lost := w.appendLost(1)
			for _, sid := range []int{2, 3} { // a new epoch, in which nothing happens: Apache's leader does not cut otherwise
				w.Server(sid).Stop()
			}
			w.launch(2, 3)
			w.comeBack(said[c.learner].cut)
			w.isAbsent(lost)
			w.Server(1).Stop()
			w.write("far", 1200, "some data")
			w.comeBack(said[c.learner].state)
		})
	}
}

// launch starts members and waits for them.
func (w *world) launch(sids ...int) {
	w.t.Helper()
	for _, sid := range sids {
		w.Server(sid).Launch()
	}
	for _, sid := range sids {
		w.Server(sid).WaitReady()
	}
}

// write creates znodes by the second member, several at a time.
func (w *world) write(prefix string, n int, data string) {
	w.t.Helper()
	c := w.dial(2)
	defer c.Close()
	const workers = 8
	failed := make(chan error, workers)
	for k := range workers {
		go func() {
			var err error
			for i := k; i < n && err == nil; i += workers {
				_, err = c.Create(w.ctx, fmt.Sprintf("/%s-%d", prefix, i), []byte(data))
			}
			failed <- err
		}()
	}
	for range workers {
		w.must(<-failed)
	}
}

// comeBack launches the first member, and checks that it was brought in line in a way that its log says, takes part, and has
// the same as the others.
func (w *world) comeBack(words string) {
	w.t.Helper()
	before := w.says(words)
	w.launch(1)
	if w.says(words) == before {
		w.t.Errorf("its log does not say again %q", words)
	}
	c := w.dial(1)
	defer c.Close()
	_, err := c.Create(w.ctx, "/by-it-", nil, client.PersistentSequential)
	w.must(err)
	w.equal()
}

// says counts how often the first member's log says something.
func (w *world) says(what string) int {
	w.t.Helper()
	return w.logSays(1, what)
}

// logSays counts how often a member's log says something.
func (w *world) logSays(sid int, what string) int {
	w.t.Helper()
	log, err := os.ReadFile(w.Server(sid).LogPath())
	w.must(err)
	return strings.Count(string(log), what)
}

// isAbsent checks that the first member does not have a znode.
func (w *world) isAbsent(path string) {
	w.t.Helper()
	c := w.dial(1)
	defer c.Close()
	if _, ok, err := c.Exists(w.ctx, path); ok || err != nil {
		w.t.Errorf("%s, which nobody else had, is there: %v, error %v", path, ok, err)
	}
}

// appendLost gives the log of a member that is down a transaction that nobody else has, as if it had led, and fallen
// before anybody else had it: the znode whose path it returns.
func (w *world) appendLost(sid int) string {
	w.t.Helper()
	store, err := storage.Open(storage.Options{Dirs: storage.Dirs{Data: w.Server(sid).DataDir()}, Preallocate: -1})
	w.must(err)
	state := (&peertest.Machine{}).NewState()
	defer state.Close()
	loaded, err := store.Load(context.Background(), state, state.Apply)
	w.must(err)
	next := loaded.LastZxid + 1
	w.must(store.Log().Append(peertest.Creates(next, 1, []byte("lost")).Records, next, next, 1))
	w.must(store.Close())
	return fmt.Sprintf("/n%x", next)
}
