package mesh

import (
	"bufio"
	"errors"
	"fmt"
	"net"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/peer/socket"
	"github.com/quollhq/quoll/internal/peer/wire"
)

// Serve accepts connections until l or the mesh is closed, and closes l. It may be called for several listeners.
func (m *Mesh) Serve(l net.Listener) error {
	if err := socket.Serve(m.ctx, l, "election connections", m.cfg.Logger, m.accept); err != nil {
		return fmt.Errorf("election listener %v: %w", l.Addr(), err)
	}
	return nil
}

// accept lets a goroutine find out who has dialled.
func (m *Mesh) accept(conn net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || len(m.handshakes) >= maxHandshakes {
		conn.Close()
		return
	}
	m.handshakes[conn] = struct{}{}
	m.accepted++
	turn := m.accepted
	m.tasks.Go(func() {
		hello, r, err := m.listen(conn)
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.handshakes, conn)
		if err == nil {
			err = m.admit(conn, r, hello, turn)
		}
		if err != nil {
			conn.Close()
			m.cfg.Logger.Warn("election connection was refused", "remote", conn.RemoteAddr().String(), "err", err)
		}
	})
}

// greeting is a Hello and what the configuration says about it.
type greeting struct {
	wire.Hello
	stranger bool
}

// listen hears who has dialled.
func (m *Mesh) listen(conn net.Conn) (greeting, *bufio.Reader, error) {
	var g greeting
	if err := conn.SetDeadline(m.cfg.Now().Add(m.cfg.Timeout)); err != nil {
		return g, nil, err
	}
	if err := failpoint.Hit(failpoint.ElectionAccept); err != nil {
		return g, nil, err
	}
	r := bufio.NewReader(conn)
	var err error
	if g.Hello, err = wire.ReadHello(r); err != nil {
		return g, nil, err
	}
	if m.cfg.Authenticator != nil {
		if err := m.cfg.Authenticator.Accepted(m.ctx, conn, r); err != nil {
			return g, nil, fmt.Errorf("member %d: %w", g.SID, err)
		}
	}
	g.stranger = g.SID == wire.AnonymousSID || m.stranger(g.SID)
	return g, r, nil
}

// admit keeps the connection, which was accepted as the turn-th, or calls back. With m.mu held.
func (m *Mesh) admit(conn net.Conn, r *bufio.Reader, g greeting, turn int64) error {
	if g.SID == m.cfg.Self {
		return fmt.Errorf("member %d has our own number", g.SID)
	}
	if g.SID == wire.AnonymousSID {
		m.anonymous--
		g.SID = m.anonymous
	}
	p := m.peer(g.SID, g.stranger)
	if p == nil {
		return errors.New("no room for it")
	}
	if wire.KeepsConnection(g.SID, m.cfg.Self) {
		if turn < p.turn {
			conn.Close() // handshakes overtake each other; the member has given this connection up for a newer one
			return nil
		}
		p.turn = turn
		m.attach(p, conn, r)
		return nil
	}
	// It would not have dialled over a connection that works.
	m.unlink(p)
	conn.Close()
	m.connect(p, g.Addresses)
	return nil
}
