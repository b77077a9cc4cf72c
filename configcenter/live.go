package configcenter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/quollhq/quoll/client"
)

// DefaultWait is how long Open waits for a server before it takes the file.
const DefaultWait = 5 * time.Second

// Options say how a program follows its configuration.
type Options[T any] struct {
	// Default is what properties are put over. It is not changed.
	Default T
	// Validate has the last word on a configuration, after its own Validate
	// method.
	Validate func(*T) error
	// Keys decrypt.
	Keys *Keyring
	// Sealed leaves encrypted values as they are: for who shows what is published,
	// and does not use it.
	Sealed bool
	// File keeps the last good configuration, for a start without servers. It is
	// not decrypted there.
	File string
	// Wait is how long Open waits for a server before it takes the file, if there
	// is one. Default: 5 s.
	Wait time.Duration
	// Unlisted keeps the program out of the list of subscribers.
	Unlisted bool
}

// Live is configuration that changes.
type Live[T any] struct {
	center *Center
	app    App
	o      Options[T]
	known  *known
	report *reporter
	stop   context.CancelFunc
	ended  chan struct{}

	mu       sync.Mutex
	current  *T
	view     View
	err      error // why what is published is not in use
	closed   error // why it is followed no more
	problems string
	changed  chan struct{} // closed at the next change of current, or of closed
}

// ErrClosed is what ends the ranges over the changes of a Live that was closed.
var ErrClosed = errors.New("the configuration is followed no more")

// Open reads a program's configuration and follows it until Close. Without a file
// it waits for a server until ctx ends. It fails if there is no valid
// configuration.
func Open[T any](ctx context.Context, center *Center, app App, o Options[T]) (*Live[T], error) {
	app.Instance = cmp.Or(app.Instance, client.UUID())
	for _, name := range append(app.Contexts(), app.Instance) {
		if err := checkName("application, profile or instance", name); err != nil {
			return nil, fmt.Errorf("configcenter: %w", err)
		}
	}
	if app.Name == "" {
		return nil, fmt.Errorf("configcenter: %w: an application without a name", ErrInvalid)
	}
	running, stop := context.WithCancel(client.Unbound(context.WithoutCancel(ctx)))
	l := &Live[T]{
		center: center, app: app, o: o, known: newKnown(center, app.Contexts()...), stop: stop,
		ended: make(chan struct{}), changed: make(chan struct{}),
	}
	if !o.Unlisted {
		l.report = newReporter(center, app)
	}
	go l.run(running)
	if err := l.first(ctx); err != nil {
		l.Close()
		return nil, fmt.Errorf("configcenter: opening the configuration of %q: %w", app.Name, err)
	}
	return l, nil
}

// first waits for the first configuration.
func (l *Live[T]) first(ctx context.Context) error {
	waiting := ctx
	if l.o.File != "" {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, cmp.Or(l.o.Wait, DefaultWait))
		defer cancel()
	}
	for {
		l.mu.Lock()
		current, err, closed, changed := l.current, l.err, l.closed, l.changed
		l.mu.Unlock()
		switch {
		case current != nil:
			return nil
		case closed != nil:
			return closed
		case err != nil:
			return l.fromFile(err)
		}
		select {
		case <-changed:
		case <-waiting.Done():
			return l.fromFile(waiting.Err())
		}
	}
}

// fromFile takes the last good configuration, for want of a published one, for
// which err is the reason.
func (l *Live[T]) fromFile(err error) error {
	if l.o.File == "" {
		return err
	}
	v, failed := load(l.o.File, l.id())
	if failed != nil {
		return errors.Join(err, failed)
	}
	v.Stale = true
	value, failed := l.decode(v)
	if failed != nil {
		return errors.Join(err, failed)
	}
	l.center.log.Warn("the configuration is from a file", "app", l.app.Name, "file", l.o.File, "saved", v.Saved, "reason", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil { // a server was reached meanwhile
		l.current, l.view = value, *v
	}
	return nil
}

// id names what the program sees, for the file.
func (l *Live[T]) id() string { return strings.Join(l.app.Contexts(), " ") }

// Current is the configuration. It is shared and must not be changed; a change
// makes another one.
func (l *Live[T]) Current() *T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// View is what the configuration was made from.
func (l *Live[T]) View() View {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view
}

// Err is why what is published at present is not in use; nil if it is.
func (l *Live[T]) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Instance is the name under which the program is listed.
func (l *Live[T]) Instance() string { return l.app.Instance }

// Close ends following. The last configuration stays.
func (l *Live[T]) Close() {
	l.stop()
	<-l.ended
}

// change changes the state and tells who waits.
func (l *Live[T]) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// decode makes a configuration of a view.
func (l *Live[T]) decode(v *View) (*T, error) {
	properties := v.Properties
	if !l.o.Sealed {
		var err error
		if properties, err = v.Decrypted(l.o.Keys); err != nil {
			return nil, err
		}
	}
	value := clone(l.o.Default) // other configurations are made of it, too
	if err := decode(properties, &value); err != nil {
		return nil, err
	}
	if l.o.Validate != nil {
		if err := l.o.Validate(&value); err != nil {
			return nil, err
		}
	}
	return &value, nil
}

// take puts into use what was read, if it is good.
func (l *Live[T]) take(v View, problems []error) {
	l.complain(problems)
	before := l.View()
	if l.Current() != nil && l.Err() == nil && v.same(&before) && before.Saved.IsZero() {
		l.change(func() { l.view.Stale = l.away() })
		return
	}
	value, err := l.decode(&v)
	if err != nil {
		l.refuse(&v, err)
		return
	}
	if l.o.File != "" {
		if err := save(l.o.File, l.id(), &v); err != nil {
			l.center.log.Error("configuration not saved", "file", l.o.File, "error", err)
		}
	}
	l.change(func() {
		v.Stale = l.away()
		if !reflect.DeepEqual(value, l.current) { // or what has changed is nothing to this program
			l.current = value
		}
		l.view, l.err = v, nil
	})
	l.report.say(v, nil)
}

// complain logs nodes that are not what they should be, once.
func (l *Live[T]) complain(problems []error) {
	text := ""
	if err := errors.Join(problems...); err != nil {
		text = err.Error()
	}
	if text != l.problems && text != "" {
		l.center.log.Warn("not all of the configuration is used", "app", l.app.Name, "error", text)
	}
	l.problems = text
}

// refuse leaves the last good configuration in use, and not what was read.
func (l *Live[T]) refuse(v *View, err error) {
	err = fmt.Errorf("what is published for %q%s is not in use: %w", l.app.Name, v.at(l.app), err)
	if old := l.Err(); old != nil && old.Error() == err.Error() {
		err = old // which everybody was told
	} else {
		l.center.log.Error("configuration refused", "app", l.app.Name, "error", err)
	}
	l.change(func() { l.err, l.view.Stale = err, l.away() })
	l.report.say(l.View(), err)
}
