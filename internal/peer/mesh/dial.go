package mesh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/peer/socket"
	"github.com/quollhq/quoll/internal/peer/wire"
)

var errClosed = errors.New("the mesh is closed")

// headStart is for how long the addresses that a member has given are dialled alone.
const headStart = time.Second

// connect dials p unless there is a connection or will be. said are the addresses that p has given in a Hello; they
// come before those of the configuration, which may be older, or another server's with the same number. With m.mu held.
func (m *Mesh) connect(p *peer, said []wire.Address) {
	if p.link != nil || p.dialling || m.closed {
		return
	}
	p.dialling = true
	m.tasks.Go(func() { m.dial(p, said) })
}

func (m *Mesh) dial(p *peer, said []wire.Address) {
	conn, r, err := m.open(p.sid, said)
	m.mu.Lock()
	defer m.mu.Unlock()
	p.dialling = false
	if err != nil {
		p.failed = err
		m.cfg.Logger.Debug("cannot connect for elections", "sid", p.sid, "err", err)
		m.settle(p)
		if p.link == nil {
			m.reach(p.sid, false)
		}
		return
	}
	delete(m.handshakes, conn)
	if !wire.KeepsConnection(m.cfg.Self, p.sid) {
		conn.Close() // p knows now, and dials
		m.settle(p)
		return
	}
	m.attach(p, conn, r)
}

// open dials a member and introduces itself.
func (m *Mesh) open(sid int64, said []wire.Address) (net.Conn, *bufio.Reader, error) {
	if err := failpoint.Hit(failpoint.ElectionDial); err != nil {
		return nil, nil, err
	}
	conn, address, err := m.reachOut(sid, said)
	if err != nil {
		return nil, nil, err
	}
	if !m.shake(conn) {
		conn.Close()
		return nil, nil, errClosed
	}
	r, err := m.introduce(conn, address.Host)
	if err != nil {
		m.mu.Lock()
		delete(m.handshakes, conn)
		m.mu.Unlock()
		conn.Close()
		return nil, nil, fmt.Errorf("%v: %w", conn.RemoteAddr(), err)
	}
	return conn, r, nil
}

// reachOut dials the addresses that a member has given, and then, if none of them answers soon, all that are known.
func (m *Mesh) reachOut(sid int64, said []wire.Address) (net.Conn, wire.Address, error) {
	all := said
	for _, a := range m.cfg.Lookup(sid) {
		if !slices.Contains(all, a) {
			all = append(all[:len(all):len(all)], a)
		}
	}
	if len(said) > 0 && len(all) > len(said) {
		ctx, cancel := context.WithTimeout(m.ctx, headStart)
		defer cancel()
		if conn, address, err := socket.First(ctx, said, m.cfg.Dial); err == nil {
			return conn, address, nil
		}
	}
	return socket.First(m.ctx, all, m.cfg.Dial)
}

// shake counts conn among the handshakes, so that Close ends it; false means that it is too late or there are too many.
func (m *Mesh) shake(conn net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || len(m.handshakes) >= maxHandshakes {
		return false
	}
	m.handshakes[conn] = struct{}{}
	return true
}

// introduce says who we are on a connection that we have dialled.
func (m *Mesh) introduce(conn net.Conn, host string) (*bufio.Reader, error) {
	if err := conn.SetDeadline(m.cfg.Now().Add(m.cfg.Timeout)); err != nil {
		return nil, err
	}
	hello := wire.Hello{Version: wire.HelloOneAddress, SID: m.cfg.Self, Addresses: m.cfg.Addresses}
	if m.cfg.MultiAddress {
		hello.Version = wire.HelloAddresses
	}
	if _, err := conn.Write(wire.AppendHello(nil, hello)); err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	if m.cfg.Authenticator != nil {
		if err := m.cfg.Authenticator.Dialled(m.ctx, conn, r, host); err != nil {
			return nil, err
		}
	}
	return r, nil
}
