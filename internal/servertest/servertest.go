// Package servertest runs a quoll server inside of a test's process.
//
// If the environment has QUOLL_TEST_SERVER, the tests talk to the server at that
// address instead, each below a node of its own.
package servertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/server"
)

// serverVariable names a server to be used instead of own ones.
const serverVariable = "QUOLL_TEST_SERVER"

// Run starts a server on a free port, in a directory of its own, and returns its
// address and what ends it.
func Run() (addr string, stop func(), err error) {
	if addr := os.Getenv(serverVariable); addr != "" {
		return below(addr)
	}
	dir, err := os.MkdirTemp("", "quoll-")
	if err != nil {
		return "", nil, err
	}
	s, err := server.New(server.Options{
		Settings: map[string]string{
			"dataDir": dir, "clientPort": "0", "clientPortAddress": "127.0.0.1", "admin.enableServer": "false", "tickTime": "200",
			"maxClientCnxns": "0", "maxSessionTimeout": "60000", // no session ends because a machine is busy
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

// below makes a node on a server, and an address in which it is the root.
func below(addr string) (string, func(), error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, addr)
	if err != nil {
		return "", nil, err
	}
	root := "/test-" + client.UUID()
	_, err = c.Create(ctx, root, nil)
	return addr + root, func() {}, errors.Join(err, c.Close())
}

// Start runs a server until the end of the test.
func Start(t testing.TB) (addr string) {
	t.Helper()
	addr, stop, err := Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return addr
}

// Example runs a server for an example, connects a client to it and calls body.
// An error is printed: the example's output is not what it should be then.
func Example(body func(ctx context.Context, c *client.Client) error) {
	if err := example(body); err != nil {
		fmt.Println(err)
	}
}

func example(body func(ctx context.Context, c *client.Client) error) error {
	addr, stop, err := Run()
	if err != nil {
		return err
	}
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return body(ctx, c)
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
