package counter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/lock"
)

// The failures.
var (
	// ErrFormat marks a node that holds no number in the counter's format.
	ErrFormat = errors.New("not a number of this format")
	// ErrRange marks a number that the format cannot hold.
	ErrRange = errors.New("number out of range")
	// ErrChanged is what SetIf fails with when the counter was changed.
	ErrChanged = errors.New("the counter was changed")
)

const (
	promoteAfter = 8
	maxPause     = 50 * time.Millisecond
)

// Option changes how a counter works.
type Option func(*Counter) error

// WithFormat is how the node holds the number. Default: [Long].
func WithFormat(f Format) Option {
	return func(n *Counter) error {
		_, err := f.encode(0)
		n.format = f
		return err
	}
}

// WithACL protects the node that the counter makes. Default: open to all.
func WithACL(acl client.ACLs) Option {
	return func(n *Counter) error {
		n.acl = acl
		return nil
	}
}

// PromoteTo lets a change that has lost 8 races take the lock at path, as
// Apache Curator's PromotedToLock does, and go on under it.
func PromoteTo(path string) Option {
	return func(n *Counter) error {
		m, err := lock.New(n.c, path)
		n.lock = m
		return err
	}
}

// Counter is a number in a node.
type Counter struct {
	c      *client.Client
	path   string
	format Format
	acl    client.ACLs
	lock   *lock.Mutex // or nil
}

// New makes a counter on the node path, which appears with the first change.
func New(c *client.Client, path string, opts ...Option) (*Counter, error) {
	if err := client.ValidatePath(path); err != nil {
		return nil, fmt.Errorf("counter: %w", err)
	}
	n := &Counter{c: c, path: path}
	for _, opt := range opts {
		if err := opt(n); err != nil {
			return nil, fmt.Errorf("counter %s: %w", path, err)
		}
	}
	return n, nil
}

// Value is the number at one time.
type Value struct {
	N int64
	// Zxid is the change that set it; 0 if there is no node, which counts as 0.
	Zxid int64

	czxid   int64
	version int32
}

func (v Value) absent() bool { return v.czxid == 0 }

// Get reads the number.
func (n *Counter) Get(ctx context.Context) (Value, error) {
	data, stat, err := n.c.Get(ctx, n.path)
	return n.value(data, stat, err)
}

func (n *Counter) value(data []byte, stat client.Stat, err error) (Value, error) {
	if errors.Is(err, client.ErrNoNode) {
		return Value{}, nil
	}
	if err != nil {
		return Value{}, fmt.Errorf("counter: %w", err)
	}
	number, err := n.format.decode(data)
	if err != nil {
		return Value{}, fmt.Errorf("counter %s: %w", n.path, err)
	}
	return Value{number, stat.Mzxid, stat.Czxid, stat.Version}, nil
}

// Add adds delta, and returns the sum.
func (n *Counter) Add(ctx context.Context, delta int64) (int64, error) {
	v, err := n.Update(ctx, func(old int64) (int64, error) { return add(old, delta) })
	return v.N, err
}

// Set sets the number, whatever it is.
func (n *Counter) Set(ctx context.Context, number int64) (Value, error) {
	return n.Update(ctx, func(int64) (int64, error) { return number, nil })
}

// Update replaces the number by what f makes of it. It may call f several times.
// An error of f ends it.
func (n *Counter) Update(ctx context.Context, f func(old int64) (int64, error)) (Value, error) {
	for try := 0; ; try++ {
		if try == promoteAfter && n.lock != nil {
			h, err := n.lock.Lock(ctx)
			if err != nil {
				return Value{}, fmt.Errorf("counter %s: %w", n.path, err)
			}
			v, err := n.update(ctx, f)
			return v, errors.Join(err, ignoreLost(h.Unlock(ctx)))
		}
		v, err := n.attempt(ctx, f)
		if !errors.Is(err, ErrChanged) {
			return v, err
		}
		if err := pause(ctx, try); err != nil {
			return Value{}, fmt.Errorf("counter %s: %w", n.path, err)
		}
	}
}

// update tries until it succeeds: under the lock only those come in between who
// have not tried often enough.
func (n *Counter) update(ctx context.Context, f func(old int64) (int64, error)) (Value, error) {
	for {
		v, err := n.attempt(ctx, f)
		if !errors.Is(err, ErrChanged) {
			return v, err
		}
	}
}

// ignoreLost: the lock only keeps others from trying; each change is checked by
// itself.
func ignoreLost(err error) error {
	if errors.Is(err, lock.ErrLost) {
		return nil
	}
	return err
}

// pause waits for a random time that grows with the attempts.
func pause(ctx context.Context, try int) error {
	timer := time.NewTimer(rand.N(min(time.Millisecond<<min(try, 10), maxPause)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *Counter) attempt(ctx context.Context, f func(old int64) (int64, error)) (Value, error) {
	old, err := n.Get(ctx)
	if err != nil {
		return Value{}, err
	}
	number, err := f(old.N)
	if err != nil {
		return Value{}, fmt.Errorf("counter %s: %w", n.path, err)
	}
	return n.SetIf(ctx, old, number)
}

// SetIf sets the number if it was not changed since old was read, and fails with
// [ErrChanged] otherwise.
func (n *Counter) SetIf(ctx context.Context, old Value, number int64) (Value, error) {
	data, err := n.format.encode(number)
	if err != nil {
		return Value{}, fmt.Errorf("counter %s: %w", n.path, err)
	}
	for {
		stat, err := n.write(ctx, old, data)
		switch {
		case err == nil:
			return Value{number, stat.Mzxid, stat.Czxid, stat.Version}, nil
		case errors.Is(err, client.ErrBadVersion) || errors.Is(err, client.ErrNodeExists) || errors.Is(err, client.ErrNoNode):
			return Value{}, fmt.Errorf("%w: %w", ErrChanged, err)
		case !client.MaybeApplied(err) || ctx.Err() != nil:
			return Value{}, fmt.Errorf("counter: %w", err)
		}
		again, v, resolved := n.resolve(ctx, old, data, err)
		if resolved != nil || !again {
			return v, resolved
		}
	}
}

// write makes one attempt.
func (n *Counter) write(ctx context.Context, old Value, data []byte) (client.Stat, error) {
	if !old.absent() {
		return n.c.Set(ctx, n.path, data, old.version)
	}
	var opts []client.CreateOption
	if n.acl != nil {
		opts = append(opts, n.acl)
	}
	if i := strings.LastIndexByte(n.path, '/'); i > 0 {
		if err := n.c.EnsurePath(ctx, n.path[:i]); err != nil {
			return client.Stat{}, err
		}
	}
	_, stat, err := n.c.Create2(ctx, n.path, data, opts...)
	return stat, err
}

// resolve looks what has become of a write whose reply was lost. It tells to
// write again if it did not take place, or fails with ErrChanged if another did
// in its place. When nobody can tell, it fails with the cause.
func (n *Counter) resolve(ctx context.Context, old Value, data []byte, cause error) (again bool, v Value, err error) {
	if err := n.c.Sync(ctx, n.path); err != nil {
		return false, v, fmt.Errorf("counter: %w", errors.Join(cause, err))
	}
	now, stat, err := n.c.Get(ctx, n.path)
	next := old.version + 1
	if old.absent() {
		next = 0
	}
	switch {
	case errors.Is(err, client.ErrNoNode) && old.absent():
		return true, v, nil
	case err != nil:
		return false, v, fmt.Errorf("counter: %w", errors.Join(cause, err))
	case stat.Czxid == old.czxid && stat.Version == old.version:
		return true, v, nil
	case (stat.Czxid == old.czxid || old.absent()) && stat.Version == next && !bytes.Equal(now, data):
		return false, v, fmt.Errorf("counter %s: %w", n.path, ErrChanged)
	}
	return false, v, fmt.Errorf("counter: %w", cause)
}

// Watch ranges over the values: the present one, and each change. Of changes
// that come faster than they are taken, the last one counts. The last pair holds
// the error that ended it, that of ctx included.
func (n *Counter) Watch(ctx context.Context) iter.Seq2[Value, error] {
	return func(yield func(Value, error) bool) {
		first, last := true, Value{}
		for {
			v, changed, err := n.look(ctx)
			if errors.Is(err, client.ErrSessionExpired) && n.c.WaitConnected(ctx) == nil {
				continue
			}
			if err != nil {
				yield(Value{}, err)
				return
			}
			// Another server may be behind the one asked before.
			if first || v.Zxid > last.Zxid || v.absent() && !last.absent() {
				if !yield(v, nil) {
					n.c.ForgetWatch(n.path, changed)
					return
				}
				first, last = false, v
			}
			select {
			case <-changed:
			case <-ctx.Done():
				n.c.ForgetWatch(n.path, changed)
				yield(Value{}, ctx.Err())
				return
			}
		}
	}
}

func (n *Counter) look(ctx context.Context) (Value, <-chan client.Event, error) {
	for {
		data, stat, changed, err := n.c.GetW(ctx, n.path)
		if errors.Is(err, client.ErrNoNode) {
			var found bool
			if _, found, changed, err = n.c.ExistsW(ctx, n.path); err == nil && found {
				n.c.ForgetWatch(n.path, changed)
				continue
			}
			if err == nil {
				return Value{}, changed, nil
			}
		}
		v, err := n.value(data, stat, err)
		if err != nil && changed != nil { // what is there is no number
			n.c.ForgetWatch(n.path, changed)
		}
		return v, changed, err
	}
}
