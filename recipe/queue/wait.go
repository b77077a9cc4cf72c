package queue

import (
	"context"
	"errors"
	"time"

	"github.com/quollhq/quoll/client"
)

// board is what a receiver sees of the queue at one time, and what tells it that
// this has changed.
type board struct {
	q       *Queue
	entries []entry
	changed []watch
}

type watch struct {
	path string
	ch   <-chan client.Event
}

// look lists the messages; with locks it leaves out those that are locked.
func (q *Queue) look(ctx context.Context, locks bool) (*board, error) {
	b := &board{q: q}
	var taken []string
	var err error
	if locks {
		if taken, err = b.children(ctx, q.locks); err != nil {
			return nil, err
		}
	}
	names, err := b.children(ctx, q.path)
	if err == nil {
		b.entries, err = q.entries(names, taken)
	}
	if err != nil {
		b.forget()
		return nil, err
	}
	return b, nil
}

// children lists and watches a node, which it makes if there is none.
func (b *board) children(ctx context.Context, path string) ([]string, error) {
	for {
		names, _, ch, err := b.q.c.ChildrenW(ctx, path)
		switch {
		case errors.Is(err, client.ErrNoNode):
			if err := b.q.ensure(ctx, path); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, b.q.wrap(err)
		default:
			b.changed = append(b.changed, watch{path, ch})
			return names, nil
		}
	}
}

func (b *board) forget() {
	for _, w := range b.changed {
		b.q.c.ForgetWatch(w.path, w.ch)
	}
}

// due cuts off the messages that are not due, and tells when the first of them
// is.
func (b *board) due(now time.Time) (ready []entry, next time.Time) {
	for i, e := range b.entries {
		if at := b.q.layout.due(e); at.After(now) {
			return b.entries[:i], at
		}
	}
	return b.entries, time.Time{}
}

// wait returns when the board has changed, or at a time, unless that is zero.
func (b *board) wait(ctx context.Context, until time.Time) error {
	var alarm <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		alarm = timer.C
	}
	var locks <-chan client.Event
	if len(b.changed) > 1 {
		locks = b.changed[1].ch
	}
	select {
	case <-b.changed[0].ch:
	case <-locks:
	case <-alarm:
	case <-ctx.Done():
		return b.q.wrap(ctx.Err())
	}
	return nil
}

// errNext: the message was another's, see to the next one.
var errNext = errors.New("taken by another")

// next calls take for the messages that are due, in their order, until one is
// taken. If wait is false it fails with ErrEmpty when there is none.
func next[T any](ctx context.Context, q *Queue, locks, wait bool, take func(entry) (T, error)) (T, error) {
	var none T
	for {
		got, again, err := round(ctx, q, locks, wait, take)
		switch {
		case errors.Is(err, client.ErrSessionExpired) && ctx.Err() == nil && q.c.WaitConnected(ctx) == nil:
		case err != nil:
			return none, err
		case !again:
			return got, nil
		}
	}
}

// round looks once and, if no message is there for it, waits for a change.
func round[T any](ctx context.Context, q *Queue, locks, wait bool, take func(entry) (T, error)) (got T, again bool, err error) {
	b, err := q.look(ctx, locks)
	if err != nil {
		return got, false, err
	}
	defer b.forget()
	ready, at := b.due(time.Now())
	for _, e := range ready {
		if got, err = take(e); !errors.Is(err, errNext) {
			return got, false, err
		}
	}
	if !wait && len(ready) == 0 {
		return got, false, q.wrap(ErrEmpty)
	}
	if len(ready) > 0 { // others were quicker; look what is left
		return got, true, nil
	}
	return got, true, b.wait(ctx, at)
}
