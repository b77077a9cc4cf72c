package barrier_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/barrier"
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

// children waits until path has n children.
func children(t *testing.T, c *client.Client, path string, n int) {
	t.Helper()
	for {
		names, err := c.ChildNames(servertest.Context(t), path)
		if err != nil && !errors.Is(err, client.ErrNoNode) {
			t.Fatal(err)
		}
		if len(names) == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestBarrier(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	here := must[*barrier.Barrier](t)(barrier.New(servertest.Dial(t, server), "/deep/barrier"))
	there := must[*barrier.Barrier](t)(barrier.New(servertest.Dial(t, server), "/deep/barrier"))
	check(t, there.Wait(ctx))
	check(t, here.Close(ctx))
	check(t, there.Close(ctx))
	if !must[bool](t)(there.Closed(ctx)) {
		t.Error("open")
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	wantIs(t, there.Wait(short), context.DeadlineExceeded)
	through := make(chan error, 1)
	go func() { through <- there.Wait(ctx) }()
	select {
	case err := <-through:
		t.Fatal("through a closed barrier", err)
	case <-time.After(10 * time.Millisecond):
	}
	check(t, here.Open(ctx))
	check(t, <-through)
	check(t, here.Open(ctx))
	_, err := barrier.New(nil, "x")
	wantIs(t, err, client.ErrBadArguments)
}

// Nobody is through before all have entered, and nobody is done before all are.
func TestDouble(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	const n, rounds = 5, 3
	var wg sync.WaitGroup
	var entered, left [rounds]atomic.Int64
	for range n {
		c := servertest.Dial(t, server)
		wg.Go(func() {
			for round := range rounds {
				d, err := barrier.NewDouble(c, fmt.Sprint("/double/", round), n)
				if err != nil {
					t.Error(err)
					return
				}
				entered[round].Add(1)
				if err := d.Enter(ctx); err != nil {
					t.Error(err)
					return
				}
				if got := entered[round].Load(); got != n {
					t.Errorf("round %d: through after %d", round, got)
				}
				left[round].Add(1)
				if err := d.Leave(ctx); err != nil {
					t.Error(err)
					return
				}
				if got := left[round].Load(); got != n {
					t.Errorf("round %d: done after %d", round, got)
				}
			}
		})
	}
	wg.Wait()
	c := servertest.Dial(t, server)
	for round := range rounds {
		children(t, c, fmt.Sprint("/double/", round), 0)
	}
}

func TestDoubleCancelled(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	d := must[*barrier.Double](t)(barrier.NewDouble(c, "/double", 2, barrier.WithData([]byte("me"))))
	wantIs(t, d.Leave(ctx), barrier.ErrInside)
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	wantIs(t, d.Enter(short), context.DeadlineExceeded)
	children(t, c, "/double", 0)

	one := must[*barrier.Double](t)(barrier.NewDouble(c, "/one", 1))
	check(t, one.Enter(ctx))
	wantIs(t, one.Enter(ctx), barrier.ErrInside)
	must[string](t)(c.Create(ctx, "/one/another", nil))
	done, stop := context.WithTimeout(ctx, 10*time.Millisecond)
	defer stop()
	wantIs(t, one.Leave(done), context.DeadlineExceeded)
	children(t, c, "/one", 2) // the other, and ready
	_, err := barrier.NewDouble(c, "/x", 0)
	wantIs(t, err, client.ErrBadArguments)
}

func ExampleBarrier() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		b, err := barrier.New(c, "/app/maintenance")
		if err != nil {
			return err
		}
		if err := b.Close(ctx); err != nil {
			return err
		}
		go b.Open(ctx)
		fmt.Println(b.Wait(ctx))
		return nil
	})
	// Output: <nil>
}

func ExampleDouble() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		d, err := barrier.NewDouble(c, "/app/step-1", 1)
		if err != nil {
			return err
		}
		if err := d.Enter(ctx); err != nil {
			return err
		}
		fmt.Println("all are here")
		return d.Leave(ctx)
	})
	// Output: all are here
}
