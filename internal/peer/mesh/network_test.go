package mesh

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/peer/socket/sockettest"
	"github.com/quollhq/quoll/internal/peer/wire"
)

const timeout = 5 * time.Second

// network is where the members of a test are.
type network struct {
	*sockettest.Network
	t *testing.T
}

func newNetwork(t *testing.T) *network { return &network{sockettest.New(), t} }

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
		Dial:    n.Dial,
		Timeout: timeout,
		Logger:  slog.New(slog.DiscardHandler),
	}
	for _, option := range options {
		option(&cfg)
	}
	m := &member{Mesh: New(cfg), t: n.t, served: make(chan error, 1)}
	l := n.Listen(addressOf(sid))
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
	conn, err := n.Dial(context.Background(), addressOf(to))
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
