package mesh

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"time"

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
	m.suspect(p, conn)
	m.unlink(p)
	conn.Close()
	m.connect(p, g.Addresses)
	return nil
}

const (
	// stands is after how long a connection counts as one that works: at a start members dial each other.
	stands = time.Second
	// manyAgain dials over connections that stand, no more than againWithin apart, are too many for a member whose
	// connections have broken.
	manyAgain   = 3
	againWithin = 2 * time.Minute
)

// suspect looks whether conn, of a smaller member p, was dialled over a connection that works. If that happens again and
// again, there is another server with p's number that gives p's address: p is called back, does not know why, and the other
// one dials again. It never learns who leads, so that nobody else would tell of it. With m.mu held.
func (m *Mesh) suspect(p *peer, conn net.Conn) {
	now := m.cfg.Now()
	if p.link == nil || now.Sub(p.link.up) < stands {
		return
	}
	if now.Sub(p.againAt) > againWithin {
		p.again = 0
	}
	p.again, p.againAt = p.again+1, now
	if p.again < manyAgain {
		return
	}
	p.again = 0
	m.cfg.Logger.Warn("perhaps two servers run as one member: its election connection stands, and again one is asked for; if so, stop one, or give it a myid and a server.N line of its own",
		"sid", p.sid, "first", p.link.conn.RemoteAddr().String(), "second", conn.RemoteAddr().String())
}
