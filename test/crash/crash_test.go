package crash

import (
	"bytes"
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/datatool"
	"github.com/quollhq/quoll/test/harness"
)

var (
	rounds = flag.Int("crash.rounds", 10, "how often the server is killed")
	seed   = flag.Uint64("crash.seed", 1, "where the random numbers begin")
)

const workers = 16

func TestMain(m *testing.M) {
	if program := os.Getenv(supervised); program != "" {
		becomeSupervised(program)
	}
	flag.Parse()
	os.Exit(harness.Main(m))
}

// TestKillUnderLoad kills the server at random moments while workers write,
// starts it again, and compares what is there with what was acknowledged.
// Snapshots are taken and logs rolled all the time.
func TestKillUnderLoad(t *testing.T) {
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		server := harness.Start(t, subject, harness.Config{
			Keys:       map[string]string{"snapCount": "400", "preAllocSize": "256", "autopurge.snapRetainCount": "3"},
			Properties: map[string]string{"zookeeper.snapCount": "400", "zookeeper.preAllocSize": "256"},
		})
		rng := rand.New(rand.NewPCG(*seed, 99))
		acks := newCounter()
		all := make([]*worker, workers)
		setup := dial(ctx, t, server)
		for i := range all {
			all[i] = newWorker(i, *seed, acks.add)
			if err := all[i].setup(ctx, setup); err != nil {
				t.Fatal(err)
			}
		}
		hangUp(t, setup)
		for round := range *rounds {
			load(ctx, t, server, all, acks, int64(1+rng.IntN(2000)))
			verifyQuolls(t, server)
			server.Restart()
			c := dial(ctx, t, server)
			for _, w := range all {
				if err := w.check(ctx, c); err != nil {
					t.Fatalf("round %d, seed %d: %v", round, *seed, err)
				}
			}
			hangUp(t, c)
		}
		server.Kill()
		verifyQuolls(t, server)
		t.Logf("%d requests were acknowledged", acks.value())
	})
}

// load lets the workers write until more requests were acknowledged, and kills
// the server while they go on.
func load(ctx context.Context, t *testing.T, server *harness.Server, all []*worker, acks *counter, more int64) {
	t.Helper()
	reached := acks.reach(acks.value() + more)
	failed := make(chan error, len(all))
	var wg sync.WaitGroup
	for _, w := range all {
		c := dial(ctx, t, server, client.WithFailFast())
		wg.Go(func() {
			defer c.Detach() // the server is gone: there is nobody to say goodbye to
			if err := w.run(ctx, c); err != nil {
				failed <- err
			}
		})
	}
	select {
	case <-reached:
	case err := <-failed:
		t.Fatal(err)
	case <-server.Exited():
		t.Fatal("the server ended by itself")
	}
	server.Kill()
	wg.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
}

func dial(ctx context.Context, t *testing.T, server *harness.Server, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.Dial(ctx, server.Addr(), append(opts, client.WithSessionTimeout(30*time.Second))...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hangUp(t *testing.T, c *client.Client) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// verifyQuolls verifies the directory of a quoll. Apache's server writes
// snapshots under their names: a kill leaves the beginning of one, which the
// next start passes over.
func verifyQuolls(t *testing.T, server *harness.Server) {
	t.Helper()
	if server.Subject() == harness.Quoll {
		verify(t, server.DataDir())
	}
}

// verify looks at every checksum and digest of a directory, as the killed
// server left it.
func verify(t *testing.T, dataDir string) {
	t.Helper()
	cmd := datatool.NewCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"verify", dataDir})
	if err := cmd.Execute(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// counter counts, and tells when a number is reached.
type counter struct {
	mu     sync.Mutex
	n      int64
	target int64
	done   chan struct{}
}

func newCounter() *counter { return &counter{} }

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.n == c.target {
		close(c.done)
	}
}

func (c *counter) value() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// reach is closed at the n-th add, which must be in the future.
func (c *counter) reach(n int64) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target, c.done = n, make(chan struct{})
	return c.done
}
