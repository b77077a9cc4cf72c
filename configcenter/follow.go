package configcenter

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quollhq/quoll/client"
)

// run follows the contexts until ctx ends or the client does.
func (l *Live[T]) run(ctx context.Context) {
	defer close(l.ended)
	defer l.report.stop()
	for {
		err := l.follow(ctx)
		if transient(err) {
			l.change(func() { l.view.Stale = true })
			err = l.center.c.WaitConnected(ctx)
		}
		if ctx.Err() != nil {
			err = ErrClosed
		}
		if err != nil {
			l.change(func() { l.closed, l.view.Stale = err, true })
			return
		}
	}
}

// transient tells whether a failure is one of the way to the servers.
func transient(err error) bool {
	for _, target := range []error{
		client.ErrConnectionLoss, client.ErrSessionExpired, client.ErrOperationTimeout, client.ErrRequestTimeout,
		client.ErrSessionMoved, client.ErrThrottledOp, client.ErrWatchClosed,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// follow reads the contexts, and again whenever something changes, for one
// session.
func (l *Live[T]) follow(ctx context.Context) error {
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	dirty := make(chan struct{}, 1)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stop(nil)
	for _, name := range l.known.contexts {
		for path, mode := range map[string]client.WatchMode{
			l.center.headPath(name): client.WatchNode, l.center.dir(name): client.WatchTree,
		} {
			w, err := l.center.c.AddWatch(ctx, path, mode)
			if err != nil {
				return err
			}
			watchers.Go(func() { stop(await(watching, w, dirty)) })
		}
	}
	events := l.center.c.Events()
	defer events.Close()
	for {
		v, problems, err := l.center.resolve(ctx, l.app, l.known)
		switch {
		case errors.Is(err, ErrInvalid): // a head that is none, until somebody mends it
			l.refuse(err)
		case err != nil:
			return err
		default:
			l.take(v, problems)
		}
		if err := l.wait(watching, dirty, events); err != nil {
			return err
		}
	}
}

// wait waits until something has changed.
func (l *Live[T]) wait(ctx context.Context, dirty <-chan struct{}, events *client.Events) error {
	for {
		select {
		case <-dirty:
			return nil
		case <-events.Ready():
			for more := true; more; {
				_, more = events.TryNext()
			}
			if !l.center.c.State().Serving() && !l.View().Stale {
				l.change(func() { l.view.Stale = true })
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// closingTime bounds how long a server is asked to forget a watch.
const closingTime = time.Second

// await says dirty at each event of a watch, until ctx or the watch ends.
func await(ctx context.Context, w *client.Watch, dirty chan<- struct{}) error {
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
		defer cancel()
		_ = w.Close(closing) // a watch that a server keeps tells nobody any more
	}()
	for {
		if _, err := w.Next(ctx); err != nil {
			return err
		}
		select {
		case dirty <- struct{}{}:
		default:
		}
	}
}
