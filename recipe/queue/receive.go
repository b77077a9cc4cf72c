package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/internal/contend"
)

var (
	// ErrLost is what Ack and Reject fail with when the message is no longer this
	// delivery's: its session has ended, and it is, or was, delivered again.
	ErrLost = errors.New("the delivery was lost")
	// ErrSettled is what Ack and Reject fail with after one of them has succeeded, or
	// while it is under way. Nothing is done then: the message may be another
	// delivery's.
	ErrSettled = errors.New("the delivery was acknowledged or rejected already")
)

// Delivery is a message that nobody else gets until Ack or Reject, or until the
// session ends.
type Delivery struct {
	Message
	// Attempt counts the deliveries of the message by this package, from 1.
	Attempt int

	q       *Queue
	data    []byte
	lock    string
	session *client.Session
	ctx     context.Context
	stop    context.CancelFunc
	settled atomic.Bool // or about to be
}

// Receive waits for a message and locks it.
func (q *Queue) Receive(ctx context.Context) (*Delivery, error) { return q.receive(ctx, true) }

// TryReceive locks a message, or fails with [ErrEmpty].
func (q *Queue) TryReceive(ctx context.Context) (*Delivery, error) { return q.receive(ctx, false) }

func (q *Queue) receive(ctx context.Context, wait bool) (*Delivery, error) {
	return next(ctx, q, true, wait, func(e entry) (*Delivery, error) {
		d, err := q.lock(ctx, e)
		if err != nil {
			return nil, err
		}
		return d, d.open(ctx)
	})
}

// lock makes the lock of a message. The lock's node has the message's name, as
// others expect it, so a creation whose reply was lost is told from another's by
// its content, a random word.
func (q *Queue) lock(ctx context.Context, e entry) (*Delivery, error) {
	d := &Delivery{q: q, lock: client.Join(q.locks, e.name), Message: Message{Path: client.Join(q.path, e.name)}}
	word := []byte(contend.NewID())
	if d.session = q.c.Session(); d.session == nil {
		return nil, q.wrap(client.ErrSessionExpired)
	}
	in := client.WithinSession(ctx, d.session)
	for {
		_, err := q.c.Create(in, d.lock, word, q.options(client.Ephemeral)...)
		switch {
		case err == nil:
			return d, nil
		case errors.Is(err, client.ErrNodeExists):
			return nil, errNext
		case errors.Is(err, client.ErrNoNode):
			if err := q.ensure(ctx, q.locks); err != nil {
				return nil, err
			}
			continue
		case !client.MaybeApplied(err):
			return nil, q.wrap(err)
		}
		if ctx.Err() != nil {
			q.unlockLater(in, d.lock, word)
			return nil, q.wrap(err)
		}
		if mine, known := q.isMine(in, d.lock, word); mine {
			return d, nil
		} else if known != nil {
			q.unlockLater(in, d.lock, word)
			return nil, q.wrap(known)
		}
	}
}

// isMine tells whether the lock has the word.
func (q *Queue) isMine(ctx context.Context, lock string, word []byte) (bool, error) {
	if err := q.c.Sync(ctx, lock); err != nil {
		return false, err
	}
	data, _, err := q.c.Get(ctx, lock)
	if errors.Is(err, client.ErrNoNode) {
		return false, nil
	}
	return err == nil && bytes.Equal(data, word), err
}

// unlockLater deletes, without waiting, a lock that may have been made.
func (q *Queue) unlockLater(ctx context.Context, lock string, word []byte) {
	q.c.Background(ctx, func(ctx context.Context) {
		if mine, err := q.isMine(ctx, lock, word); err == nil && mine {
			_ = q.c.EnsureDeleted(ctx, lock) // tries until the session ends
		}
	})
}

// open reads the locked message and counts the attempt. The message may be gone:
// it was consumed between the look at the queue and the lock.
func (d *Delivery) open(ctx context.Context) error {
	in := client.WithinSession(ctx, d.session)
	err := d.count(in)
	if err == nil && d.q.dead != "" && d.Attempt > d.q.attempts {
		err = d.bury(in)
	}
	if err == nil && d.Bodies == nil {
		d.Bodies, err = d.q.layout.decode(d.data)
		if err != nil {
			err = &ForeignError{d.Path, err}
			if d.q.dead != "" {
				err = d.bury(in)
			}
		}
	}
	if err != nil {
		if left := d.q.c.EnsureDeleted(in, d.lock); left != nil && ctx.Err() == nil {
			err = errors.Join(err, left)
		}
		return err
	}
	d.ctx, d.stop = d.session.Context(context.WithoutCancel(ctx))
	return nil
}

// count reads the message and writes it again as it is: its version is the
// number of the attempt.
func (d *Delivery) count(ctx context.Context) error {
	data, stat, err := d.q.c.Get(ctx, d.Path)
	if err == nil {
		d.data = data
		stat, err = d.q.c.Set(ctx, d.Path, data, stat.Version)
	}
	for ctx.Err() == nil && client.MaybeApplied(err) { // the lock is held: nobody else counts
		_, stat, err = d.q.c.Get(ctx, d.Path)
	}
	switch {
	case errors.Is(err, client.ErrNoNode) || errors.Is(err, client.ErrBadVersion):
		return errNext
	case err != nil:
		return d.q.wrap(err)
	}
	d.stat, d.Attempt = stat, max(1, int(stat.Version))
	return nil
}

// bury moves the message to the dead letters, and says so by errNext.
func (d *Delivery) bury(ctx context.Context) error {
	name := d.Path[strings.LastIndexByte(d.Path, '/')+1:]
	prefix, _, _ := contend.Cut(name)
	to := client.CreateOp(client.Join(d.q.dead, prefix), d.data, d.q.options(client.PersistentSequential)...)
	for {
		err := d.finish(ctx, to)
		if !errors.Is(err, client.ErrNoNode) || errors.Is(err, ErrLost) {
			if err == nil {
				return errNext
			}
			return err
		}
		if err := d.q.ensure(ctx, d.q.dead); err != nil {
			return err
		}
	}
}

// finish takes message and lock away, at once with what more is to be done.
func (d *Delivery) finish(ctx context.Context, more ...client.Op) error {
	in := client.WithinSession(ctx, d.session)
	ops := append([]client.Op{client.DeleteOp(d.lock, client.AnyVersion), client.DeleteOp(d.Path, client.AnyVersion)}, more...)
	for {
		_, err := d.q.c.Multi(in, ops...)
		var failed *client.MultiError
		switch {
		case err == nil:
			return nil
		case errors.Is(err, client.ErrSessionExpired), errors.Is(err, client.ErrClosed) && !client.MaybeApplied(err),
			errors.As(err, &failed) && failed.Index < 2 && errors.Is(err, client.ErrNoNode):
			return fmt.Errorf("queue: %s: %w: %w", d.Path, ErrLost, err)
		case !client.MaybeApplied(err) || ctx.Err() != nil:
			return d.q.wrap(err)
		}
		there, lookErr := d.q.there(in, d.Path)
		if lookErr != nil {
			return d.q.wrap(errors.Join(err, lookErr))
		}
		if !there { // the lock was held: nobody else took it away
			return nil
		}
	}
}

// Context ends when the message may be delivered to another, and by Ack and
// Reject.
func (d *Delivery) Context() context.Context { return d.ctx }

// Within is ctx, ended also when the message may be delivered to another. The
// function that is returned is to be called when the context is not needed any
// more.
func (d *Delivery) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	return contend.Either(ctx, d.ctx)
}

// Ack takes the message off the queue. It fails with [ErrLost] if the message
// was not this delivery's any more; then it is, or was, delivered again. After
// another failure, Ack may be called again.
func (d *Delivery) Ack(ctx context.Context) error {
	return d.settle(func() error { return d.finish(ctx) })
}

// settle ends the delivery by f, once. Unless f fails for another reason than that
// the delivery was lost, it is over.
func (d *Delivery) settle(f func() error) error {
	if !d.settled.CompareAndSwap(false, true) {
		return fmt.Errorf("queue: %s: %w", d.Path, ErrSettled)
	}
	err := f()
	if err == nil || errors.Is(err, ErrLost) {
		d.stop()
	} else {
		d.settled.Store(false)
	}
	return err
}

// Reject lets the message be delivered again, or moves it to the dead letters if
// this was its last attempt. After a failure other than [ErrLost], Reject may be
// called again; until then nobody else gets the message while the session lasts.
func (d *Delivery) Reject(ctx context.Context) error {
	return d.settle(func() error {
		in := client.WithinSession(ctx, d.session)
		if d.q.dead != "" && d.Attempt >= d.q.attempts {
			if err := d.bury(in); !errors.Is(err, errNext) {
				return err
			}
			return nil
		}
		return d.q.wrap(d.q.c.EnsureDeleted(in, d.lock))
	})
}
