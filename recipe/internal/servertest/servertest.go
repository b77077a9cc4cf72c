// Package servertest is internal/servertest, for the tests of recipes.
package servertest

import (
	"context"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
)

// Breaker is servertest.Breaker.
type Breaker = servertest.Breaker

// Run is servertest.Run.
func Run() (addr string, stop func(), err error) { return servertest.Run() }

// Start is servertest.Start.
func Start(t testing.TB) (addr string) {
	t.Helper()
	return servertest.Start(t)
}

// Example is servertest.Example.
func Example(body func(ctx context.Context, c *client.Client) error) { servertest.Example(body) }

// Dial is servertest.Dial.
func Dial(t testing.TB, addr string, opts ...client.Option) *client.Client {
	t.Helper()
	return servertest.Dial(t, addr, opts...)
}

// Context is servertest.Context.
func Context(t testing.TB) context.Context {
	t.Helper()
	return servertest.Context(t)
}

// Expire ends a session behind its client's back, as its expiry does: another
// client takes it over and closes it.
func Expire(t testing.TB, addr string, s *client.Session) {
	t.Helper()
	thief, err := client.Dial(Context(t), addr, client.WithSession(s.ID(), s.Password()))
	if err != nil {
		t.Fatal(err)
	}
	if err := thief.Close(); err != nil {
		t.Fatal(err)
	}
}
