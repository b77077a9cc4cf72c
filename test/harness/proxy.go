package harness

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy is a TCP relay between clients and a server that can be cut, held and healed: how a test lets a session expire
// without stopping its client.
type Proxy struct {
	listener net.Listener
	target   string
	tasks    sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
	gates [2]chan struct{} // by Way; closed while bytes pass
}

// Way is a direction of a Proxy.
type Way int

// The ways.
const (
	ToServer Way = iota
	ToClient
)

// NewProxy relays to target until the end of the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", local(port))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, target: target, conns: make(map[net.Conn]struct{})}
	for way := range p.gates {
		p.gates[way] = make(chan struct{})
		close(p.gates[way])
	}
	p.tasks.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut breaks every connection and, until Heal, every new one at once.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		c.Close()
	}
}

// Hold keeps back, until Heal, all that goes one way, as a network does that loses packets of one direction: what was sent
// arrives late, even if its sender has left meanwhile.
func (p *Proxy) Hold(way Way) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open(way) {
		p.gates[way] = make(chan struct{})
	}
}

// open tells whether bytes pass. p.mu is held.
func (p *Proxy) open(way Way) bool {
	select {
	case <-p.gates[way]:
		return true
	default:
		return false
	}
}

// Heal lets connections through again, and what was held.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	for way := range p.gates {
		if !p.open(Way(way)) {
			close(p.gates[way])
		}
	}
}

func (p *Proxy) close() {
	p.listener.Close()
	p.Cut()
	p.Heal() // wakes who waits, in vain: its connections are closed
	p.Cut()
	p.tasks.Wait()
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.tasks.Go(func() { p.relay(conn) })
	}
}

func (p *Proxy) relay(client net.Conn) {
	defer client.Close()
	if !p.add(client) {
		return
	}
	defer p.remove(client)
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.add(server) {
		return
	}
	defer p.remove(server)
	p.tasks.Go(func() {
		p.pump(server, client, ToServer)
		server.Close()
	})
	p.pump(client, server, ToClient)
}

// pump relays until one side ends.
func (p *Proxy) pump(dst io.Writer, src io.Reader, way Way) {
	b := make([]byte, 32<<10)
	for {
		n, failed := src.Read(b)
		p.mu.Lock()
		gate := p.gates[way]
		p.mu.Unlock()
		<-gate
		if _, err := dst.Write(b[:n]); err != nil || failed != nil {
			return
		}
	}
}

func (p *Proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cut {
		p.conns[c] = struct{}{}
	}
	return !p.cut
}

func (p *Proxy) remove(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}
