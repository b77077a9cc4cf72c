package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/quollhq/quoll/client"
)

// Defaults of the options.
const (
	DefaultPanicThreshold = 0.5
	DefaultPanicGrace     = 30 * time.Second
)

// Discovery registers and finds instances in one layout.
type Discovery struct {
	c         *client.Client
	layout    Layout
	log       *slog.Logger
	acl       client.ACLs
	threshold float64
	grace     time.Duration
}

// Option changes how instances are registered and found.
type Option func(*Discovery)

// WithLayout is the form of the nodes. Default: Curator{}.
func WithLayout(l Layout) Option { return func(d *Discovery) { d.layout = l } }

// WithACL protects the nodes that are made. Default: open to all.
func WithACL(acl client.ACLs) Option { return func(d *Discovery) { d.acl = acl } }

// WithLogger logs registrations, checks and nodes that are no instances.
// Default, and if log is nil: no log.
func WithLogger(log *slog.Logger) Option {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return func(d *Discovery) { d.log = log }
}

// WithPanicThreshold keeps instances that are missing after servers could not be
// reached for a time: if fewer than this part of those known before are there when
// a server is reached again, or within the session timeout of this client after
// that, in which the sessions of others expire, those that are missing are kept for
// the grace, or until enough have come back. Who says good-bye in that time is kept
// like the others.
// A threshold of 0 keeps none. Default: 0.5 and 30 s.
func WithPanicThreshold(part float64, grace time.Duration) Option {
	return func(d *Discovery) { d.threshold, d.grace = part, grace }
}

// New makes a Discovery that works by a client.
func New(c *client.Client, opts ...Option) *Discovery {
	d := &Discovery{
		c: c, layout: Curator{}, log: slog.New(slog.DiscardHandler),
		threshold: DefaultPanicThreshold, grace: DefaultPanicGrace,
	}
	for _, opt := range opts {
		opt(d)
	}
	return d
}

// Services lists the names of services, sorted. One whose last instance has left
// may still be among them.
func (d *Discovery) Services(ctx context.Context) ([]string, error) {
	children, err := d.c.ChildNames(ctx, d.layout.Root())
	if err != nil && !errors.Is(err, client.ErrNoNode) {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	var names []string
	for _, child := range children {
		if name, ok := d.layout.ServiceName(child); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Dir is the node below which the instances of a service are.
func (d *Discovery) Dir(service string) (string, error) {
	dir, err := d.layout.Dir(service)
	if err != nil {
		return "", fmt.Errorf("discovery: %w", err)
	}
	return dir, nil
}

// Instances reads the instances of a service once. It is no failure that there is
// no such service.
func (d *Discovery) Instances(ctx context.Context, service string) (Snapshot, error) {
	dir, err := d.Dir(service)
	if err != nil {
		return Snapshot{}, err
	}
	children := children{c: d.c, dir: dir}
	if err := children.load(ctx); err != nil {
		return Snapshot{}, fmt.Errorf("discovery: %w", err)
	}
	return d.snapshot(service, &children), nil
}
