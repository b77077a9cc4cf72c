package throttle

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
)

// ErrTooMany is why a connection is not let in.
var ErrTooMany = errors.New("too many connections")

// ConnectionOptions bound the number of connections; 0 is for no bound.
type ConnectionOptions struct {
	PerAddress int // maxClientCnxns
	Total      int // maxCnxns
}

// Connections counts connections by the address they come from.
type Connections struct {
	o ConnectionOptions

	mu     sync.Mutex
	byAddr map[netip.Addr]int
	total  int
}

// NewConnections returns the count of no connections.
func NewConnections(o ConnectionOptions) *Connections {
	return &Connections{o: o, byAddr: make(map[netip.Addr]int)}
}

// Admit counts a connection, or returns an ErrTooMany.
func (c *Connections) Admit(addr netip.Addr) error {
	if c.o == (ConnectionOptions{}) {
		return nil
	}
	addr = addr.Unmap()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.o.Total > 0 && c.total >= c.o.Total {
		return fmt.Errorf("%w: %d, as many as maxCnxns allows", ErrTooMany, c.total)
	}
	if n := c.byAddr[addr]; c.o.PerAddress > 0 && n >= c.o.PerAddress {
		return fmt.Errorf("%w from %s: %d, as many as maxClientCnxns allows", ErrTooMany, addr, n)
	}
	c.total++
	c.byAddr[addr]++
	return nil
}

// Leave takes a connection that was admitted off the count.
func (c *Connections) Leave(addr netip.Addr) {
	if c.o == (ConnectionOptions{}) {
		return
	}
	addr = addr.Unmap()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total--
	if c.byAddr[addr]--; c.byAddr[addr] == 0 {
		delete(c.byAddr, addr)
	}
}
