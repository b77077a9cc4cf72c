package ensemble

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// handOvers is how often the lead changes in a test.
const handOvers = 6

// TestHandOverLosesNothing has leaders hand over again and again, by command, while clients of every voter write and read:
// all have all their answers, by the connections that they had, and each write was done once.
func TestHandOverLosesNothing(t *testing.T) {
	attempts(t, []int{1, 2, 3}, func(w *world, l *load) {
		for range handOvers {
			if !l.progress() {
				return
			}
			leader := w.Leader()
			if out, err := w.handOver(leader); err != nil {
				t.Fatalf("member %d: %s, %v", leader, out, err)
			}
		}
	})
}

// TestStoppedLeaderLosesNothing stops a leader.
func TestStoppedLeaderLosesNothing(t *testing.T) {
	attempts(t, []int{1, 2}, func(w *world, l *load) {
		if l.progress() {
			w.Server(3).Stop()
		}
	})
}

// attempts does something to an ensemble whose member 3 leads, while clients of these members write. On a machine that
// stalls, an election may take a detour, and clients are let go then: that must not be so each time.
func attempts(t *testing.T, clients []int, do func(*world, *load)) {
	for range 3 {
		w := handOverWorld(t)
		w.lead(3)
		l := w.newLoad(clients...)
		do(w, l)
		l.progress()
		if l.end() {
			return
		}
		t.Log("connections were lost")
	}
	t.Error("connections were lost each time")
}

// handOverWorld is three voters and an observer. A tick is long: members keep their clients for a part of it.
func handOverWorld(t *testing.T) *world {
	if testing.Short() {
		t.Skip("starts servers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	seats := append(harness.Seats(3, harness.Quoll), harness.Seat{Subject: harness.Quoll, Observer: true})
	w := &world{t: t, ctx: ctx, size: len(seats), Ensemble: harness.NewEnsemble(t, harness.EnsembleConfig{
		Seats: seats, Admin: true, Keys: map[string]string{"tickTime": "6000", "initLimit": "1", "4lw.commands.whitelist": "*"},
	})}
	w.Start()
	return w
}

// handOver asks a member to hand over.
func (w *world) handOver(sid int) (string, error) {
	binary, err := harness.Binary()
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(w.ctx, binary, "hand-over", w.Server(sid).AdminAddr(), "--auth", "digest ops:secret").CombinedOutput()
	return string(out), err
}

// load is clients that write and read, each at one member, and never want to lose a connection.
type load struct {
	w       *world
	ctx     context.Context
	stop    context.CancelFunc
	writers []*writer
	wg      sync.WaitGroup
	lost    atomic.Bool // a connection
}

// writer is one of the clients.
type writer struct {
	sid   int
	path  string
	c     *client.Client
	dials atomic.Int32 // connections so far
	mu    sync.Mutex
	acked int
	more  chan struct{} // has a token when more is acknowledged

	failed chan struct{} // closed when a request has failed
	fail   sync.Once
}

// pipelined is how many goroutines create by one connection.
const pipelined = 4

// newLoad begins with clients at these members.
func (w *world) newLoad(sids ...int) *load {
	w.t.Helper()
	l := &load{w: w}
	l.ctx, l.stop = context.WithCancel(w.ctx)
	w.t.Cleanup(l.wg.Wait)
	w.t.Cleanup(l.stop)
	for _, sid := range sids {
		x := &writer{sid: sid, path: fmt.Sprintf("/w%d", sid), more: make(chan struct{}, 1), failed: make(chan struct{})}
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			x.dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		x.c = w.dialWith([]client.Option{client.WithSessionTimeout(time.Minute), client.WithDialer(dial)}, sid)
		w.create(x.c, x.path)
		w.create(x.c, x.path+"/counter")
		w.create(x.c, x.path+"/lives", client.Ephemeral)
		l.writers = append(l.writers, x)
		l.wg.Go(func() { l.count(x) })
		for i := range pipelined {
			l.wg.Go(func() { l.createMany(x, i) })
		}
	}
	return l
}

// count sets a znode from version to version, and reads what it wrote.
func (l *load) count(x *writer) {
	version := int32(0)
	for l.ctx.Err() == nil {
		text := fmt.Sprint(version + 1)
		stat, err := x.c.Set(l.w.ctx, x.path+"/counter", []byte(text), version)
		if err != nil {
			l.failed(x, fmt.Errorf("set of version %d: %w", version, err))
			return
		}
		if version++; stat.Version != version {
			l.w.t.Errorf("member %d: version %d, want %d", x.sid, stat.Version, version)
		}
		if data, _, err := x.c.Get(l.w.ctx, x.path+"/counter"); err != nil || string(data) != text {
			l.failed(x, fmt.Errorf("read %q after %s: %w", data, text, err))
			return
		}
		x.ack()
	}
}

// createMany creates znodes beside others, whose names the server counts.
func (l *load) createMany(x *writer, i int) {
	for l.ctx.Err() == nil {
		if _, err := x.c.Create(l.w.ctx, fmt.Sprintf("%s/n%d-", x.path, i), nil, client.PersistentSequential); err != nil {
			l.failed(x, err)
			return
		}
		x.ack()
		x.mu.Lock()
		x.acked++
		x.mu.Unlock()
	}
}

// failed ends a writer. What it may not lose but on a machine that stalls is its connection.
func (l *load) failed(x *writer, err error) {
	x.fail.Do(func() { close(x.failed) })
	if errors.Is(err, client.ErrConnectionLoss) {
		l.lost.Store(true)
		return
	}
	l.w.t.Errorf("member %d: %v", x.sid, err)
}

func (x *writer) ack() {
	select {
	case x.more <- struct{}{}:
	default:
	}
}

// progress waits until every client has had answers to requests that it begins now. It is false if one has failed.
func (l *load) progress() bool {
	l.w.t.Helper()
	for _, x := range l.writers {
		for range 2 * (pipelined + 1) {
			select {
			case <-x.more:
			case <-x.failed:
				return false
			case <-l.w.ctx.Done():
				l.w.t.Fatalf("member %d: no answer", x.sid)
			}
		}
	}
	return true
}

// end stops the clients, and looks whether all that they were told is true. It is false if a connection was lost.
func (l *load) end() bool {
	l.w.t.Helper()
	l.stop()
	l.wg.Wait()
	total := 0
	for _, x := range l.writers {
		if x.dials.Load() != 1 {
			l.lost.Store(true)
		}
		names, _, err := x.c.Children(l.w.ctx, x.path)
		l.w.must(err)
		n := 0
		for _, name := range names {
			if strings.HasPrefix(name, "n") {
				n++
			}
		}
		if lost := l.lost.Load(); n < x.acked || n > x.acked && !lost || n > x.acked+pipelined {
			l.w.t.Errorf("member %d: %d znodes, and %d were acknowledged; connections lost: %v", x.sid, n, x.acked, lost)
		}
		if _, ok, err := x.c.Exists(l.w.ctx, x.path+"/lives"); !ok || err != nil {
			l.w.t.Errorf("member %d: the ephemeral lives: %v, %v", x.sid, ok, err)
		}
		total += x.acked
	}
	l.w.t.Logf("%d creates at %d members were acknowledged", total, len(l.writers))
	return !l.lost.Load()
}
