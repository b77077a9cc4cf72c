package servertest

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy stands before a server and can cut it off.
type Proxy struct {
	target  string
	below   string // the node that clients stay below, with its slash
	listen  net.Listener
	running sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

// NewProxy runs a proxy until the end of the test. The target is as of Start.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, listen: l}
	if i := strings.IndexByte(target, '/'); i >= 0 {
		p.target, p.below = target[:i], target[i:]
	}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.Cut()
		p.running.Wait()
	})
	return p
}

// Addr is the proxy's address, in which the target's root is the root.
func (p *Proxy) Addr() string { return p.listen.Addr().String() + p.below }

// Cut breaks all connections and lets none through until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// Heal lets connections through again.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

func (p *Proxy) accept() {
	for {
		in, err := p.listen.Accept()
		if err != nil {
			return
		}
		if out, err := net.Dial("tcp", p.target); err != nil || !p.keep(in, out) {
			in.Close()
			if err == nil {
				out.Close()
			}
		}
	}
}

// keep connects two connections unless they are to be cut.
func (p *Proxy) keep(a, b net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return false
	}
	p.conns = append(p.conns, a, b)
	p.running.Go(func() { pipe(a, b) })
	p.running.Go(func() { pipe(b, a) })
	return true
}

func pipe(to, from net.Conn) {
	_, err := io.Copy(to, from)
	_ = errors.Join(err, to.Close(), from.Close()) // they end in whatever way
}
