package mesh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/quollhq/quoll/internal/peer/wire"
)

var (
	errClosed  = errors.New("the mesh is closed")
	errUnknown = errors.New("no address is known")
)

// connect dials p unless there is a connection or will be. said are the addresses that p has given in a Hello; they
// come before those of the configuration, which may be older. With m.mu held.
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
		m.cfg.Logger.Debug("cannot connect for elections", "sid", p.sid, "err", err)
		m.settle(p)
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
	addresses := said
	for _, a := range m.cfg.Lookup(sid) {
		if !slices.Contains(addresses, a) {
			addresses = append(addresses[:len(addresses):len(addresses)], a)
		}
	}
	conn, err := m.dialAny(addresses)
	if err != nil {
		return nil, nil, err
	}
	if !m.shake(conn) {
		conn.Close()
		return nil, nil, errClosed
	}
	r, err := m.introduce(conn, sid)
	if err != nil {
		m.mu.Lock()
		delete(m.handshakes, conn)
		m.mu.Unlock()
		conn.Close()
		return nil, nil, fmt.Errorf("%v: %w", conn.RemoteAddr(), err)
	}
	return conn, r, nil
}

// dialAny dials all addresses at once and takes the first connection that is there: an address that nothing answers at
// must not hold an election up.
func (m *Mesh) dialAny(addresses []wire.Address) (net.Conn, error) {
	if len(addresses) == 0 {
		return nil, errUnknown
	}
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	for _, a := range addresses {
		m.tasks.Go(func() { // as part of a task, so Close does not wait already
			conn, err := m.cfg.Dial(ctx, a)
			results <- result{conn, err}
		})
	}
	var first net.Conn
	var errs []error
	for range addresses {
		r := <-results
		switch {
		case r.err != nil:
			errs = append(errs, r.err)
		case first != nil:
			r.conn.Close()
		default:
			first = r.conn
			cancel()
		}
	}
	if first == nil {
		return nil, errors.Join(errs...)
	}
	return first, nil
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
func (m *Mesh) introduce(conn net.Conn, sid int64) (*bufio.Reader, error) {
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
		if err := m.cfg.Authenticator.Dialled(m.ctx, conn, r, sid); err != nil {
			return nil, err
		}
	}
	return r, nil
}
