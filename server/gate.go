package server

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/quollhq/quoll/internal/config"
)

// gate bounds how many connections come in.
type gate struct {
	perHost, total int

	mu    sync.Mutex
	hosts map[netip.Addr]int
	all   int
}

func newGate(c *config.Config) *gate {
	return &gate{perHost: c.Limits.ClientConnections, total: c.Limits.Connections, hosts: make(map[netip.Addr]int)}
}

// Admit is listener.Gate's.
func (g *gate) Admit(addr netip.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total > 0 && g.all >= g.total {
		return fmt.Errorf("too many connections: maxCnxns is %d", g.total)
	}
	if g.perHost > 0 && g.hosts[addr] >= g.perHost {
		return fmt.Errorf("too many connections from %s: maxClientCnxns is %d", addr, g.perHost)
	}
	g.all++
	g.hosts[addr]++
	return nil
}

// Leave is listener.Gate's.
func (g *gate) Leave(addr netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.hosts[addr]--; g.hosts[addr] <= 0 {
		delete(g.hosts, addr)
	}
}

// Handshake is listener.Gate's.
func (g *gate) Handshake(bool) bool { return true }

// Large is listener.Gate's.
func (g *gate) Large(int) (counted, ok bool) { return false, true }

// LargeDone is listener.Gate's.
func (g *gate) LargeDone(int) {}
