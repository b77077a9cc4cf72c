package mesh

import (
	"bufio"
	"errors"
	"io"
	"net"
	"time"

	"github.com/quollhq/quoll/internal/peer/wire"
)

// link is a connection with a member whose handshake is over. A goroutine reads, another one writes.
type link struct {
	conn net.Conn
	up   time.Time     // since when
	wake chan struct{} // there may be something to send
	done chan struct{} // closed when the reader has ended
	// broken is why nothing could be sent, when conn was closed for that. Guarded by Mesh.mu.
	broken error
}

// signal wakes the writer.
func (l *link) signal() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
}

// attach makes conn the connection with p, in place of any other. With m.mu held.
func (m *Mesh) attach(p *peer, conn net.Conn, r *bufio.Reader) {
	if m.closed || m.peers[p.sid] != p { // closed or forgotten meanwhile
		conn.Close()
		return
	}
	m.unlink(p)
	_ = conn.SetDeadline(time.Time{}) // the handshake's; on a connection that broke meanwhile the reader finds out
	l := &link{conn: conn, up: m.cfg.Now(), wake: make(chan struct{}, 1), done: make(chan struct{})}
	p.link, p.failed = l, nil
	if p.next == nil {
		p.next = p.last
	}
	l.signal()
	m.reach(p.sid, true)
	what := []any{"sid", p.sid, "remote", conn.RemoteAddr().String()}
	if p.stranger {
		what = append(what, "configured", false)
	}
	m.cfg.Logger.Info("election connection is up", what...)
	m.tasks.Go(func() { m.read(p, l, r) })
	m.tasks.Go(func() { m.write(p, l) })
}

// unlink ends the connection with p, if there is one. With m.mu held.
func (m *Mesh) unlink(p *peer) {
	if p.link != nil {
		p.link.conn.Close() // wakes both goroutines
		p.link = nil
	}
}

// read receives messages until the connection ends.
func (m *Mesh) read(p *peer, l *link, r *bufio.Reader) {
	defer close(l.done)
	for {
		msg, err := wire.ReadElectionFrame(r, nil)
		if err != nil {
			m.ended(p, l, err)
			return
		}
		m.receive(Message{From: p.sid, Payload: msg})
	}
}

// write sends p's messages until the connection ends.
func (m *Mesh) write(p *peer, l *link) {
	var buf []byte
	for {
		select {
		case <-l.wake:
		case <-l.done:
			return
		}
		msg, ok := m.takeNext(p, l)
		if !ok {
			return
		}
		if msg == nil {
			continue
		}
		buf = wire.AppendElectionFrame(buf[:0], msg)
		if err := m.writeWithin(l.conn, buf); err != nil {
			m.mu.Lock()
			l.broken = err
			m.mu.Unlock()
			l.conn.Close() // the reader says why
			return
		}
	}
}

// takeNext returns the message to be sent, nil for none; not ok means that l is not p's connection any more.
func (m *Mesh) takeNext(p *peer, l *link) (msg []byte, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.link != l {
		return nil, false
	}
	msg = p.next
	if msg != nil {
		p.next, p.last = nil, msg
	}
	return msg, true
}

func (m *Mesh) writeWithin(conn net.Conn, b []byte) error {
	if err := conn.SetWriteDeadline(m.cfg.Now().Add(m.cfg.Timeout)); err != nil {
		return err
	}
	if _, err := conn.Write(b); err != nil {
		return err
	}
	return conn.SetWriteDeadline(time.Time{})
}

// ended cleans up after a connection.
func (m *Mesh) ended(p *peer, l *link, err error) {
	l.conn.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.link != l {
		return // it was ended here
	}
	if l.broken != nil && errors.Is(err, net.ErrClosed) {
		err = l.broken
	}
	p.link, p.failed, p.again = nil, err, 0
	m.settle(p)
	m.reach(p.sid, false)
	if errors.Is(err, io.EOF) {
		m.cfg.Logger.Info("election connection was closed", "sid", p.sid)
		return
	}
	m.cfg.Logger.Info("election connection broke", "sid", p.sid, "err", err)
}
