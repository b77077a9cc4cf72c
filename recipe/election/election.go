package election

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/internal/contend"
	"github.com/quollhq/quoll/recipe/lock"
)

// The failures.
var (
	// ErrLost is the cause of the end of a term's context when leadership may be
	// lost.
	ErrLost = lock.ErrLost
	// ErrAlone is what a hand-over fails with when nobody else takes part.
	ErrAlone = errors.New("nobody else takes part in the election")
	// ErrStop, returned by the function that leads, ends [Election.Run] without
	// an error.
	ErrStop = errors.New("stop taking part")
)

// The forms of names.
const (
	LatchNames    = lock.LatchNames   // Apache Curator's LeaderLatch: the default
	SelectorNames = lock.CuratorNames // Apache Curator's LeaderSelector
	KazooNames    = lock.KazooNames   // kazoo's Election
)

// Option changes how a program takes part.
type Option func(*options)

type options struct {
	id    string
	names lock.Names
	acl   client.ACLs
}

// WithID is the name that others see. Default: that of the host.
func WithID(id string) Option { return func(o *options) { o.id = id } }

// WithNames says by which recipe's names the participant is to be known.
func WithNames(n lock.Names) Option { return func(o *options) { o.names = n } }

// WithACL protects the nodes of the election. Default: open to all.
func WithACL(acl client.ACLs) Option { return func(o *options) { o.acl = acl } }

// Election is one participant, or an observer.
type Election struct {
	c    *client.Client
	path string
	lock *lock.Mutex
}

// New makes a participant of the election at the node path, which appears with
// the first one. It does not take part so far.
func New(c *client.Client, path string, opts ...Option) (*Election, error) {
	host, _ := os.Hostname() // without one, the id is empty
	o := options{id: host, names: LatchNames}
	for _, opt := range opts {
		opt(&o)
	}
	m, err := lock.New(c, path, lock.WithNames(o.names), lock.WithData([]byte(o.id)), lock.WithACL(o.acl))
	if err != nil {
		return nil, fmt.Errorf("election: %w", err)
	}
	return &Election{c, path, m}, nil
}

// Term is the time for which a participant leads. It ends by Resign or HandOver.
// Its context ends with it, or earlier when leadership may be lost.
type Term struct {
	*lock.Held
	e *Election
}

// Campaign waits until this participant leads. If it fails, the participant has
// left.
func (e *Election) Campaign(ctx context.Context) (*Term, error) {
	h, err := e.lock.Lock(ctx)
	if err != nil {
		return nil, fmt.Errorf("election: %w", err)
	}
	return &Term{h, e}, nil
}

// Resign ends the term; the next participant leads. It fails with [ErrLost] if
// leadership may have been lost before.
func (t *Term) Resign(ctx context.Context) error { return t.Unlock(ctx) }

// Proclaim replaces what others see as the leader's id, if the term still goes
// on.
func (t *Term) Proclaim(ctx context.Context, id string) error {
	_, err := t.Multi(ctx, client.SetOp(t.Path(), []byte(id), client.AnyVersion))
	return err
}

// HandOver ends the term and returns who leads then. It fails with [ErrAlone] if
// nobody else takes part, and the term goes on. If another participant leaves
// at the same moment, HandOver waits for one that comes.
func (t *Term) HandOver(ctx context.Context) (Leader, error) {
	others, err := t.e.Participants(ctx)
	if err != nil {
		return Leader{}, err
	}
	if len(others) < 2 {
		return Leader{}, fmt.Errorf("election %s: %w", t.e.path, ErrAlone)
	}
	if err := t.Resign(ctx); err != nil {
		return Leader{}, err
	}
	for next, err := range t.e.Observe(ctx) {
		if err != nil || next.Path != "" {
			return next, err
		}
	}
	return Leader{}, ctx.Err()
}

// Run takes part until ctx ends, and calls lead for each term. The context that
// lead gets ends when leadership may be lost, or with ctx. When lead returns, the
// term is over, and the participant queues up again, as it does when somebody
// deletes its node while it waits. An error of lead ends Run,
// unless leadership was lost before; ErrStop ends it without one. If lead panics,
// the term is over before anybody recovers.
func (e *Election) Run(ctx context.Context, lead func(ctx context.Context, term *Term) error) error {
	for {
		term, err := e.Campaign(ctx)
		if errors.Is(err, contend.ErrGone) && ctx.Err() == nil {
			continue // it costs the place, as a session that expires does
		}
		if err != nil {
			return err
		}
		err = term.lead(ctx, lead)
		switch {
		case errors.Is(err, ErrStop):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, ErrLost):
			return err
		}
	}
}

// resignWithin bounds how long Run waits for a server to hear that a term is
// over; after that it is told in the background.
const resignWithin = 2 * time.Second

// lead leads for one term. Its error is ErrLost if leadership was lost, whatever
// came of it. The term is over also if the function panics.
func (t *Term) lead(ctx context.Context, lead func(ctx context.Context, term *Term) error) (err error) {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(t.Context(), func() { cancel(context.Cause(t.Context())) })
	defer stop()
	defer func() { err = t.leave(ctx, err) }()
	return lead(within, t)
}

// leave ends the term after a function that has led with that result, and returns
// that of both.
func (t *Term) leave(ctx context.Context, err error) error {
	leaving, done := context.WithTimeout(context.WithoutCancel(ctx), resignWithin)
	defer done()
	resigned := t.Resign(leaving)
	switch {
	case resigned == nil || errors.Is(resigned, lock.ErrReleased):
		return err
	case !errors.Is(resigned, ErrLost):
		return errors.Join(err, resigned)
	case errors.Is(err, ErrStop):
		return err
	}
	return resigned
}
