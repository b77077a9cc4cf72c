// Package listener is the clients' door: it accepts connections, frames what
// comes in, makes sessions of handshakes and hands requests to the engine.
//
// Each connection has one goroutine. It reads whatever has arrived, answers
// reads at once, submits writes, and sends everything that is ready with one
// write when the input is drained. A read waits for the connection's own
// earlier writes. Replies to writes and events are sent by the engine's flush
// goroutine, or by the connection's own sender when the client reads slowly or
// the connection is encrypted.
package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/throttle"
)

// Connections counts the connections of one socket.
type Connections interface {
	// Admit takes a connection from an address in, or says why not.
	Admit(addr netip.Addr) error
	// Leave gives back what Admit took.
	Leave(addr netip.Addr)
}

// Gate decides which sessions and requests may come in.
type Gate interface {
	// Handshake takes a session in: a new one or the renewal of one. False
	// closes the connection.
	Handshake(renew bool) bool
	// LargeRoom tells whether Large would take n bytes in now. It is asked before
	// memory is taken for them.
	LargeRoom(n int) bool
	// Large takes in a request of n bytes. counted tells that it is a large one,
	// which LargeDone gives back; without ok there is no room for it.
	Large(n int) (counted, ok bool)
	// LargeDone gives back n bytes that Large counted in one or several calls.
	LargeDone(n int)
}

// Options configure a Listener. All fields are required unless said otherwise.
type Options struct {
	Engine   *request.Engine
	Sessions *session.Tracker
	IDs      *session.IDs
	Auth     *auth.Registry
	Policy   *auth.Policy
	Gate     Gate
	Throttle *throttle.Requests
	// Clock is the time that sessions expire by: milliseconds that never go back.
	Clock  func() int64
	Logger *slog.Logger
	// SASL starts an exchange for a new connection; nil without SASL.
	SASL func(peer auth.Peer) auth.Exchange
	// FourLetter answers a four-letter word to w; it is false for words it does
	// not know. arg is what came after the word.
	FourLetter func(word string, arg []byte, w io.Writer) bool

	// Linearizable makes all reads show what is present, as if there were a sync before each.
	Linearizable bool
	// MaxFrame is the longest frame a client may send, in bytes.
	MaxFrame int
	// MinTimeout and MaxTimeout bound what sessions may ask for, in milliseconds.
	MinTimeout, MaxTimeout int32
	// HandshakeTimeout is how long a connection may take to be encrypted and to
	// open a session.
	HandshakeTimeout time.Duration
	// HandshakeLimit is how many connections may be in the TLS handshake at a
	// time; 0 is for any number.
	HandshakeLimit int
	// MaxOutbox is how many bytes of watch events may wait for a client that does
	// not read, until its connection is closed.
	MaxOutbox int
	// X509Scheme is the scheme by which certificates are judged, usually x509.
	X509Scheme string
	KeepAlive  bool
}

// Listener serves any number of sockets.
type Listener struct {
	Options

	mu     sync.Mutex
	conns  map[*conn]struct{}
	byID   map[int64]*conn // by session
	socks  []net.Listener
	closed bool
	stop   chan struct{} // closed by Close and Drain
	gone   chan struct{} // closed behind that, when all goroutines have ended
	wg     sync.WaitGroup

	hangups    hangups
	handshakes atomic.Int64 // TLS handshakes under way
	slots      atomic.Uint32
	serial     atomic.Int64
	// Counters: bytes that came in, connections refused and ended, those that
	// opened no session in time, sessions asked for and come back to, refused
	// authentications, TLS handshakes and large requests refused because there
	// were too many.
	HandshakesRefused, LargeRefused                                atomic.Int64
	Received                                                       atomic.Int64
	Rejected, Dropped, Sessionless, Requests, Renewals, AuthFailed atomic.Int64
}

// New makes a Listener without sockets.
func New(o Options) *Listener {
	return &Listener{
		Options: o, conns: make(map[*conn]struct{}), byID: make(map[int64]*conn), stop: make(chan struct{}), gone: make(chan struct{}),
	}
}

// Mode is how a socket treats encryption.
type Mode int

// The modes.
const (
	Plain   Mode = iota // never encrypted
	Secure              // always
	Unified             // told by the first byte of each connection
)

// Socket says what becomes of the connections that come in by one socket.
type Socket struct {
	Mode Mode
	// TLS is for encrypted connections; nil if there are none.
	TLS *tls.Config
	// Connections counts them.
	Connections Connections
}

// Serve accepts connections on s until Close.
func (l *Listener) Serve(s net.Listener, how Socket) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		s.Close()
		return
	}
	l.socks = append(l.socks, s)
	l.wg.Add(1)
	l.mu.Unlock()
	defer l.wg.Done()
	var wait time.Duration
	for {
		nc, err := s.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors, usually: the next try may have one.
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			l.Logger.Warn("cannot accept a connection", "address", s.Addr().String(), "error", err, "retry", wait)
			select {
			case <-l.stop:
				return
			case <-time.After(wait):
			}
			continue
		}
		wait = 0
		l.accept(nc, &how)
	}
}

func (l *Listener) accept(nc net.Conn, how *Socket) {
	addr := addrOf(nc)
	if err := failpoint.Hit(failpoint.Accept); err != nil {
		nc.Close()
		return
	}
	if err := how.Connections.Admit(addr.Addr()); err != nil {
		l.Rejected.Add(1)
		l.Logger.Warn("connection refused", "client", addr.String(), "reason", err)
		nc.Close()
		return
	}
	if tc, ok := nc.(*net.TCPConn); ok {
		tc.SetNoDelay(true)
		tc.SetKeepAlive(l.KeepAlive)
	}
	c := newConn(l, nc, addr, how.Connections)
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		how.Connections.Leave(addr.Addr())
		nc.Close()
		return
	}
	l.conns[c] = struct{}{}
	l.wg.Add(1)
	l.mu.Unlock()
	go func() {
		defer l.wg.Done()
		c.run(how.Mode, how.TLS)
	}()
}

func addrOf(nc net.Conn) netip.AddrPort {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// remove forgets a connection that has ended. Its place is given back first: who
// sees that it is gone may connect.
func (l *Listener) remove(c *conn) {
	c.room.Leave(c.addr.Addr())
	l.mu.Lock()
	delete(l.conns, c)
	if s := c.Session; s != nil && l.byID[s.ID()] == c {
		delete(l.byID, s.ID())
	}
	l.mu.Unlock()
}

// adopt makes c the connection of its session and ends the one before.
func (l *Listener) adopt(c *conn) {
	id := c.Session.ID()
	l.mu.Lock()
	old := l.byID[id]
	l.byID[id] = c
	l.mu.Unlock()
	if old != nil && old != c {
		old.Close("client came back on another connection")
		<-old.done
	}
}

// CloseSession ends the connection of a session, if it has one here.
func (l *Listener) CloseSession(id int64, reason string) bool {
	l.mu.Lock()
	c := l.byID[id]
	l.mu.Unlock()
	if c == nil {
		return false
	}
	c.Close(reason)
	return true
}

// Len is the number of connections.
func (l *Listener) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// Drain stops accepting and ends each connection once its client has the answers to
// all that was read from it. It waits until they are gone or ctx is done; Close is
// still due.
func (l *Listener) Drain(ctx context.Context) {
	for _, c := range l.end() {
		c.drain()
	}
	select {
	case <-l.gone:
	case <-ctx.Done():
	}
}

// Close stops accepting, ends all connections and waits until their
// goroutines are gone or ctx is done.
func (l *Listener) Close(ctx context.Context) error {
	conns := l.end()
	l.Throttle.Close()
	for _, c := range conns {
		c.Close("server is shutting down")
	}
	select {
	case <-l.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d connections still open: %w", l.Len(), ctx.Err())
	}
}

// end lets nobody in any more, and gives who is there.
func (l *Listener) end() []*conn {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.stop)
		go func() { l.wg.Wait(); close(l.gone) }()
	}
	for _, s := range l.socks {
		s.Close()
	}
	l.mu.Unlock()
	l.hangups.close() // connections read no more, or end by themselves
	return l.list()
}
