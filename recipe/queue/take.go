package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/quollhq/quoll/client"
)

// UncertainError is the failure of a Take whose connection broke: the message is
// gone from the queue, and nobody knows whether it was this Take that took it.
// [client.MaybeApplied] is true for it.
type UncertainError struct {
	Message Message
	Err     error
}

// Error names the message's node.
func (e *UncertainError) Error() string {
	return fmt.Sprintf("queue: taking %s: %v", e.Message.Path, e.Err)
}

// Unwrap returns what broke.
func (e *UncertainError) Unwrap() error { return e.Err }

// Take waits for a message and takes it away: nobody else gets it, also if the
// caller dies with it.
func (q *Queue) Take(ctx context.Context) (Message, error) { return q.take(ctx, true) }

// TryTake takes a message, or fails with [ErrEmpty].
func (q *Queue) TryTake(ctx context.Context) (Message, error) { return q.take(ctx, false) }

func (q *Queue) take(ctx context.Context, wait bool) (Message, error) {
	return next(ctx, q, false, wait, func(e entry) (Message, error) {
		m, err := q.read(ctx, e)
		if err != nil {
			return m, err
		}
		return m, q.remove(ctx, m)
	})
}

// read reads a message that may be gone.
func (q *Queue) read(ctx context.Context, e entry) (Message, error) {
	m := Message{Path: client.Join(q.path, e.name)}
	data, stat, err := q.c.Get(ctx, m.Path)
	if errors.Is(err, client.ErrNoNode) {
		return m, errNext
	}
	if err != nil {
		return m, q.wrap(err)
	}
	m.stat = stat
	if m.Bodies, err = q.layout.decode(data); err != nil {
		return m, &ForeignError{m.Path, err}
	}
	return m, nil
}

// remove deletes a message that may be gone.
func (q *Queue) remove(ctx context.Context, m Message) error {
	for {
		err := q.c.Delete(ctx, m.Path, m.stat.Version)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, client.ErrNoNode) || errors.Is(err, client.ErrBadVersion):
			return errNext
		case !client.MaybeApplied(err):
			return q.wrap(err)
		}
		there, lookErr := q.there(ctx, m.Path)
		if lookErr != nil || !there {
			return &UncertainError{m, errors.Join(err, lookErr)}
		}
	}
}

// there tells whether a node is there after all that was asked for before.
func (q *Queue) there(ctx context.Context, path string) (bool, error) {
	if err := q.c.Sync(ctx, path); err != nil {
		return false, err
	}
	_, found, err := q.c.Exists(ctx, path)
	return found, err
}
