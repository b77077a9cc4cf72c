package configcenter

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/quollhq/quoll/client"
)

// run follows the contexts until ctx ends or the client does.
func (l *Live[T]) run(ctx context.Context) {
	defer close(l.ended)
	defer l.report.stop()
	events := l.center.c.Events()
	var watching sync.WaitGroup
	watching.Go(func() { l.watchState(ctx, events) })
	defer watching.Wait()
	defer events.Close()
	for {
		err := l.follow(ctx)
		if client.Transient(err) {
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
	for {
		v, problems, doubles, err := l.center.resolve(ctx, l.app, l.known)
		switch {
		case errors.Is(err, ErrInvalid): // a head that is none, until somebody mends it
			l.refuse(&v, err)
		case errors.Is(err, errBusy):
			continue
		case err != nil:
			return err
		default:
			l.take(v, append(problems, doubles...))
		}
		select {
		case <-dirty:
			// The events of one publication come together: one reading is for all.
			runtime.Gosched()
			select {
			case <-dirty:
			default:
			}
		case <-watching.Done():
			return context.Cause(watching)
		}
	}
}

// watchState marks the view as stale when there is no server, whatever the other
// goroutine is waiting for. Only what is read afterwards is not stale again.
func (l *Live[T]) watchState(ctx context.Context, events *client.Events) {
	for {
		if _, err := events.Next(ctx); err != nil {
			return
		}
		if !l.View().Stale && l.away() {
			l.change(func() { l.view.Stale = l.view.Stale || l.away() })
		}
	}
}

func (l *Live[T]) away() bool { return !l.center.c.State().Serving() }

// await says dirty at each event of a watch, until ctx or the watch ends.
func await(ctx context.Context, w *client.Watch, dirty chan<- struct{}) error {
	defer w.Release()
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
