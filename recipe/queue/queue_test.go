package queue_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/queue"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error %v, want %v", err, target)
	}
}

func open(t *testing.T, c *client.Client, opts ...queue.Option) *queue.Queue {
	t.Helper()
	return must[*queue.Queue](t)(queue.New(c, "/q", opts...))
}

func wantTaken(t *testing.T, q *queue.Queue, want ...string) {
	t.Helper()
	for _, w := range want {
		m := must[queue.Message](t)(q.Take(servertest.Context(t)))
		if string(m.Bodies[0]) != w {
			t.Errorf("took %q, want %q", m.Bodies[0], w)
		}
	}
}

// The nodes are those of the other libraries, to the byte.
func TestLayouts(t *testing.T) {
	due := time.UnixMilli(1700000000000)
	for _, tc := range []struct {
		layout queue.Layout
		path   string
		opts   []queue.PutOption
		name   string
		data   string // hexadecimal
	}{
		{queue.Curator, "/q", nil, "queue-0000000000", "00010001010000000568656c6c6f02"},
		{queue.CuratorPriority, "/q", []queue.PutOption{queue.Priority(5)}, "queue-1000000050000000000", "00010001010000000568656c6c6f02"},
		{queue.CuratorPriority, "/q", []queue.PutOption{queue.Priority(-5)}, "queue-0FFFFFFFB0000000000", "00010001010000000568656c6c6f02"},
		{queue.CuratorDelay, "/q", []queue.PutOption{queue.Due(due)}, "queue-|18BCFE56800|0000000000", "00010001010000000568656c6c6f02"},
		{queue.Simple, "/q", nil, "qn-0000000000", "68656c6c6f"},
		{queue.Kazoo, "/q", nil, "entry-100-0000000000", "68656c6c6f"},
		{queue.KazooLocking, "/q/entries", []queue.PutOption{queue.Priority(7)}, "entry-007-0000000000", "68656c6c6f"},
	} {
		t.Run(fmt.Sprint(tc.layout, tc.name), func(t *testing.T) {
			ctx := servertest.Context(t)
			c := servertest.Dial(t, servertest.Start(t))
			q := open(t, c, queue.WithLayout(tc.layout))
			check(t, q.Put(ctx, []byte("hello"), tc.opts...))
			names := must[[]string](t)(c.ChildNames(ctx, tc.path))
			if !slices.Equal(names, []string{tc.name}) {
				t.Fatalf("names %v", names)
			}
			data, _, err := c.Get(ctx, tc.path+"/"+tc.name)
			if err != nil || hex.EncodeToString(data) != tc.data {
				t.Errorf("data %x, %v", data, err)
			}
			wantTaken(t, q, "hello")
			check(t, q.PutAll(ctx, [][]byte{[]byte("a"), []byte("bb")}, tc.opts...))
			var all []string
			for len(all) < 2 {
				d := must[*queue.Delivery](t)(q.Receive(ctx))
				for _, b := range d.Bodies {
					all = append(all, string(b))
				}
				check(t, d.Ack(ctx))
				if d.Context().Err() == nil {
					t.Error("the delivery goes on")
				}
			}
			if !slices.Equal(all, []string{"a", "bb"}) {
				t.Errorf("received %q", all)
			}
			_, err = q.TryTake(ctx)
			wantIs(t, err, queue.ErrEmpty)
			_, err = q.TryReceive(ctx)
			wantIs(t, err, queue.ErrEmpty)
		})
	}
}

func TestOrder(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	fifo := must[*queue.Queue](t)(queue.New(c, "/fifo"))
	for _, s := range []string{"1", "2", "3"} {
		check(t, fifo.Put(ctx, []byte(s)))
	}
	if n := must[int](t)(fifo.Len(ctx)); n != 3 {
		t.Errorf("length %d", n)
	}
	wantTaken(t, fifo, "1", "2", "3")
	priority := must[*queue.Queue](t)(queue.New(c, "/priority", queue.WithLayout(queue.CuratorPriority)))
	for _, p := range []int{5, -5, 0, 1 << 20, -1 << 20} {
		check(t, priority.Put(ctx, fmt.Append(nil, p), queue.Priority(p)))
	}
	wantTaken(t, priority, "-1048576", "-5", "0", "5", "1048576")
	delay := must[*queue.Queue](t)(queue.New(c, "/delay", queue.WithLayout(queue.CuratorDelay)))
	now := time.Now()
	check(t, delay.Put(ctx, []byte("tomorrow"), queue.Due(now.Add(24*time.Hour))))
	_, err := delay.TryTake(ctx)
	wantIs(t, err, queue.ErrEmpty)
	check(t, delay.Put(ctx, []byte("later"), queue.Due(now.Add(150*time.Millisecond))))
	check(t, delay.Put(ctx, []byte("soon"), queue.Due(now.Add(50*time.Millisecond))))
	wantTaken(t, delay, "soon", "later")
	if time.Since(now) < 150*time.Millisecond {
		t.Error("taken before it was due")
	}
}

// Each message is delivered to one of many receivers.
func TestManyReceivers(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	const n = 60
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for i := range 4 {
		q := open(t, servertest.Dial(t, server))
		wg.Go(func() {
			for {
				var m queue.Message
				var err error
				if i%2 == 0 {
					m, err = q.Take(ctx)
				} else {
					var d *queue.Delivery
					if d, err = q.Receive(ctx); err == nil {
						m, err = d.Message, d.Ack(ctx)
					}
				}
				if errors.Is(err, queue.ErrLost) {
					continue // Take takes no notice of the locks
				}
				if err != nil {
					t.Error(err)
					return
				}
				if string(m.Bodies[0]) == "end" {
					return
				}
				mu.Lock()
				seen[string(m.Bodies[0])]++
				mu.Unlock()
			}
		})
	}
	in := open(t, servertest.Dial(t, server))
	for i := range n {
		check(t, in.Put(ctx, fmt.Append(nil, i)))
	}
	for range 4 {
		check(t, in.Put(ctx, []byte("end")))
	}
	wg.Wait()
	if len(seen) != n {
		t.Errorf("%d of %d messages came", len(seen), n)
	}
	for m, times := range seen {
		if times != 1 {
			t.Errorf("message %s came %d times", m, times)
		}
	}
}

// A message goes to another when its receiver is gone, and to the dead letters
// after enough attempts.
func TestDeadLetters(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	opts := []queue.Option{queue.WithDeadLetters("/dead/q", 3)}
	q := open(t, servertest.Dial(t, server), opts...)
	check(t, q.Put(ctx, []byte("poison")))
	dying := must[*client.Client](t)(client.Dial(ctx, server))
	d := must[*queue.Delivery](t)(open(t, dying, opts...).Receive(ctx))
	if d.Attempt != 1 {
		t.Errorf("attempt %d", d.Attempt)
	}
	_, err := q.TryReceive(ctx)
	wantIs(t, err, queue.ErrEmpty)
	check(t, dying.Close())
	<-d.Context().Done()
	wantIs(t, d.Ack(ctx), queue.ErrLost)
	for attempt := 2; attempt <= 3; attempt++ {
		d := must[*queue.Delivery](t)(q.Receive(ctx))
		if d.Attempt != attempt || string(d.Bodies[0]) != "poison" {
			t.Errorf("attempt %d: %q", d.Attempt, d.Bodies)
		}
		check(t, d.Reject(ctx))
	}
	_, err = q.TryReceive(ctx)
	wantIs(t, err, queue.ErrEmpty)
	dead := must[*queue.Queue](t)(queue.New(servertest.Dial(t, server), "/dead/q"))
	wantTaken(t, dead, "poison")
	if n := must[int](t)(q.Len(ctx)); n != 0 {
		t.Errorf("length %d", n)
	}
}

// What is settled is not settled again, at the cost of who has got the message since.
func TestSettledOnce(t *testing.T) {
	ctx := servertest.Context(t)
	q := open(t, servertest.Dial(t, servertest.Start(t)))
	check(t, q.Put(ctx, []byte("x")))
	first := must[*queue.Delivery](t)(q.Receive(ctx))
	check(t, first.Reject(ctx))
	<-first.Context().Done()
	next := must[*queue.Delivery](t)(q.Receive(ctx))
	wantIs(t, first.Reject(ctx), queue.ErrSettled)
	wantIs(t, first.Ack(ctx), queue.ErrSettled)
	_, err := q.TryReceive(ctx)
	wantIs(t, err, queue.ErrEmpty) // the next delivery still has it
	ended, end := context.WithCancel(ctx)
	end()
	wantIs(t, next.Ack(ended), context.Canceled)
	check(t, next.Ack(ctx))
	wantIs(t, next.Ack(ctx), queue.ErrSettled)
}

func TestAckLost(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	q := open(t, c, queue.WithLocks("/locks"))
	check(t, q.Put(ctx, []byte("x")))
	d := must[*queue.Delivery](t)(q.Receive(ctx))
	check(t, c.Delete(ctx, "/locks/queue-0000000000", -1))
	wantIs(t, d.Ack(ctx), queue.ErrLost)
	wantTaken(t, q, "x")
}

// Connections that break at any step neither lose nor double a message, or say
// so.
func TestConnectionLost(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	var b servertest.Breaker
	q := open(t, servertest.Dial(t, server, client.WithDialer(b.Dial)))
	for name, lose := range map[string]func(){"request": b.LoseRequest, "reply": b.LoseReply} {
		t.Run(name, func(t *testing.T) {
			check(t, q.Put(ctx, []byte(name)))
			lose()
			d := must[*queue.Delivery](t)(q.Receive(ctx))
			lose()
			check(t, d.Ack(ctx))
			_, err := q.TryTake(ctx)
			wantIs(t, err, queue.ErrEmpty)
		})
	}
}

func TestForeign(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	q := open(t, c, queue.WithDeadLetters("/dead", 1))
	check(t, c.EnsurePath(ctx, "/q"))
	must[string](t)(c.Create(ctx, "/q/queue-", []byte("no Curator"), client.PersistentSequential))
	_, err := q.Take(ctx)
	wantIs(t, err, queue.ErrForeign)
	if !strings.Contains(err.Error(), "/q/queue-0000000000") {
		t.Error(err)
	}
	_, err = q.TryReceive(ctx) // to the dead letters
	wantIs(t, err, queue.ErrEmpty)
	if names := must[[]string](t)(c.ChildNames(ctx, "/dead")); len(names) != 1 {
		t.Errorf("dead letters %v", names)
	}
	must[string](t)(c.Create(ctx, "/q/readme", nil))
	_, err = q.Receive(ctx)
	wantIs(t, err, queue.ErrForeign)
	if !strings.Contains(err.Error(), "/q/readme") {
		t.Error(err)
	}
}

// A plain queue takes no messages of Curator's other layouts as its own: they would
// come too early, or in the wrong order.
func TestForeignLayout(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	for path, tc := range map[string]struct {
		layout queue.Layout
		opt    queue.PutOption
	}{
		"/delay/queue-|2DAA9D29C00|0000000000": {queue.CuratorDelay, queue.Due(time.UnixMilli(0x2DAA9D29C00))},
		"/priority/queue-1000000050000000000":  {queue.CuratorPriority, queue.Priority(5)},
	} {
		dir := path[:strings.LastIndexByte(path, '/')]
		q := must[*queue.Queue](t)(queue.New(c, dir, queue.WithLayout(tc.layout)))
		check(t, q.Put(ctx, []byte("x"), tc.opt))
		plain := must[*queue.Queue](t)(queue.New(c, dir))
		_, taking := plain.TryTake(ctx)
		_, receiving := plain.TryReceive(ctx)
		for _, err := range []error{taking, receiving} {
			var foreign *queue.ForeignError
			if wantIs(t, err, queue.ErrForeign); !errors.As(err, &foreign) || foreign.Path != path {
				t.Error(err)
			}
		}
		if n := must[int](t)(q.Len(ctx)); n != 1 {
			t.Errorf("%d messages are left", n)
		}
	}
}

func TestBadInput(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	for _, err := range []error{
		second(queue.New(c, "q")), second(queue.New(c, "/q", queue.WithLocks("x"))), second(queue.New(c, "/q", queue.WithLayout(99))),
		second(queue.New(c, "/q", queue.WithDeadLetters("/d", 0))),
		second(queue.New(c, "/q", queue.WithDeadLetters("/q", 1))), second(queue.New(c, "/q", queue.WithDeadLetters("/q-locks", 1))),
		second(queue.New(c, "/q", queue.WithDeadLetters("/q", 1), queue.WithLayout(queue.KazooLocking))),
		open(t, c).Put(ctx, nil, queue.Priority(1)),
		open(t, c).Put(ctx, nil, queue.Due(time.Now())),
		open(t, c, queue.WithLayout(queue.Kazoo)).Put(ctx, nil, queue.Priority(1000)),
		open(t, c, queue.WithLayout(queue.CuratorPriority)).Put(ctx, nil, queue.Priority(1<<40)),
	} {
		wantIs(t, err, client.ErrBadArguments)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err := open(t, c).Receive(short)
	wantIs(t, err, context.DeadlineExceeded)
}

func second[T any](_ T, err error) error { return err }

func ExampleQueue() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		q, err := queue.New(c, "/app/jobs", queue.WithDeadLetters("/app/jobs-dead", 5))
		if err != nil {
			return err
		}
		if err := q.Put(ctx, []byte("job")); err != nil {
			return err
		}
		d, err := q.Receive(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("%s, attempt %d\n", d.Bodies[0], d.Attempt)
		return d.Ack(ctx)
	})
	// Output: job, attempt 1
}
