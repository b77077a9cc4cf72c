package id_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/id"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Numbers are given out once, also when replies are lost.
func TestUnique(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	var mu sync.Mutex
	seen := make(map[int64]bool)
	var wg sync.WaitGroup
	for range 3 {
		var b servertest.Breaker
		g, err := id.New(servertest.Dial(t, server, client.WithDialer(b.Dial)), "/ids", id.WithBlock(7))
		check(t, err)
		wg.Go(func() {
			last := int64(0)
			for i := range 100 {
				if i%25 == 10 {
					b.LoseReply()
				}
				n, err := g.Next(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				if n <= last {
					t.Errorf("%d after %d", n, last)
				}
				last = n
				mu.Lock()
				if seen[n] {
					t.Errorf("%d twice", n)
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 300 {
		t.Errorf("%d numbers", len(seen))
	}
}

func TestBadInput(t *testing.T) {
	for _, err := range []error{second(id.New(nil, "x")), second(id.New(nil, "/x", id.WithBlock(0)))} {
		if !errors.Is(err, client.ErrBadArguments) {
			t.Error(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func ExampleGenerator() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		g, err := id.New(c, "/app/order-ids")
		if err != nil {
			return err
		}
		for range 2 {
			n, err := g.Next(ctx)
			if err != nil {
				return err
			}
			fmt.Println(n)
		}
		return nil
	})
	// Output:
	// 1
	// 2
}

// Who waits for another one's block can stop waiting.
func TestContextEndsWait(t *testing.T) {
	p := servertest.NewProxy(t, servertest.Start(t))
	asked := make(chan struct{})
	once := sync.OnceFunc(func() { close(asked) })
	asks := client.Hooks{Request: func(context.Context, client.Request) func(client.Outcome) {
		once()
		return nil
	}}
	g, err := id.New(servertest.Dial(t, p.Addr(), client.WithHooks(asks)), "/ids")
	check(t, err)
	p.Cut()
	ctx, cancel := context.WithCancel(servertest.Context(t))
	first, second := make(chan error, 1), make(chan error, 1)
	impatient, giveUp := context.WithCancel(ctx)
	go func() { _, err := g.Next(ctx); first <- err }()
	<-asked
	go func() { _, err := g.Next(impatient); second <- err }()
	giveUp()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	p.Heal()
}
