package badinput_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/cache"
	"github.com/quollhq/quoll/recipe/election"
	"github.com/quollhq/quoll/recipe/lock"
	"github.com/quollhq/quoll/recipe/node"
)

// outage breaks the connection at the next request, and refuses to connect for some attempts after that.
type outage struct {
	armed   atomic.Bool
	refuse  atomic.Int32
	refused atomic.Int32 // in all
}

// lasts is how many attempts to connect are refused.
const lasts = 3

func (o *outage) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if o.refuse.Add(-1) >= 0 {
		o.refused.Add(1)
		return nil, errors.New("refused by the test")
	}
	nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return struckOut{nc, o}, err
}

type struckOut struct {
	net.Conn
	o *outage
}

func (c struckOut) Write(b []byte) (int, error) {
	if requests(b) > 0 && c.o.armed.CompareAndSwap(true, false) {
		c.o.refuse.Store(lasts)
		return 0, errors.Join(errors.New("broken by the test"), c.Close())
	}
	return c.Conn.Write(b)
}

// What is kept up to date after the call that began it gets over an outage, also if the call's context had bounds: that it
// was not to wait for a server, and to be told the zxid of its replies.
func TestBoundsEndWithTheCall(t *testing.T) {
	addr := servertest.Start(t)
	other := servertest.Dial(t, addr)
	for name, begin := range map[string]func(t *testing.T, ctx, bound context.Context, c *client.Client) (strike func() error, await func() error, end func() error){
		"lock": func(t *testing.T, ctx, bound context.Context, c *client.Client) (func() error, func() error, func() error) {
			m, err := lock.New(c, "/lock")
			fatal(t, err)
			h, err := m.Lock(bound)
			fatal(t, err)
			strike := func() error { return second(other.Set(ctx, h.Path(), []byte("touched"), -1)) }
			await := func() error {
				if err := other.Delete(ctx, h.Path(), -1); err != nil {
					return err
				}
				select {
				case <-h.Context().Done():
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return strike, await, func() error { return expected(h.Unlock(ctx), lock.ErrLost) }
		},
		"node": func(t *testing.T, ctx, bound context.Context, c *client.Client) (func() error, func() error, func() error) {
			k, err := node.Keep(bound, c, "/node", nil)
			fatal(t, err)
			strike := func() error { return other.Delete(ctx, "/node", -1) }
			return strike, func() error { return there(ctx, other, "/node") }, func() error { return k.Close(ctx) }
		},
		"cache": func(t *testing.T, ctx, bound context.Context, c *client.Client) (func() error, func() error, func() error) {
			tree, err := cache.Open(bound, c, "/cache", cache.String)
			fatal(t, err)
			strike := func() error { return second(other.Create(ctx, "/cache", []byte("here"))) }
			await := func() error {
				for change, err := range tree.Changes(ctx) {
					if err != nil || change.New != nil && change.New.Value == "here" {
						return err
					}
				}
				return nil
			}
			return strike, await, func() error { tree.Close(); return nil }
		},
		"latch": func(t *testing.T, ctx, bound context.Context, c *client.Client) (func() error, func() error, func() error) {
			e, err := election.New(c, "/latch")
			fatal(t, err)
			l := e.Join(bound)
			first, err := l.Await(ctx)
			fatal(t, err)
			strike := func() error { return other.Delete(ctx, first.Path(), -1) }
			await := func() error {
				for {
					if term, err := l.Await(ctx); err != nil || term != first {
						return err
					}
				}
			}
			return strike, await, func() error { return l.Close(ctx) }
		},
		"register": func(t *testing.T, ctx, bound context.Context, c *client.Client) (func() error, func() error, func() error) {
			r, err := discovery.New(c).Register(bound, discovery.Instance{Service: "kept", ID: "one", Address: "10.0.0.1", Port: 80})
			fatal(t, err)
			strike := func() error { return other.Delete(ctx, "/services/kept/one", -1) }
			return strike, func() error { return there(ctx, other, "/services/kept/one") }, func() error { return r.Close(ctx) }
		},
		"follow": func(t *testing.T, ctx, bound context.Context, c *client.Client) (func() error, func() error, func() error) {
			s, err := discovery.New(c).Follow(bound, "followed")
			fatal(t, err)
			strike := func() error {
				return second(discovery.New(other).Register(ctx, discovery.Instance{Service: "followed", Address: "10.0.0.1", Port: 80}))
			}
			await := func() error {
				for now, err := range s.Snapshots(ctx) {
					if err != nil || len(now.Instances) == 1 {
						return err
					}
				}
				return nil
			}
			return strike, await, func() error { s.Close(); return nil }
		},
		"configuration": func(t *testing.T, ctx, bound context.Context, c *client.Client) (func() error, func() error, func() error) {
			publish := func(value string) func() error {
				return func() error {
					return second(configcenter.New(other).Publish(ctx, "kept", configcenter.Change{Set: map[string]string{"value": value}}))
				}
			}
			fatal(t, publish("before")())
			type config struct{ Value string }
			live, err := configcenter.Open(bound, configcenter.New(c), configcenter.App{Name: "kept"}, configcenter.Options[config]{Unlisted: true})
			fatal(t, err)
			await := func() error {
				for now, err := range live.Changes(ctx) {
					if err != nil || now.Value == "after" {
						return err
					}
				}
				return nil
			}
			return publish("after"), await, func() error { live.Close(); return nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o outage
			c := servertest.Dial(t, addr, client.WithDialer(o.dial), client.WithReconnectPause(func(int) time.Duration { return 100 * time.Millisecond }))
			var zxid int64
			ctx := servertest.Context(t)
			strike, await, end := begin(t, ctx, client.WithReplyZxid(client.FailFast(ctx), &zxid), c)
			o.armed.Store(true)
			fatal(t, strike())
			fatal(t, await())
			fatal(t, end())
			if n := o.refused.Load(); n != lasts {
				t.Errorf("%d attempts were refused", n)
			}
			zxid = -1 // which nobody else writes to, or the race detector tells
		})
	}
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// there waits until there is a node.
func there(ctx context.Context, c *client.Client, path string) error {
	for {
		_, found, changed, err := c.ExistsW(ctx, path)
		if err != nil || found {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
