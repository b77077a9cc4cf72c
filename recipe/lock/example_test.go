package lock_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/lock"
)

func ExampleMutex() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		m, err := lock.New(c, "/app/locks/report")
		if err != nil {
			return err
		}
		h, err := m.Lock(ctx)
		if err != nil {
			return err
		}
		// A second contender has to wait, or to go without.
		_, err = m.TryLock(ctx)
		fmt.Println(errors.Is(err, lock.ErrLocked))
		return h.Unlock(ctx)
	})
	// Output: true
}

// The server refuses the write of a holder that has lost its lock.
func ExampleHeld_Multi() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		m, err := lock.New(c, "/app/locks/ledger")
		if err != nil {
			return err
		}
		h, err := m.Lock(ctx)
		if err != nil {
			return err
		}
		_, err = h.Multi(ctx, client.CreateOp("/ledger", []byte("balance 7")))
		fmt.Println(err)
		_ = h.Unlock(ctx)
		_, err = h.Multi(ctx, client.SetOp("/ledger", []byte("balance 8"), client.AnyVersion))
		fmt.Println(errors.Is(err, lock.ErrLost))
		return nil
	})
	// Output:
	// <nil>
	// true
}

func ExampleRW() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		l, err := lock.NewRW(c, "/app/locks/catalogue")
		if err != nil {
			return err
		}
		one, err := l.Reader().Lock(ctx)
		if err != nil {
			return err
		}
		two, err := l.Reader().Lock(ctx)
		if err != nil {
			return err
		}
		_, err = l.Writer().TryLock(ctx)
		fmt.Println(errors.Is(err, lock.ErrLocked))
		if err := errors.Join(one.Unlock(ctx), two.Unlock(ctx)); err != nil {
			return err
		}
		w, err := l.Writer().TryLock(ctx)
		if err != nil {
			return err
		}
		fmt.Println("writing")
		return w.Unlock(ctx)
	})
	// Output:
	// true
	// writing
}

func ExampleSemaphore() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		s, err := lock.NewSemaphore(c, "/app/connections", 2)
		if err != nil {
			return err
		}
		for i := range 3 {
			_, err := s.TryAcquire(ctx)
			fmt.Println(i, errors.Is(err, lock.ErrLocked))
		}
		return nil
	})
	// Output:
	// 0 false
	// 1 false
	// 2 true
}

func ExampleAll() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		from, err := lock.New(c, "/app/accounts/1")
		if err != nil {
			return err
		}
		to, err := lock.New(c, "/app/accounts/2")
		if err != nil {
			return err
		}
		both, err := lock.All(ctx, from, to)
		if err != nil {
			return err
		}
		_, err = c.Multi(ctx, append(both.Guards(), client.CreateOp("/transfer", nil))...)
		fmt.Println(err)
		return both.Unlock(ctx)
	})
	// Output: <nil>
}
