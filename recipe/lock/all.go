package lock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/quollhq/quoll/client"
)

// Several are locks that are held together. They must be of one client for
// Multi to make sense.
type Several struct {
	held []*Held
	ctx  context.Context
	end  context.CancelCauseFunc
}

// All waits until it has all locks. It takes them in the order of their paths,
// so that no two calls wait for each other. If it fails, it holds none.
func All(ctx context.Context, locks ...*Mutex) (*Several, error) {
	return takeAll(ctx, locks, (*Mutex).Lock)
}

// TryAll takes all locks if nobody has or waits for any of them, or fails with
// [ErrLocked] and holds none.
func TryAll(ctx context.Context, locks ...*Mutex) (*Several, error) {
	return takeAll(ctx, locks, (*Mutex).TryLock)
}

func takeAll(ctx context.Context, locks []*Mutex, take func(*Mutex, context.Context) (*Held, error)) (*Several, error) {
	locks = slices.SortedFunc(slices.Values(locks), func(a, b *Mutex) int { return cmp.Compare(a.Path(), b.Path()) })
	for i, m := range locks {
		if i > 0 && locks[i-1].Path() == m.Path() {
			return nil, fmt.Errorf("lock: %w: %s is given twice", client.ErrBadArguments, m.Path())
		}
	}
	s := &Several{}
	s.ctx, s.end = context.WithCancelCause(context.WithoutCancel(ctx))
	for _, m := range locks {
		h, err := take(m, ctx)
		if err == nil {
			s.add(h)
			err = s.lost()
		}
		if err != nil {
			return nil, errors.Join(err, s.Unlock(ctx))
		}
	}
	return s, nil
}

// add takes one more lock, with which the context ends.
func (s *Several) add(h *Held) {
	s.held = append(s.held, h)
	context.AfterFunc(h.Context(), func() { s.end(context.Cause(h.Context())) })
}

// lost tells whether a lock was lost while others were waited for.
func (s *Several) lost() error {
	for _, h := range s.held {
		if h.Context().Err() != nil {
			return context.Cause(h.Context())
		}
	}
	return nil
}

// Context ends when one of the locks is released or may be lost.
func (s *Several) Context() context.Context { return s.ctx }

// Tokens are the tokens of the locks, by their paths in order.
func (s *Several) Tokens() []int64 {
	tokens := make([]int64, len(s.held))
	for i, h := range s.held {
		tokens[i] = h.Token()
	}
	return tokens
}

// Guards are the operations that let a multi fail when one of the locks is
// lost.
func (s *Several) Guards() []client.Op {
	guards := make([]client.Op, len(s.held))
	for i, h := range s.held {
		guards[i] = h.Guard()
	}
	return guards
}

// Unlock releases all locks, the last one first.
func (s *Several) Unlock(ctx context.Context) error {
	var errs []error
	for _, h := range slices.Backward(s.held) {
		errs = append(errs, h.Unlock(ctx))
	}
	s.end(ErrReleased)
	return errors.Join(errs...)
}
