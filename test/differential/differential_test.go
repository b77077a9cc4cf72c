package differential

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/quollhq/quoll/test/harness"
)

var (
	ops     = flag.Int("ops", 100_000, "how many operations to send")
	seed    = flag.Uint64("seed", 1, "what the random choices of the first episode follow from; the next ones count up")
	episode = flag.Int("episode", 12_500, "how many operations to send to one pair of servers")
	shrinks = flag.Duration("shrink", 90*time.Second, "how long to look for a shorter sequence after a difference")
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// Random requests get the same answers from quoll as from Apache's server, also on each other's data.
func TestDifferential(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	for sent, s := 0, *seed; sent < *ops; s++ {
		n := min(*episode, *ops-sent)
		ok := t.Run(fmt.Sprintf("seed-%d", s), func(t *testing.T) { runEpisode(t, s, n) })
		if !ok {
			return
		}
		sent += n
	}
}

// runEpisode sends n operations: three quarters of them, then servers swap their data, then the rest.
func runEpisode(t *testing.T, seed uint64, n int) {
	p := newPlayer(t)
	g := newGenerator(seed)
	began := time.Now()
	var steps []step
	play := func(s step) observation {
		steps = append(steps, s)
		judge, quoll, same := p.play(s)
		if !same {
			report(t, seed, n, steps, judge, quoll)
		}
		return judge
	}
	sent := 0
	until := func(limit int) {
		for sent < limit {
			s := g.next()
			g.learn(s, play(s))
			sent += size(s)
		}
	}
	until(n * 3 / 4)
	play(walk{})
	play(swap{})
	g.disconnected()
	play(walk{})
	until(n)
	play(walk{})
	t.Logf("%d operations in %d steps, %d znodes at the end, %s", sent, len(steps), len(g.model.paths),
		time.Since(began).Round(time.Millisecond))
}

func size(s step) int {
	if s, ok := s.(send); ok {
		return len(s.requests)
	}
	return 1
}

// before is how many steps are shown that led to a difference that does not come again.
const before = 40

// report ends the test with the difference, cut down to the steps that matter.
func report(t *testing.T, seed uint64, n int, steps []step, judge, quoll observation) {
	t.Helper()
	t.Errorf("seed %d, step %d differs:\n%s\n%s\nreplay: go test ./test/differential -seed %d -ops %d -episode %d",
		seed, len(steps), steps[len(steps)-1], explain(judge, quoll), seed, n, n)
	switch {
	case *shrinks == 0:
	case differs(t, 0, steps):
		short := shrink(t, steps, *shrinks)
		t.Errorf("these %d of the %d steps are enough:\n%s", len(short), len(steps), transcript(short))
	default:
		last := steps[max(0, len(steps)-before):]
		t.Errorf("the same steps did not differ again; the last %d of the %d:\n%s", len(last), len(steps), transcript(last))
	}
	t.FailNow()
}
