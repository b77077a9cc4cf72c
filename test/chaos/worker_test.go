package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
)

const (
	// workers write and read beside each other.
	workers = 5
	// keysAtOnce are used at a time: new ones from step to step, since a write without an outcome lies beside all that
	// comes after it, and makes the history of its key harder to decide.
	keysAtOnce = 4
	// requestTime bounds one request: what does not come by then has an unknown outcome.
	requestTime = 3 * time.Second
	// manyUnknown is how many outcomes may be unknown until new keys are used.
	manyUnknown = 8
)

// deletes tells which keys are deleted now and then.
func deletes(key string) bool { return strings.HasSuffix(key, "d") }

// workload is clients that work until they are told to stop.
type workload struct {
	history *history
	// generation is the step whose keys are used.
	generation atomic.Int64
	acked      atomic.Int64
	unknown    atomic.Int64 // outcomes since manyUnknown was reached last
	// present tells that the members have linearizableReads.
	present atomic.Bool
}

// bulk is how much there is besides what is worked on, so that a part of a log is less than a state.
const bulk = 400 << 10

// prepare makes what is there before the faults begin.
func (l *workload) prepare(t *testing.T, c *cluster, r *rand.Rand) {
	first := l.worker(t, workers, c.addrs(), r)
	defer first.c.Close()
	for path, data := range map[string][]byte{"/r": nil, "/burst": nil, "/bulk": make([]byte, bulk)} {
		if _, err := first.c.Create(t.Context(), path, data); err != nil {
			t.Fatal(err)
		}
	}
}

// abandon leaves a session behind, which expires, if a member has it in time.
func (l *workload) abandon(c *cluster, r *rand.Rand) {
	one, err := client.New(c.members[r.IntN(len(c.members))].addr(), client.WithSessionTimeout(time.Second))
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 500*time.Millisecond)
	defer cancel()
	_ = one.WaitConnected(ctx)
	_ = one.Detach()
}

// key is the i-th of a step.
func key(step int64, i int) string {
	if i%2 == 1 {
		return fmt.Sprintf("/r/%d-%d-d", step, i)
	}
	return fmt.Sprintf("/r/%d-%d", step, i)
}

// worker is one client.
type worker struct {
	load     *workload
	id       int
	rand     *rand.Rand
	c        *client.Client
	versions map[string]int32 // that were seen last
	count    int
}

func (l *workload) worker(t *testing.T, id int, servers []string, r *rand.Rand) *worker {
	t.Helper()
	servers = append([]string(nil), servers...)
	r.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
	c, err := client.New(strings.Join(servers, ","), client.WithServerOrder(), client.WithSessionTimeout(4*time.Second),
		client.WithConnectTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return &worker{load: l, id: id, rand: r, c: c, versions: map[string]int32{}}
}

// run works until ctx ends.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.one(ctx, key(w.load.generation.Load(), w.rand.IntN(keysAtOnce)))
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(1+w.rand.IntN(8)) * time.Millisecond):
		}
	}
}

// one does something with a key.
func (w *worker) one(ctx context.Context, key string) {
	w.count++
	in := input{key: key, value: fmt.Sprintf("%d.%d", w.id, w.count)}
	switch n := w.rand.IntN(20); {
	case n < 3:
		in.kind = create
	case n < 7:
		in.kind = set
	case n < 10:
		in.kind, in.version = cas, w.versions[key]
	case n < 11 && deletes(key):
		in.kind = remove
	case n < 13:
		in.kind, in.how = read, behindSync
	case n < 16:
		in.kind, in.how = read, onePiece
	case w.load.present.Load():
		in.kind, in.how = read, byMember
	default:
		w.plainRead(ctx, key)
		return
	}
	w.do(ctx, in)
}

// do does an operation and records it.
func (w *worker) do(ctx context.Context, in input) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	call := w.load.history.now()
	var stat client.Stat
	var out output
	var err error
	switch in.kind {
	case create:
		_, stat, err = w.c.Create2(ctx, in.key, []byte(in.value))
	case set:
		stat, err = w.c.Set(ctx, in.key, []byte(in.value), client.AnyVersion)
	case cas:
		stat, err = w.c.Set(ctx, in.key, []byte(in.value), in.version)
	case remove:
		err = w.c.Delete(ctx, in.key, client.AnyVersion)
	case read:
		var data []byte
		data, stat, err = w.read(ctx, in)
		out.value = string(data)
	}
	if in.kind == read {
		in.value = ""
	}
	out.version = stat.Version
	out.outcome = outcomeOf(err)
	w.load.history.add(w.id, call, in, out)
	if out.outcome == unknown && in.kind != read && w.load.unknown.Add(1)%manyUnknown == 0 {
		w.load.generation.Add(1)
	}
	if out.outcome == done {
		w.load.acked.Add(1)
		w.versions[in.key] = stat.Version
		if in.kind != remove {
			w.load.history.saw(sighting{key: in.key, client: w.id, mzxid: stat.Mzxid})
		}
	}
}

// read shows the present.
func (w *worker) read(ctx context.Context, in input) (data []byte, stat client.Stat, err error) {
	switch in.how {
	case behindSync:
		if err := w.c.Sync(ctx, in.key); err != nil {
			return nil, stat, fmt.Errorf("sync: %v", err) // not even a missing node is known
		}
	case onePiece:
		ctx = client.Linearizable(ctx)
	}
	return w.c.Get(ctx, in.key)
}

func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return done
	case errors.Is(err, client.ErrNoNode):
		return noNode
	case errors.Is(err, client.ErrNodeExists):
		return nodeExists
	case errors.Is(err, client.ErrBadVersion):
		return badVersion
	case client.MaybeApplied(err):
		return unknown
	}
	return nothing
}

// plainRead reads without a sync.
func (w *worker) plainRead(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	floor := w.c.LastZxid()
	_, stat, err := w.c.Get(ctx, key)
	switch outcomeOf(err) {
	case done:
		w.versions[key] = stat.Version
		w.load.history.saw(sighting{key, w.id, floor, stat.Mzxid, true})
	case noNode:
		w.load.history.saw(sighting{key, w.id, floor, 0, true})
	}
}
