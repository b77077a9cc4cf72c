package main

import (
	"context"
	"io"
	"log"
	"net"
	"sync/atomic"
	"time"

	original "github.com/go-zookeeper/zk"
	"github.com/quollhq/quoll/client"
	compat "github.com/quollhq/quoll/compat/zk"
)

const sessionTimeout = 40 * time.Second

var quiet = log.New(io.Discard, "", 0)

// library is a client to be measured.
type library struct {
	name string
	open func(ctx context.Context, addr string, dial dialer) (session, error)
}

// session is what the measurements need of a client.
type session struct {
	get   func(path string) error
	close func()
}

type dialer func(network, addr string) (net.Conn, error)

func plain(network, addr string) (net.Conn, error) { return net.Dial(network, addr) }

var libraries = []library{{"go-zookeeper/zk", openOriginal}, {"compat/zk", openCompat}, {"client", openClient}}

func openOriginal(_ context.Context, addr string, dial dialer) (session, error) {
	by := func(network, addr string, _ time.Duration) (net.Conn, error) { return dial(network, addr) }
	c, _, err := original.Connect([]string{addr}, sessionTimeout, original.WithLogger(quiet), original.WithDialer(by))
	if err != nil {
		return session{}, err
	}
	_, _, err = c.Exists("/") // when there is an answer, the session is open
	get := func(path string) error { _, _, err := c.Get(path); return err }
	return session{get, c.Close}, err
}

func openCompat(_ context.Context, addr string, dial dialer) (session, error) {
	by := func(network, addr string, _ time.Duration) (net.Conn, error) { return dial(network, addr) }
	c, _, err := compat.Connect([]string{addr}, sessionTimeout, compat.WithLogger(quiet), compat.WithDialer(by))
	if err != nil {
		return session{}, err
	}
	_, _, err = c.Exists("/")
	get := func(path string) error { _, _, err := c.Get(path); return err }
	return session{get, c.Close}, err
}

func openClient(ctx context.Context, addr string, dial dialer) (session, error) {
	by := func(_ context.Context, network, addr string) (net.Conn, error) { return dial(network, addr) }
	c, err := client.Dial(ctx, addr, client.WithSessionTimeout(sessionTimeout), client.WithDialer(by))
	if err != nil {
		return session{}, err
	}
	get := func(path string) error { _, _, err := c.Get(ctx, path); return err }
	return session{get, func() { _ = c.Close() }}, nil // what was measured is known by then
}

// counted is a connection whose system calls are counted.
type counted struct {
	net.Conn
	reads, writes *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	c.reads.Add(1)
	return c.Conn.Read(b)
}

func (c counted) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}
