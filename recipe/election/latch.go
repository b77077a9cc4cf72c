package election

import (
	"context"
	"errors"
	"sync"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/internal/contend"
)

// Latch takes part in the background, from Join until Close.
type Latch struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the participant has left

	mu      sync.Mutex
	term    *Term // nil while another leads
	err     error // why it takes part no more
	changed chan struct{}
}

// Join takes part in the background. The context is for its values alone.
func (e *Election) Join(ctx context.Context) *Latch {
	ctx, cancel := context.WithCancel(client.Unbound(context.WithoutCancel(ctx)))
	l := &Latch{cancel: cancel, done: make(chan struct{}), changed: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.set(nil, l.run(ctx, e))
	}()
	return l
}

// run takes part until ctx ends or the client does, also over failures of the way
// to the servers that the client does not get over by itself, as its retry policy
// may say.
func (l *Latch) run(ctx context.Context, e *Election) error {
	for {
		err := e.Run(ctx, func(ctx context.Context, term *Term) error {
			l.set(term, nil)
			<-ctx.Done()
			l.set(nil, nil)
			return nil
		})
		if err := contend.Recover(ctx, e.c, err); err != nil {
			return err
		}
	}
}

// set records the state and tells who waits.
func (l *Latch) set(term *Term, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.term, l.err = term, err
	close(l.changed)
	l.changed = make(chan struct{})
}

// Term is the present term of this participant, or nil if it does not lead. Work
// within its context.
func (l *Latch) Term() *Term {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term != nil && l.term.Context().Err() != nil {
		return nil
	}
	return l.term
}

// Leads tells whether this participant leads, as far as it can know.
func (l *Latch) Leads() bool { return l.Term() != nil }

// Await waits until this participant leads. It fails when ctx ends, or when the
// participant has left.
func (l *Latch) Await(ctx context.Context) (*Term, error) {
	for {
		l.mu.Lock()
		term, err, changed := l.term, l.err, l.changed
		l.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case term != nil && term.Context().Err() == nil:
			return term, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Done is closed when the participant has left: after Close, or because the
// client was closed or refused. Then Err says why.
func (l *Latch) Done() <-chan struct{} { return l.done }

// Err is why the participant takes part no more; nil while it does.
func (l *Latch) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Close leaves the election, resigning first if this participant leads. It
// returns when it has left, or ctx ends; then it leaves as soon as it can.
func (l *Latch) Close(ctx context.Context) error {
	l.cancel()
	select {
	case <-l.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := l.Err(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
