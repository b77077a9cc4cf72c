package ensemble

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// TestHandOver has the leader hand over by command while clients write.
func TestHandOver(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, ctx: t.Context(), size: 3, Ensemble: harness.NewEnsemble(t, harness.EnsembleConfig{
		Seats: []harness.Seat{{Subject: harness.Quoll}, {Subject: harness.Apache}, {Subject: harness.Quoll}}, Admin: true,
	})}
	w.Start()
	w.lead(3)
	c := w.dial(1, 2, 3)
	w.create(c, "/lives", client.Ephemeral)
	w.create(c, "/h")
	written, stop := make(chan int), make(chan struct{})
	go func() {
		n := 0
		defer func() { written <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			switch _, err := c.Create(w.ctx, fmt.Sprint("/h/", n), nil); {
			case err == nil, errors.Is(err, client.ErrNodeExists):
				n++
			case !errors.Is(err, client.ErrConnectionLoss):
				t.Error(err)
				return
			}
		}
	}()
	handOver := func(sid int) (string, error) {
		out, err := exec.CommandContext(w.ctx, binary, "hand-over", w.Server(sid).AdminAddr(), "--auth", "digest ops:secret").CombinedOutput()
		return string(out), err
	}
	if out, err := handOver(1); err == nil || !strings.Contains(out, "does not lead; ask the one that does: server.3=127.0.0.1:") {
		t.Errorf("a follower: %s, %v", out, err)
	}
	out, err := handOver(3)
	leader := w.Leader()
	slow := err != nil && strings.Contains(out, "does not know so far who does") // the next one begins late
	if leader == 3 || !slow && (err != nil || out != fmt.Sprintf("server %d leads\n", leader)) {
		t.Errorf("member %d leads, after %q, %v", leader, out, err)
	}
	close(stop)
	n := <-written
	w.must(c.Sync(w.ctx, "/"))
	names, _, err := c.Children(w.ctx, "/h")
	if err != nil || len(names) != n {
		t.Errorf("%d znodes of %d, error %v", len(names), n, err)
	}
	if _, ok, err := c.Exists(w.ctx, "/lives"); !ok || err != nil {
		t.Errorf("the ephemeral is there: %v, error %v", ok, err)
	}
	resp, err := http.Post("http://"+w.Server(3).AdminAddr()+"/commands/hand_over", "", nil)
	w.must(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody: %s", resp.Status)
	}
	w.equal()
}

// lead sees to it that the member leads: whoever else does is started again.
func (w *world) lead(sid int) {
	w.t.Helper()
	for leader := w.Leader(); leader != sid; leader = w.Leader() {
		w.Server(leader).Stop()
		w.Leader()
		w.Server(leader).Restart()
	}
}

// TestLeaderServes has a leader let no clients in, as it is told.
func TestLeaderServes(t *testing.T) {
	for _, s := range []harness.Subject{harness.Apache, harness.Quoll} {
		t.Run(s.Name(), func(t *testing.T) {
			if testing.Short() {
				t.Skip("starts servers")
			}
			w := &world{t: t, ctx: t.Context(), size: 3, Ensemble: harness.NewEnsemble(t, harness.EnsembleConfig{
				Seats: harness.Seats(3, s), Keys: map[string]string{"leaderServes": "no"}})}
			w.Server(3).Launch() // it wins an election of two
			w.Server(2).Launch()
			w.Server(2).WaitReady()
			w.create(w.dial(2), "/by-2")
			if err := harness.Serves(w.ctx, w.Server(3).Addr()); err == nil {
				t.Error("the leader serves")
			}
			w.Server(1).Launch()
			w.Server(1).WaitReady()
			w.Server(3).Kill()
			// One of the two leads now, and only the other one serves.
			w.create(w.dial(1, 2), "/by-one-of-two")
			first, second := harness.Serves(w.ctx, w.Server(1).Addr()), harness.Serves(w.ctx, w.Server(2).Addr())
			if (first == nil) == (second == nil) {
				t.Errorf("member 1: %v, member 2: %v", first, second)
			}
		})
	}
}
