package configcenter

import (
	"context"
	"iter"
)

// Update is a state of a Live.
type Update[T any] struct {
	// Config is the configuration in use. It is shared and must not be changed.
	Config *T
	// View is what it was made from; View.Stale says that no server can be reached.
	View View
	// Err is why what is published at present is not in use; nil if it is.
	Err error
}

// news tells whether u says something that last does not.
func (u *Update[T]) news(last *Update[T]) bool {
	return u.Config != last.Config || u.Err != last.Err || u.View.Stale != last.View.Stale
}

// Updates ranges over states: the present one, and each later one, which comes with
// a configuration that is not equal, with one that is refused, when what is published is in use
// again, and when servers are away or back. Of updates that come faster than they
// are taken, the last one counts. The last pair holds the error that ended it, that
// of ctx included.
func (l *Live[T]) Updates(ctx context.Context) iter.Seq2[Update[T], error] {
	return func(yield func(Update[T], error) bool) {
		var last Update[T]
		for {
			l.mu.Lock()
			now, closed, changed := Update[T]{l.current, l.view, l.err}, l.closed, l.changed
			l.mu.Unlock()
			if closed != nil {
				now.View.Stale = last.View.Stale // the end says so
			}
			if now.news(&last) && !yield(now, nil) {
				return
			}
			if last = now; closed != nil {
				yield(last, closed)
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(last, ctx.Err())
				return
			}
		}
	}
}

// Changes ranges over configurations: the present one, and each later one that is
// not equal to it (as reflect.DeepEqual has it): a publication may change nothing
// for this program. Of changes that come faster than they are taken, the last one counts. The last
// pair holds the error that ended it, that of ctx included. Of a configuration that
// is refused nothing is seen here: Updates tells of it.
func (l *Live[T]) Changes(ctx context.Context) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		var last *T
		for u, err := range l.Updates(ctx) {
			if (err != nil || u.Config != last) && !yield(u.Config, err) {
				return
			}
			last = u.Config
		}
	}
}
