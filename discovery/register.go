package discovery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quollhq/quoll/client"
)

// ErrReplaced is why a registration has ended whose node another program has
// taken: it registers with the same id.
var ErrReplaced = errors.New("another program has registered with the same id")

// Status is the state of a registration.
type Status int

// The states.
const (
	// Joining: the instance is on its way to being registered.
	Joining Status = iota
	// Serving: callers find the instance.
	Serving
	// Unhealthy: a check fails, and the instance is withdrawn until it passes.
	Unhealthy
	// Gone: the registration has ended.
	Gone
)

// String is the state in words.
func (s Status) String() string {
	return [...]string{"joining", "serving", "unhealthy", "gone"}[s]
}

// Registration keeps an instance registered, from Register until Close.
type Registration struct {
	d      *Discovery
	dir    string
	checks *checks
	cancel context.CancelFunc
	ended  chan struct{} // closed when the goroutine has left

	// Of the goroutine that keeps the instance:
	path     string         // of its node, as far as is known; "" if there is none
	wrote    []byte         // what the node was given
	tried    []byte         // what a sequential node was to get whose making has an unknown outcome
	sessions map[int64]bool // that it has registered in

	mu      sync.Mutex
	in      Instance
	leaving bool
	status  Status
	err     error
	kick    chan struct{} // holds a token when in, leaving or the checks have changed
	changed chan struct{} // closed when status changes
}

// RegisterOption changes how an instance is registered.
type RegisterOption func(*Registration)

// Register registers an instance and keeps it registered until Close. It returns
// when callers find the instance, or with checks when the first of them has
// failed. If it fails, the instance is not registered.
func (d *Discovery) Register(ctx context.Context, in Instance, opts ...RegisterOption) (*Registration, error) {
	in = in.clone()
	if in.ID == "" {
		in.ID = client.UUID()
	}
	if in.Registered.IsZero() {
		in.Registered = time.Now()
	}
	dir, err := d.check(in)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	running, cancel := context.WithCancel(client.Unbound(context.WithoutCancel(ctx)))
	r := &Registration{
		d: d, dir: dir, in: in, cancel: cancel, checks: newChecks(), sessions: make(map[int64]bool),
		ended: make(chan struct{}), kick: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	for _, opt := range opts {
		opt(r)
	}
	r.checks.start(running, r.touch, d.log.With("service", in.Service, "id", in.ID))
	go r.run(running)
	if err := r.await(ctx); err != nil {
		leaving, done := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
		defer done()
		_ = r.Close(leaving) // it goes on until a server has heard of it
		return nil, fmt.Errorf("discovery: registering in %s: %w", dir, err)
	}
	return r, nil
}

// closingTime bounds how long a server is asked to forget an instance whose
// registration has failed.
const closingTime = time.Second

// check validates an instance and returns where it belongs.
func (d *Discovery) check(in Instance) (dir string, err error) {
	if err = in.valid(); err != nil {
		return "", err
	}
	node, err := d.layout.Encode(in)
	if err != nil {
		return "", err
	}
	dir, err = d.layout.Dir(in.Service)
	if size := len(dir) + len(node.Name) + len(node.Data); err == nil && size > maxNode {
		err = fmt.Errorf("%w: an instance in %s has %d bytes, of which a packet has room for %d", ErrInvalid, dir, size, maxNode)
	}
	return dir, err
}

// maxNode bounds path and data of an instance, in bytes: servers close the
// connection that a packet of 1 MiB or more comes on.
const maxNode = 1<<20 - 1024

// await waits until it is known whether the instance is registered.
func (r *Registration) await(ctx context.Context) error {
	for {
		r.mu.Lock()
		status, err, changed := r.status, r.err, r.changed
		r.mu.Unlock()
		switch {
		case err != nil:
			return err
		case status != Joining:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Instance is what is registered.
func (r *Registration) Instance() Instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.in.clone()
}

// Status tells whether callers find the instance, and if not, why: the error of
// a check, or of the registration.
func (r *Registration) Status() (Status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status == Unhealthy {
		return r.status, r.checks.failure()
	}
	return r.status, r.err
}

// Changed returns a channel that is closed when the status changes next.
func (r *Registration) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Done is closed when the registration is kept no more: after Close, because
// another program has taken the id, or because the client was closed or refused.
// Then Status says why.
func (r *Registration) Done() <-chan struct{} { return r.ended }

// Update changes what is registered, except for the service's name and the id.
// Callers see it soon after.
func (r *Registration) Update(change func(in *Instance)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.in.clone()
	change(&in)
	in.Service, in.ID, in.Static = r.in.Service, r.in.ID, r.in.Static
	if _, err := r.d.check(in); err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	r.in = in
	r.touch()
	return nil
}

// Drain asks callers to give the instance no new work. Close follows when the
// work at hand is done.
func (r *Registration) Drain() error { return r.Update(func(in *Instance) { in.Draining = true }) }

// Close removes the instance and returns when it is gone. If ctx ends first,
// Close fails, and the instance is removed as soon as a server can be reached,
// unless the client is closed before, which removes it, too, if it is not static.
func (r *Registration) Close(ctx context.Context) error {
	r.mu.Lock()
	r.leaving = true
	r.mu.Unlock()
	r.touch()
	select {
	case <-r.ended:
	case <-ctx.Done():
		return fmt.Errorf("discovery: %w", ctx.Err())
	}
	if _, err := r.Status(); err != nil && !errors.Is(err, ErrReplaced) && !errors.Is(err, client.ErrClosed) {
		return fmt.Errorf("discovery: %w", err)
	}
	return nil
}

// touch lets the goroutine look whether all is as it should be.
func (r *Registration) touch() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// wanted is what should be: the instance, and whether its node should be there.
func (r *Registration) wanted() (in Instance, there, leaving bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.in.clone(), !r.leaving && r.checks.passing(), r.leaving
}

func (r *Registration) set(status Status, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status == status && err == nil {
		return
	}
	r.d.log.Info("registration", "service", r.in.Service, "id", r.in.ID, "status", status, "error", err)
	r.status, r.err = status, err
	close(r.changed)
	r.changed = make(chan struct{})
}

// run keeps the node as it should be until the registration is closed.
func (r *Registration) run(ctx context.Context) {
	defer close(r.ended)
	defer r.checks.wait()
	defer r.cancel()
	for {
		in, there, leaving := r.wanted()
		changed, err := r.keep(ctx, in, there)
		switch {
		case err != nil && !client.Transient(err):
			r.set(Gone, err)
			return
		case err != nil:
			r.set(Joining, nil)
			if err := r.d.c.WaitConnected(ctx); err != nil {
				r.set(Gone, err)
				return
			}
			continue
		case leaving:
			r.set(Gone, nil)
			return
		case there:
			r.set(Serving, nil)
		case r.checks.failure() != nil:
			r.set(Unhealthy, nil)
		}
		select {
		case <-changed:
		case <-r.kick:
			if changed != nil {
				r.d.c.ForgetWatch(r.path, changed)
			}
		}
	}
}
