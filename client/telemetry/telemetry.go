// Package telemetry makes traces and metrics for OpenTelemetry of what a client
// does. It is a module of its own, so that the client stays light:
//
//	hooks, err := telemetry.Hooks(telemetry.Config{})
//	...
//	c, err := client.Dial(ctx, "zk1:2181", client.WithHooks(hooks))
//
// Each request is a span, a child of the one in its context, and counts in the
// histogram db.client.operation.duration, in seconds, both with the attributes
// that OpenTelemetry has for databases: db.system.name (zookeeper),
// db.operation.name, server.address, server.port and error.type. A span has the
// path, too. Counters tell how often the connection was opened and lost, the
// session expired, and watches fired.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/quollhq/quoll/client"
)

const scope = "github.com/quollhq/quoll/client/telemetry"

// Config says where traces and metrics go.
type Config struct {
	// TracerProvider makes spans. Default: OpenTelemetry's global one.
	TracerProvider trace.TracerProvider
	// MeterProvider makes metrics. Default: OpenTelemetry's global one.
	MeterProvider metric.MeterProvider
	// WithoutPaths leaves the paths of nodes out of the spans.
	WithoutPaths bool
}

// Hooks makes an argument for [client.WithHooks]; several clients can share it.
func Hooks(cfg Config) (client.Hooks, error) {
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = otel.GetTracerProvider()
	}
	if cfg.MeterProvider == nil {
		cfg.MeterProvider = otel.GetMeterProvider()
	}
	i := &instruments{tracer: cfg.TracerProvider.Tracer(scope), paths: !cfg.WithoutPaths}
	m := cfg.MeterProvider.Meter(scope)
	var errs [3]error
	i.duration, errs[0] = m.Float64Histogram("db.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of requests, waiting for a connection included."),
		metric.WithExplicitBucketBoundaries(.0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10))
	i.states, errs[1] = m.Int64Counter("zookeeper.client.state.changes", metric.WithUnit("{change}"),
		metric.WithDescription("Changes of the state of connection and session, by the new state."))
	i.events, errs[2] = m.Int64Counter("zookeeper.client.watch.events", metric.WithUnit("{event}"),
		metric.WithDescription("Notifications of watches, by what happened."))
	if err := errors.Join(errs[:]...); err != nil {
		return client.Hooks{}, fmt.Errorf("telemetry: %w", err)
	}
	return client.Hooks{Request: i.request, Event: i.event}, nil
}

type instruments struct {
	tracer   trace.Tracer
	duration metric.Float64Histogram
	states   metric.Int64Counter
	events   metric.Int64Counter
	paths    bool
}

var system = attribute.String("db.system.name", "zookeeper")

// request begins a span, and ends it with the outcome.
func (i *instruments) request(ctx context.Context, r client.Request) func(client.Outcome) {
	began := time.Now()
	op := attribute.String("db.operation.name", r.Op)
	first := []attribute.KeyValue{system, op}
	if i.paths && r.Path != "" {
		first = append(first, attribute.String("zookeeper.path", r.Path))
	}
	_, span := i.tracer.Start(ctx, r.Op, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(began), trace.WithAttributes(first...))
	return func(o client.Outcome) {
		if r.Op == "exists" && errors.Is(o.Err, client.ErrNoNode) {
			o.Err = nil // that is an answer, too
		}
		attrs := append([]attribute.KeyValue{system, op}, server(o.Server)...)
		if o.Err != nil {
			attrs = append(attrs, attribute.String("error.type", kind(o.Err)))
		}
		i.duration.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(attrs...))
		if !span.IsRecording() {
			span.End()
			return
		}
		span.SetAttributes(attrs[2:]...)
		if o.Zxid > 0 {
			span.SetAttributes(attribute.Int64("zookeeper.zxid", o.Zxid))
		}
		if o.Tries > 1 {
			span.SetAttributes(attribute.Int("zookeeper.tries", o.Tries))
		}
		if o.Err != nil {
			span.SetStatus(codes.Error, o.Err.Error())
		}
		span.End()
	}
}

// server is a host:port as attributes.
func server(addr string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil // it was not sent
	}
	attrs := []attribute.KeyValue{attribute.String("server.address", host)}
	if n, err := strconv.Atoi(port); err == nil {
		attrs = append(attrs, attribute.Int("server.port", n))
	}
	return attrs
}

// kind names a failure by one of few words.
func kind(err error) string {
	var code client.Code
	switch {
	case errors.Is(err, client.ErrConnectionLoss): // whatever has caused it
		return client.ErrConnectionLoss.Error()
	case errors.As(err, &code):
		return code.Error()
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline exceeded"
	case errors.Is(err, client.ErrClosed):
		return client.ErrClosed.Error()
	case errors.Is(err, client.ErrReplyTooLarge):
		return client.ErrReplyTooLarge.Error()
	case errors.Is(err, client.ErrRequestTooLarge):
		return client.ErrRequestTooLarge.Error()
	case errors.Is(err, client.ErrMalformed):
		return client.ErrMalformed.Error()
	}
	return "other"
}

// event counts.
func (i *instruments) event(ev client.Event) {
	ctx := context.Background()
	if ev.Type != client.EventSession {
		i.events.Add(ctx, 1, metric.WithAttributes(attribute.String("zookeeper.event", ev.Type.String())))
		return
	}
	attrs := append(server(ev.Server), attribute.String("zookeeper.state", ev.State.String()))
	i.states.Add(ctx, 1, metric.WithAttributes(attrs...))
}
