package interop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/barrier"
	"github.com/quollhq/quoll/recipe/cache"
	"github.com/quollhq/quoll/recipe/counter"
	"github.com/quollhq/quoll/recipe/election"
	"github.com/quollhq/quoll/recipe/group"
	"github.com/quollhq/quoll/recipe/lock"
	"github.com/quollhq/quoll/recipe/queue"
)

// native is quoll's own player, in the forms of another library.
type native struct {
	ctx   context.Context
	c     *client.Client
	kazoo bool

	mu      sync.Mutex
	last    map[string]*outcome // of each handle
	held    map[string]any
	running sync.WaitGroup
}

func newNative(t *testing.T, addr string) *native {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	dialing, done := context.WithTimeout(ctx, patience)
	defer done()
	c, err := client.Dial(dialing, addr)
	if err != nil {
		t.Fatal(err)
	}
	n := &native{ctx: ctx, c: c, last: make(map[string]*outcome), held: make(map[string]any)}
	t.Cleanup(func() {
		cancel()
		n.running.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *native) name() string { return "quoll" }

func (n *native) begin(handle, operation string, args ...string) *outcome {
	o := newOutcome(n, handle, operation, args)
	n.mu.Lock()
	before := n.last[handle]
	n.last[handle] = o
	n.mu.Unlock()
	n.running.Go(func() {
		if before != nil {
			<-before.ready
		}
		o.end(n.run(handle, operation, args))
	})
	return o
}

func (n *native) put(handle string, v any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held[handle] = v
}

func (n *native) get(handle string) any {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[handle]
}

func (n *native) run(handle, operation string, a []string) (string, error) {
	switch operation {
	case "lock":
		return n.lock(handle, a[0], a[1], a[2] == "wait")
	case "unlock":
		return "released", n.get(handle).(*lock.Held).Unlock(n.ctx)
	case "elect":
		return n.elect(handle, a[0], a[1], a[2])
	case "await":
		_, err := n.get(handle).(*candidate).latch.Await(n.ctx)
		return "leads", err
	case "leader":
		who, err := n.get(a[0]).(*candidate).Leader(n.ctx)
		return who.ID, err
	case "resign":
		return "resigned", n.get(handle).(*candidate).latch.Close(n.ctx)
	case "count":
		return n.count(a[0], a[1], a[2])
	case "put":
		return n.putMessage(a[0], a[1], a[2], a[3])
	case "take":
		return n.take(a[0], a[1], a[2])
	case "close", "open", "pass":
		return n.barrier(operation, a[0])
	case "enter":
		return n.enter(handle, a[0], a[1])
	case "leave":
		return "left", n.get(handle).(*barrier.Double).Leave(n.ctx)
	case "join":
		return n.join(handle, a[0], a[1], a[2], a[3])
	case "members":
		return n.members(a[0], a[1])
	case "part":
		return "gone", n.get(handle).(*group.Member).Leave(n.ctx)
	case "cache":
		tree, err := cache.Open(n.ctx, n.c, a[0], cache.String)
		n.put(handle, tree)
		return "started", err
	case "cached":
		return cached(n.get(handle).(*cache.Tree[string])), nil
	}
	return "", fmt.Errorf("no operation %s", operation)
}

func (n *native) names() lock.Names {
	if n.kazoo {
		return lock.KazooNames
	}
	return lock.CuratorNames
}

func (n *native) lock(handle, kind, path string, wait bool) (string, error) {
	var take, try func(context.Context) (*lock.Held, error)
	switch kind {
	case "mutex":
		m, err := lock.New(n.c, path, lock.WithNames(n.names()))
		if err != nil {
			return "", err
		}
		take, try = m.Lock, m.TryLock
	case "reader", "writer":
		rw, err := lock.NewRW(n.c, path, lock.WithNames(n.names()))
		if err != nil {
			return "", err
		}
		m := rw.Writer()
		if kind == "reader" {
			m = rw.Reader()
		}
		take, try = m.Lock, m.TryLock
	default:
		leases := map[string]int{"semaphore-mutex": 1, "semaphore-2": 2}[kind]
		s, err := lock.NewSemaphore(n.c, path, leases)
		if err != nil {
			return "", err
		}
		take, try = s.Acquire, s.TryAcquire
	}
	if !wait {
		take = try
	}
	h, err := take(n.ctx)
	if errors.Is(err, lock.ErrLocked) {
		return "false", nil
	}
	n.put(handle, h)
	return "true", err
}

// candidate takes part in an election.
type candidate struct {
	*election.Election
	latch *election.Latch
}

func (n *native) elect(handle, kind, path, id string) (string, error) {
	names := map[string]lock.Names{"latch": election.LatchNames, "selector": election.SelectorNames, "kazoo": election.KazooNames}[kind]
	e, err := election.New(n.c, path, election.WithID(id), election.WithNames(names))
	if err != nil {
		return "", err
	}
	n.put(handle, &candidate{e, e.Join(n.ctx)})
	return "taking part", nil
}

func (n *native) count(kind, path, delta string) (string, error) {
	by, err := strconv.ParseInt(delta, 10, 64)
	if err != nil {
		return "", err
	}
	format := map[string]counter.Format{"long": counter.Long, "int": counter.Int, "shared": counter.Int, "text": counter.Text}[kind]
	c, err := counter.New(n.c, path, counter.WithFormat(format))
	if err != nil {
		return "", err
	}
	v, err := c.Add(n.ctx, by)
	return fmt.Sprint(v), err
}

func (n *native) queue(kind, path string) (*queue.Queue, error) {
	layout := map[string]queue.Layout{"fifo": queue.Curator, "priority": queue.CuratorPriority, "delay": queue.CuratorDelay,
		"simple": queue.Simple, "kazoo": queue.Kazoo, "kazoo-locking": queue.KazooLocking}[kind]
	return queue.New(n.c, path, queue.WithLayout(layout))
}

func (n *native) putMessage(kind, path, message, more string) (string, error) {
	q, err := n.queue(kind, path)
	if err != nil {
		return "", err
	}
	var opts []queue.PutOption
	if more != "" {
		number, err := strconv.Atoi(more)
		if err != nil {
			return "", err
		}
		opts = append(opts, queue.Priority(number))
		if kind == "delay" {
			opts[0] = queue.Due(time.Now().Add(time.Duration(number) * time.Millisecond))
		}
	}
	return "put", q.Put(n.ctx, []byte(message), opts...)
}

// take takes messages, with an acknowledgement where the layout has locks.
func (n *native) take(kind, path, count string) (string, error) {
	q, err := n.queue(kind, path)
	if err != nil {
		return "", err
	}
	want, err := strconv.Atoi(count)
	var got []string
	for err == nil && len(got) < want {
		var m queue.Message
		if kind == "simple" || kind == "kazoo" {
			m, err = q.Take(n.ctx)
		} else {
			var d *queue.Delivery
			if d, err = q.Receive(n.ctx); err == nil {
				m, err = d.Message, d.Ack(n.ctx)
			}
		}
		for _, body := range m.Bodies {
			got = append(got, string(body))
		}
	}
	return strings.Join(got, ","), err
}

func (n *native) barrier(operation, path string) (string, error) {
	b, err := barrier.New(n.c, path)
	if err != nil {
		return "", err
	}
	switch operation {
	case "close":
		return "closed", b.Close(n.ctx)
	case "open":
		return "open", b.Open(n.ctx)
	}
	return "passed", b.Wait(n.ctx)
}

func (n *native) enter(handle, path, count string) (string, error) {
	number, err := strconv.Atoi(count)
	if err != nil {
		return "", err
	}
	d, err := barrier.NewDouble(n.c, path, number)
	if err != nil {
		return "", err
	}
	n.put(handle, d)
	return "entered", d.Enter(n.ctx)
}

func (n *native) group(kind, path string) (*group.Group, error) {
	layout := map[string]group.Layout{"member": group.Curator, "party": group.KazooParty, "shallow": group.KazooShallowParty}[kind]
	return group.New(n.c, path, group.WithLayout(layout))
}

func (n *native) join(handle, kind, path, id, data string) (string, error) {
	g, err := n.group(kind, path)
	if err != nil {
		return "", err
	}
	var bytes []byte
	if data != "" {
		bytes = []byte(data)
	}
	m, err := g.Join(n.ctx, id, bytes)
	n.put(handle, m)
	return "joined", err
}

func (n *native) members(kind, path string) (string, error) {
	g, err := n.group(kind, path)
	if err != nil {
		return "", err
	}
	list, err := g.Members(n.ctx)
	var all []string
	for _, m := range list {
		all = append(all, m.ID+"="+string(m.Data))
	}
	return strings.Join(all, ","), err
}

func cached(tree *cache.Tree[string]) string {
	var all []string
	for n := range tree.View().All() {
		all = append(all, n.Path+"="+n.Value)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}
