package servertest

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

// Breaker breaks a client's connection once, at the moment that a test asks for.
// Dial is for client.WithDialer.
type Breaker struct {
	next atomic.Int32
}

const (
	loseRequest = 1 + iota
	loseReply
)

var errBroken = errors.New("broken by the test")

// LoseRequest lets the next request get lost with its connection.
func (b *Breaker) LoseRequest() { b.next.Store(loseRequest) }

// LoseReply lets the next reply get lost with its connection.
func (b *Breaker) LoseReply() { b.next.Store(loseReply) }

// Dial opens a connection that can break.
func (b *Breaker) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return breakable{conn, b}, err
}

type breakable struct {
	net.Conn
	b *Breaker
}

func (c breakable) Write(p []byte) (int, error) {
	if c.b.next.CompareAndSwap(loseRequest, 0) {
		return 0, errors.Join(errBroken, c.Close())
	}
	return c.Conn.Write(p)
}

func (c breakable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.b.next.CompareAndSwap(loseReply, 0) {
		return 0, errors.Join(errBroken, c.Close())
	}
	return n, err
}
