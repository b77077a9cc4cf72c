// Package grpcresolver lets gRPC clients find the instances of a service by
// discovery. It is a module of its own, so that other users of discovery do not
// depend on gRPC.
//
//	conn, err := grpc.NewClient("quoll:///orders", grpc.WithResolvers(grpcresolver.New(d)), ...)
//
// The connection follows the service for as long as it is open. Instances that
// drain get no new calls. Weight, zone and metadata are with each endpoint, see
// [Instance]. A server's own health is checked by discovery.GRPCCheck where it
// registers.
package grpcresolver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"

	"github.com/quollhq/quoll/discovery"
)

// Scheme is that of the targets: quoll:///SERVICE.
const Scheme = "quoll"

// DefaultServiceConfig balances by round robin.
const DefaultServiceConfig = `{"loadBalancingConfig":[{"round_robin":{}}]}`

// Option changes how services are resolved.
type Option func(*Builder)

// WithServiceConfig is gRPC's service config in JSON, which names the balancer.
// Default: DefaultServiceConfig.
func WithServiceConfig(json string) Option { return func(b *Builder) { b.config = json } }

// Builder makes resolvers. It is a resolver.Builder, for grpc.WithResolvers.
type Builder struct {
	d      *discovery.Discovery
	config string
}

// New makes a Builder that finds instances by d.
func New(d *discovery.Discovery, opts ...Option) *Builder {
	b := &Builder{d: d, config: DefaultServiceConfig}
	for _, opt := range opts {
		opt(b)
	}
	return b
}

// Scheme is that of the targets.
func (b *Builder) Scheme() string { return Scheme }

// Build follows the service that the target names.
func (b *Builder) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	service := strings.TrimPrefix(target.URL.Path, "/")
	if service == "" || target.URL.Host != "" {
		return nil, fmt.Errorf("grpcresolver: %q is not of the form %s:///SERVICE", target.URL.String(), Scheme)
	}
	parsed := cc.ParseServiceConfig(b.config)
	if parsed.Err != nil {
		return nil, fmt.Errorf("grpcresolver: service config: %w", parsed.Err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &following{cc: cc, cancel: cancel}
	r.running.Go(func() { r.follow(ctx, b.d, service, func(s *resolver.State) { s.ServiceConfig = parsed }) })
	return r, nil
}

// following is a resolver of one connection.
type following struct {
	cc      resolver.ClientConn
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// ResolveNow does nothing: changes are told as they come.
func (r *following) ResolveNow(resolver.ResolveNowOptions) {}

// Close ends following.
func (r *following) Close() {
	r.cancel()
	r.running.Wait()
}

func (r *following) follow(ctx context.Context, d *discovery.Discovery, service string, complete func(*resolver.State)) {
	s, err := d.Follow(ctx, service)
	if err != nil {
		r.report(ctx, err)
		return
	}
	defer s.Close()
	for now, err := range s.Snapshots(ctx) {
		if err != nil {
			r.report(ctx, err)
			return
		}
		state := resolver.State{Endpoints: endpoints(now.Ready())}
		complete(&state)
		// The balancer's refusal, as of no endpoint at all, shows in the calls.
		_ = r.cc.UpdateState(state)
	}
}

func (r *following) report(ctx context.Context, err error) {
	if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
		r.cc.ReportError(fmt.Errorf("grpcresolver: %w", err))
	}
}

type instanceKey struct{}

// value is an instance as an attribute. The same node at the same time is the same
// instance.
type value struct{ discovery.Instance }

// Equal tells whether two attributes are the same, for gRPC.
func (v value) Equal(other any) bool {
	o, ok := other.(value)
	return ok && v.ID == o.ID && v.Weight == o.Weight && v.Zone == o.Zone && v.Registered.Equal(o.Registered)
}

func endpoints(instances []discovery.Instance) []resolver.Endpoint {
	list := make([]resolver.Endpoint, len(instances))
	for i, in := range instances {
		list[i] = resolver.Endpoint{
			Addresses:  []resolver.Address{{Addr: in.HostPort()}},
			Attributes: attributes.New(instanceKey{}, value{in}),
		}
	}
	return list
}

// Instance is the instance that an endpoint stands for, for balancers that want
// its weight, zone or metadata.
func Instance(e resolver.Endpoint) (in discovery.Instance, ok bool) {
	v, ok := e.Attributes.Value(instanceKey{}).(value)
	return v.Instance, ok
}
