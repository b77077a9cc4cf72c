package partition_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/lock"
	"github.com/quollhq/quoll/recipe/partition"
)

// board is who works on what.
type board struct {
	t  *testing.T
	mu sync.Mutex
	by map[string]string
}

func (b *board) set(item, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.by[item] != "" {
		b.t.Errorf("%s works on %s, and so does %s", id, item, b.by[item])
	}
	b.by[item] = id
}

func (b *board) clear(item string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.by, item)
}

func (b *board) await(want map[string]string) {
	b.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		same := maps.Equal(b.by, want)
		b.mu.Unlock()
		if same {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%v, want %v", b.by, want)
		}
	}
}

// Members come and go, one by dying; items move, and are never two members'.
func TestDivision(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	b := &board{t: t, by: make(map[string]string)}
	items := []string{"c", "a", "b", "d"}
	start := func(id string, c *client.Client) (stop func() error) {
		p, err := partition.New(c, "/shards", items, partition.WithID(id))
		if err != nil {
			t.Fatal(err)
		}
		in, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			ended <- p.Run(in, func(ctx context.Context, item string, _ *lock.Held) error {
				b.set(item, id)
				<-ctx.Done()
				b.clear(item)
				return nil
			})
		}()
		return func() error {
			cancel()
			return <-ended
		}
	}
	first := start("m1", servertest.Dial(t, server))
	b.await(map[string]string{"a": "m1", "b": "m1", "c": "m1", "d": "m1"})
	second := start("m2", servertest.Dial(t, server))
	b.await(map[string]string{"a": "m1", "b": "m2", "c": "m1", "d": "m2"})
	mortal, err := client.Dial(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	third := start("m3", mortal)
	b.await(map[string]string{"a": "m1", "b": "m2", "c": "m3", "d": "m1"})
	if err := mortal.Close(); err != nil {
		t.Error(err)
	}
	b.await(map[string]string{"a": "m1", "b": "m2", "c": "m1", "d": "m2"})
	if err := third(); err == nil {
		t.Error("the end of the client is no error")
	}
	if err := first(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	b.await(map[string]string{"a": "m2", "b": "m2", "c": "m2", "d": "m2"})
	if err := second(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	b.await(map[string]string{})
}

var errWork = errors.New("the work failed")

// An error of the work ends Run, and all other work.
func TestWorkFails(t *testing.T) {
	ctx := servertest.Context(t)
	p, err := partition.New(servertest.Dial(t, servertest.Start(t)), "/shards", []string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Run(ctx, func(ctx context.Context, item string, _ *lock.Held) error {
		if item == "a" {
			return errWork
		}
		<-ctx.Done()
		return nil
	})
	if !errors.Is(err, errWork) {
		t.Error(err)
	}
}

func TestBadInput(t *testing.T) {
	for _, err := range []error{
		second(partition.New(nil, "x", nil)), second(partition.New(nil, "/x", []string{"a/b"})), second(partition.New(nil, "/x", []string{"a", "a"})),
		second(partition.New(nil, "/x", nil, partition.WithID(""))),
	} {
		if !errors.Is(err, client.ErrBadArguments) {
			t.Error(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func ExamplePartitioner() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		p, err := partition.New(c, "/app/shards", []string{"one"})
		if err != nil {
			return err
		}
		err = p.Run(ctx, func(_ context.Context, item string, _ *lock.Held) error {
			fmt.Println("working on", item)
			cancel()
			return nil
		})
		fmt.Println(errors.Is(err, context.Canceled))
		return nil
	})
	// Output:
	// working on one
	// true
}

// A member ends when it is told to, also when no server can be reached.
func TestEndsWithoutServer(t *testing.T) {
	proxy := servertest.NewProxy(t, servertest.Start(t))
	c := servertest.Dial(t, proxy.Addr())
	p, err := partition.New(c, "/app/shards", []string{"a", "b"}, partition.WithID("only"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(servertest.Context(t))
	defer cancel()
	err = p.Run(ctx, func(work context.Context, _ string, _ *lock.Held) error {
		proxy.Cut()
		cancel()
		<-work.Done()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	proxy.Heal()
}
