package mesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/peer/wire"
)

const timeout = 5 * time.Second

// network is listeners that can be dialled within one process.
type network struct {
	t  *testing.T
	mu sync.Mutex

	listeners map[string]*listener
	cut       map[string]bool // addresses that nothing answers at
	dials     int
}

func newNetwork(t *testing.T) *network {
	return &network{t: t, listeners: make(map[string]*listener), cut: make(map[string]bool)}
}

var errRefused = errors.New("connection refused")

// dial connects with an address. At one that is cut nobody answers until the caller gives up.
func (n *network) dial(ctx context.Context, a wire.Address) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	l, cut := n.listeners[a.String()], n.cut[a.String()]
	n.mu.Unlock()
	switch {
	case cut:
		<-ctx.Done()
		return nil, ctx.Err()
	case l == nil:
		return nil, errRefused
	}
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, errRefused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) setCut(a wire.Address, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[a.String()] = cut
}

type listener struct {
	address wire.Address
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (n *network) listen(a wire.Address) *listener {
	l := &listener{address: a, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[a.String()] = l
	return l
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: l.address.String()} }

func addressOf(sid int64) wire.Address {
	return wire.Address{Host: fmt.Sprintf("m%d", sid), Port: 3888}
}

// member is a mesh that serves; members 1 to 9 know each other.
type member struct {
	*Mesh
	t      *testing.T
	served chan error
}

func (n *network) start(sid int64, options ...func(*Config)) *member {
	cfg := Config{
		Self:      sid,
		Addresses: []wire.Address{addressOf(sid)},
		Lookup: func(sid int64) []wire.Address {
			if sid < 1 || sid > 9 {
				return nil
			}
			return []wire.Address{addressOf(sid)}
		},
		Dial:    n.dial,
		Timeout: timeout,
		Logger:  slog.New(slog.DiscardHandler),
	}
	for _, option := range options {
		option(&cfg)
	}
	m := &member{Mesh: New(cfg), t: n.t, served: make(chan error, 1)}
	l := n.listen(addressOf(sid))
	go func() { m.served <- m.Serve(l) }()
	return m
}

func (m *member) stop() {
	m.t.Helper()
	m.Close()
	if err := <-m.served; err != nil {
		m.t.Errorf("member %d: %v", m.cfg.Self, err)
	}
}

// want receives the next message, which must be this one, and no more.
func (m *member) want(from int64, payload string) {
	m.t.Helper()
	synctest.Wait()
	select {
	case got := <-m.Received():
		if got.From != from || string(got.Payload) != payload {
			m.t.Errorf("member %d got %q from %d, want %q from %d", m.cfg.Self, got.Payload, got.From, payload, from)
		}
	default:
		m.t.Errorf("member %d got nothing, want %q from %d", m.cfg.Self, payload, from)
	}
	m.wantNothing()
}

// drain receives everything and returns the last message of each member.
func (m *member) drain() map[int64]string {
	synctest.Wait()
	last := make(map[int64]string)
	for {
		select {
		case got := <-m.Received():
			last[got.From] = string(got.Payload)
		default:
			return last
		}
	}
}

func (m *member) wantNothing() {
	m.t.Helper()
	synctest.Wait()
	select {
	case got := <-m.Received():
		m.t.Errorf("member %d got %q from %d, want nothing", m.cfg.Self, got.Payload, got.From)
	default:
	}
}

// raw dials a member as a program that is no mesh.
func (n *network) raw(to int64) net.Conn {
	n.t.Helper()
	conn, err := n.dial(context.Background(), addressOf(to))
	if err != nil {
		n.t.Fatal(err)
	}
	return conn
}

// wantClosed waits until the other side has closed conn.
func wantClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection is not closed: %v", err)
	}
}
