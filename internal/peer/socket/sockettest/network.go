// Package sockettest has a network within one process, for tests of connections in a bubble of synctest.
package sockettest

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/quollhq/quoll/internal/peer/wire"
)

// ErrRefused is the error of an address that nobody listens at.
var ErrRefused = errors.New("connection refused")

// Network is listeners that can be dialled. Its connections are pipes: a write ends when all of it was read.
type Network struct {
	mu        sync.Mutex
	listeners map[wire.Address]*Listener
	cut       map[wire.Address]bool
}

// New returns a network without listeners.
func New() *Network {
	return &Network{listeners: make(map[wire.Address]*Listener), cut: make(map[wire.Address]bool)}
}

// Dial connects with an address. It is a socket.Dialer.
func (n *Network) Dial(ctx context.Context, a wire.Address) (net.Conn, error) {
	n.mu.Lock()
	l, cut := n.listeners[a], n.cut[a]
	n.mu.Unlock()
	switch {
	case cut:
		<-ctx.Done()
		return nil, ctx.Err()
	case l == nil:
		return nil, ErrRefused
	}
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, ErrRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// SetCut says whether nobody answers at an address, until who dials gives up.
func (n *Network) SetCut(a wire.Address, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[a] = cut
}

// Listener accepts the connections of one address.
type Listener struct {
	address wire.Address
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// Listen listens at an address, in place of whoever listened there before.
func (n *Network) Listen(a wire.Address) *Listener {
	l := &Listener{address: a, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[a] = l
	return l
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error { l.once.Do(func() { close(l.closed) }); return nil }

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Name: l.address.String()} }
