package lock

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/internal/contend"
)

// Semaphore gives out a number of leases.
type Semaphore struct {
	max    int
	gate   *Mutex         // one contender at a time watches the leases
	leases contend.Config // where they are
}

// NewSemaphore makes a semaphore of max leases on the node path, which appears
// with the first contender. All who use it must agree on max. [WithNames] does
// not apply.
func NewSemaphore(c *client.Client, path string, max int, opts ...Option) (*Semaphore, error) {
	if max < 1 {
		return nil, fmt.Errorf("semaphore %s: %w: %d leases", path, client.ErrBadArguments, max)
	}
	if err := client.ValidatePath(path); err != nil {
		return nil, fmt.Errorf("semaphore: %w", err)
	}
	o := newOptions(opts)
	o.names = CuratorNames
	gate, err := newMutex(c, client.Join(path, "locks"), plain, o)
	if err != nil {
		return nil, err
	}
	leases := gate.config
	leases.Path, leases.Name = client.Join(path, "leases"), contend.CuratorName("lease-")
	return &Semaphore{max, gate, leases}, nil
}

// Acquire waits until it has a lease. Unlock gives it back. Its token says
// nothing of order: there are several holders.
func (s *Semaphore) Acquire(ctx context.Context) (*Held, error) { return s.acquire(ctx, true) }

// TryAcquire takes a lease if one is free, and fails with [ErrLocked] if not or
// if somebody else is about to take one.
func (s *Semaphore) TryAcquire(ctx context.Context) (*Held, error) { return s.acquire(ctx, false) }

func (s *Semaphore) acquire(ctx context.Context, wait bool) (*Held, error) {
	for {
		h, err := s.attempt(ctx, wait)
		if err == nil {
			return h, nil
		}
		err = fmt.Errorf("semaphore %s: %w", s.leases.Path, err)
		if !errors.Is(err, client.ErrSessionExpired) || s.leases.Client.WaitConnected(ctx) != nil {
			return nil, err
		}
	}
}

func (s *Semaphore) attempt(ctx context.Context, wait bool) (h *Held, err error) {
	lock := s.gate.TryLock
	if wait {
		lock = s.gate.Lock
	}
	gate, err := lock(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		// That the gate may have been lost does no harm: the leases are counted.
		if closed := gate.Unlock(ctx); closed != nil && !errors.Is(closed, ErrLost) && err == nil {
			err = errors.Join(closed, h.Unlock(ctx))
			h = nil
		}
	}()
	lease, err := contend.Enter(ctx, s.leases)
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx, lease, wait); err != nil {
		if left := lease.Leave(ctx); left != nil && ctx.Err() == nil {
			err = errors.Join(err, left)
		}
		return nil, err
	}
	return hold(ctx, s.leases.Client, lease.Created), nil
}

// settle waits until there are no more leases than there may be. Each who holds
// one has seen so when its own was there already: so there never are more.
func (s *Semaphore) settle(ctx context.Context, lease *contend.Contender, wait bool) error {
	if len(lease.Siblings) <= s.max {
		return nil
	}
	if !wait {
		return ErrLocked
	}
	in := client.WithinSession(ctx, lease.Session)
	for {
		names, _, changed, err := s.leases.Client.ChildrenW(in, s.leases.Path)
		if err != nil {
			return err
		}
		if !slices.Contains(names, lease.Name()) {
			return fmt.Errorf("%s: %w", lease.Path, contend.ErrGone)
		}
		if len(names) <= s.max {
			s.leases.Client.ForgetWatch(s.leases.Path, changed)
			return nil
		}
		select {
		case ev := <-changed:
			if ev.Type == client.EventSession {
				return ev.Err
			}
		case <-ctx.Done():
			s.leases.Client.ForgetWatch(s.leases.Path, changed)
			return ctx.Err()
		}
	}
}

// Holders lists who has a lease, or is the next to get one.
func (s *Semaphore) Holders(ctx context.Context) ([]Contender, error) {
	return contenders(ctx, s.leases.Client, s.leases.Path)
}
