package discovery

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/quollhq/quoll/balance"
)

// Endpoints makes endpoints of instances, for a balance.Balancer.
func Endpoints(instances []Instance) []balance.Endpoint {
	endpoints := make([]balance.Endpoint, len(instances))
	for i, in := range instances {
		endpoints[i] = balance.Endpoint{ID: in.ID, Address: in.HostPort(), Weight: in.Weight, Zone: in.Zone}
	}
	return endpoints
}

// ErrTooMany is what a Pool fails with that follows too many services.
var ErrTooMany = errors.New("too many services are followed")

// maxFollowed bounds the services that a Pool follows: their names come from
// calls, and each costs a watch. Beyond it those without instances make room.
const maxFollowed = 1024

// Pool follows services as they are called, and balances the calls.
type Pool struct {
	d         *Discovery
	newPolicy func() balance.Policy
	opts      []balance.Option
	feeding   sync.WaitGroup
	closing   chan struct{}

	mu       sync.Mutex
	services map[string]*pooled
	closed   bool
}

// pooled is one service of a pool.
type pooled struct {
	ready   chan struct{} // closed when the rest is set
	err     error
	service *Service
	b       *balance.Balancer
	mu      sync.Mutex
	by      map[string]Instance // by ID
}

// Pool makes a Pool. A policy belongs to one service: newPolicy makes one for
// each.
func (d *Discovery) Pool(newPolicy func() balance.Policy, opts ...balance.Option) *Pool {
	return &Pool{d: d, newPolicy: newPolicy, opts: opts, services: make(map[string]*pooled), closing: make(chan struct{})}
}

// Picked is an instance that was picked for a call. Done must be called on it.
type Picked struct {
	*balance.Pick
	Instance Instance
}

// Pick picks an instance for a call of a service; see balance.Balancer.Pick.
// The first call of a service waits until its instances are known. The error is
// balance.ErrNone if there is none.
func (p *Pool) Pick(ctx context.Context, service, key string, tried ...string) (*Picked, error) {
	s, err := p.get(ctx, service)
	if err != nil {
		return nil, err
	}
	pick, err := s.b.Pick(key, tried...)
	if err != nil {
		return nil, fmt.Errorf("discovery: calling %q: %w", service, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Picked{pick, s.by[pick.ID]}, nil
}

// Snapshot is what is known of a service; it is waited for the first time.
func (p *Pool) Snapshot(ctx context.Context, service string) (Snapshot, error) {
	s, err := p.get(ctx, service)
	if err != nil {
		return Snapshot{}, err
	}
	return s.service.Snapshot(), nil
}

// get returns a service that is followed, from now on if need be.
func (p *Pool) get(ctx context.Context, service string) (*pooled, error) {
	for {
		s, err := p.join(ctx, service)
		given := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
		if !given || ctx.Err() != nil {
			return s, err
		} // who had begun to follow it has given up, and it begins anew
	}
}

// join is get, by what another caller has begun if there is one.
func (p *Pool) join(ctx context.Context, service string) (*pooled, error) {
	p.mu.Lock()
	s, known := p.services[service]
	switch {
	case p.closed:
		p.mu.Unlock()
		return nil, ErrClosed
	case !known && len(p.services) >= maxFollowed && !p.forget():
		p.mu.Unlock()
		return nil, fmt.Errorf("discovery: calling %q: %w", service, ErrTooMany)
	case !known:
		s = &pooled{ready: make(chan struct{}), b: balance.New(p.newPolicy(), p.opts...)}
		p.services[service] = s
		p.feeding.Add(1)
	}
	p.mu.Unlock()
	if !known {
		p.begin(ctx, service, s)
	}
	select {
	case <-s.ready:
		return s, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// forget follows one service less: one without instances, as names have that
// somebody has made up. It tells whether there was one. p.mu is held.
func (p *Pool) forget() bool {
	for name, s := range p.services {
		select {
		case <-s.ready:
		default:
			continue
		}
		if len(s.service.Snapshot().Instances) == 0 {
			delete(p.services, name)
			p.feeding.Go(s.service.Close)
			return true
		}
	}
	return false
}

// begin follows a service. When ctx ends first, it fails for all who wait.
func (p *Pool) begin(ctx context.Context, name string, s *pooled) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	waiting := make(chan struct{})
	go func() {
		select {
		case <-p.closing:
			cancel(ErrClosed)
		case <-waiting:
		}
	}()
	s.service, s.err = p.d.Follow(ctx, name)
	close(waiting)
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.err == nil && p.closed {
		s.service.Close()
		s.err = ErrClosed
	}
	if s.err != nil {
		delete(p.services, name)
		p.feeding.Done()
	} else {
		s.take(s.service.Snapshot())
		go p.feed(name, s)
	}
	close(s.ready)
}

// feed keeps a balancer up to date until the service is closed. If it cannot be
// followed any more, the next call begins anew.
func (p *Pool) feed(name string, s *pooled) {
	defer p.feeding.Done()
	for now, err := range s.service.Snapshots(context.Background()) {
		if err != nil {
			break
		}
		s.take(now)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.services[name] == s {
		delete(p.services, name)
	}
}

func (s *pooled) take(now Snapshot) {
	ready := now.Ready()
	by := make(map[string]Instance, len(ready))
	for _, in := range ready {
		by[in.ID] = in
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by = by
	s.b.Update(Endpoints(ready))
}

// Close ends following.
func (p *Pool) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.closing)
	}
	for name, s := range p.services {
		select {
		case <-s.ready:
			s.service.Close()
		default: // begin sees that the pool is closed
		}
		delete(p.services, name)
	}
	p.mu.Unlock()
	p.feeding.Wait()
}
