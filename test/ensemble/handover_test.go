package ensemble

import (
	"context"
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

// TestHandOverLosesNothing has leaders hand over again and again, by command, while clients of
// every voter write and read: all have all their answers, by the connections that they had, and each write was done once.
func TestHandOverLosesNothing(t *testing.T) {
	w := handOverWorld(t)
	load := w.newLoad(1, 2, 3)
	for range handOvers {
		load.progress()
		leader := w.Leader()
		if out, err := w.handOver(leader); err != nil {
			t.Fatalf("member %d: %s, %v", leader, out, err)
		}
	}
	load.progress()
	load.end()
	for sid := 1; sid <= w.size; sid++ {
		if got := w.content(sid); got != w.content(1) {
			t.Errorf("member %d has\n%s", sid, got)
		}
	}
}

// TestStoppedLeaderLosesNothing stops a leader.
func TestStoppedLeaderLosesNothing(t *testing.T) {
	w := handOverWorld(t)
	w.lead(3)
	load := w.newLoad(1, 2)
	load.progress()
	w.Server(3).Stop()
	load.progress()
	load.end()
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
			l.w.t.Errorf("member %d: set of version %d: %v", x.sid, version, err)
			x.fail.Do(func() { close(x.failed) })
			return
		}
		if version++; stat.Version != version {
			l.w.t.Errorf("member %d: version %d, want %d", x.sid, stat.Version, version)
		}
		if data, _, err := x.c.Get(l.w.ctx, x.path+"/counter"); err != nil || string(data) != text {
			l.w.t.Errorf("member %d: read %q after %s, %v", x.sid, data, text, err)
			x.fail.Do(func() { close(x.failed) })
			return
		}
		x.ack()
	}
}

// createMany creates znodes beside others, whose names the server counts.
func (l *load) createMany(x *writer, i int) {
	for l.ctx.Err() == nil {
		if _, err := x.c.Create(l.w.ctx, fmt.Sprintf("%s/n%d-", x.path, i), nil, client.PersistentSequential); err != nil {
			l.w.t.Errorf("member %d: create: %v", x.sid, err)
			x.fail.Do(func() { close(x.failed) })
			return
		}
		x.ack()
		x.mu.Lock()
		x.acked++
		x.mu.Unlock()
	}
}

func (x *writer) ack() {
	select {
	case x.more <- struct{}{}:
	default:
	}
}

// progress waits until every client has had answers to requests that it begins now, or fails.
func (l *load) progress() {
	l.w.t.Helper()
	for _, x := range l.writers {
		for range 2 * (pipelined + 1) {
			select {
			case <-x.more:
			case <-x.failed:
				l.w.t.FailNow()
			case <-l.w.ctx.Done():
				l.w.t.Fatalf("member %d: no answer", x.sid)
			}
		}
	}
}

// end stops the clients, and looks whether all that they were told is true.
func (l *load) end() {
	l.w.t.Helper()
	l.stop()
	l.wg.Wait()
	for _, x := range l.writers {
		if n := x.dials.Load(); n != 1 {
			l.w.t.Errorf("the client of member %d has had %d connections", x.sid, n)
		}
		names, _, err := x.c.Children(l.w.ctx, x.path)
		l.w.must(err)
		n := 0
		for _, name := range names {
			if strings.HasPrefix(name, "n") {
				n++
			}
		}
		if n != x.acked {
			l.w.t.Errorf("member %d: %d znodes, and %d were acknowledged", x.sid, n, x.acked)
		}
		if _, ok, err := x.c.Exists(l.w.ctx, x.path+"/lives"); !ok || err != nil {
			l.w.t.Errorf("member %d: the ephemeral lives: %v, %v", x.sid, ok, err)
		}
	}
	if !l.w.t.Failed() {
		total := 0
		for _, x := range l.writers {
			total += x.acked
		}
		l.w.t.Logf("%d creates at %d members, all acknowledged", total, len(l.writers))
	}
}
