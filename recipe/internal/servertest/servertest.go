// Package servertest runs a quoll server inside of a test's process.
package servertest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/server"
)

// Run starts a server on a free port, in a directory of its own, and returns its
// address and what ends it.
func Run() (addr string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "quoll-recipe-")
	if err != nil {
		return "", nil, err
	}
	s, err := server.New(server.Options{
		Settings: map[string]string{
			"dataDir": dir, "clientPort": "0", "clientPortAddress": "127.0.0.1", "admin.enableServer": "false", "tickTime": "200",
			"maxClientCnxns": "0",
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		err = s.Start(context.Background())
	}
	if err != nil {
		return "", nil, fmt.Errorf("starting a server: %w", err)
	}
	return s.Addr().String(), func() {
		s.Close()
		_ = os.RemoveAll(dir) // a directory for temporary files
	}, nil
}

// Main runs a package's tests with one server for all of them and for the
// examples, whose address goes to addr.
func Main(m *testing.M, addr *string) {
	a, stop, err := Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	*addr = a
	code := m.Run()
	stop()
	os.Exit(code)
}

// Dial connects a client until the end of the test.
func Dial(t testing.TB, addr string, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.Dial(Context(t), addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

// Context ends with the test, and after a minute.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
