package rate_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/rate"
)

// No more events pass than the time that it took allows.
func TestLimit(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	const perSecond, burst, each = 200, 5, 12
	began := time.Now()
	var wg sync.WaitGroup
	for range 3 {
		l, err := rate.New(servertest.Dial(t, server), "/app/rate", perSecond, burst)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for range each {
				if err := l.Wait(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if least := (3*each - burst) * time.Second / perSecond; time.Since(began) < least {
		t.Errorf("%d events in %v, which take %v", 3*each, time.Since(began), least)
	}
}

func TestCancelled(t *testing.T) {
	ctx := servertest.Context(t)
	l, err := rate.New(servertest.Dial(t, servertest.Start(t)), "/rate", 0.001, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(ctx); err != nil { // the burst
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if err := l.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestBadInput(t *testing.T) {
	for _, err := range []error{
		second(rate.New(nil, "x", 1, 1)), second(rate.New(nil, "/x", 0, 1)), second(rate.New(nil, "/x", 1, 0)), second(rate.New(nil, "/x", 1e12, 1)),
		second(rate.New(nil, "/x", 0.1, 1e9)), second(rate.New(nil, "/x", math.NaN(), 1)), second(rate.New(nil, "/x", math.Inf(1), 1)),
	} {
		if !errors.Is(err, client.ErrBadArguments) {
			t.Error(err)
		}
	}
	l, err := rate.New(nil, "/x", 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.WaitN(t.Context(), 3); !errors.Is(err, client.ErrBadArguments) {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

func ExampleLimiter() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		l, err := rate.New(c, "/app/mail-rate", 1000, 10)
		if err != nil {
			return err
		}
		for i := range 3 {
			if err := l.Wait(ctx); err != nil {
				return err
			}
			fmt.Println("mail", i)
		}
		return nil
	})
	// Output:
	// mail 0
	// mail 1
	// mail 2
}
