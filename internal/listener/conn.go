package listener

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/request"
)

// Read buffers come in one size and are held only while a connection has
// input; a longer frame gets memory of its own while it arrives.
const readSize = 16 << 10

var readPool = sync.Pool{New: func() any { return new([readSize]byte) }}

// errEnd ends a connection without a word in the log: the client left, or was
// told why it has to.
var errEnd = errors.New("end of connection")

// conn is one connection. Its goroutine owns everything but the send state.
type conn struct {
	request.Client
	l    *Listener
	nc   net.Conn
	raw  syscall.RawConn // nil when encrypted
	addr netip.AddrPort
	peer auth.Peer
	done chan struct{} // closed when the goroutine is gone
	gone chan struct{} // closed when the connection is to end
	over sync.Once

	in      []byte // what was read and not handled: in[from:to]
	pooled  *[readSize]byte
	from    int
	to      int
	reads   []request.Request // a run of requests, reused
	writes  []request.Request
	sasl    auth.Exchange
	timeout int32 // of the session, ms
	open    bool  // the handshake is done
	large   int   // bytes of large requests in flight
	serial  int64
	reason  atomic.Pointer[string]

	encrypted atomic.Bool
	word      atomic.Bool // a four-letter word came in instead of a handshake

	send sender
}

func newConn(l *Listener, nc net.Conn, addr netip.AddrPort) *conn {
	c := &conn{l: l, nc: nc, addr: addr, done: make(chan struct{}), gone: make(chan struct{}), serial: l.serial.Add(1)}
	c.Client.Conn, c.Addr = c, addr
	c.Slot = l.slots.Add(1)
	c.peer = auth.Peer{Addr: addr}
	c.Stats.Established = time.Now()
	c.send.init(c)
	return c
}

// run is the life of a connection.
func (c *conn) run(mode Mode, tlsConfig *tls.Config) {
	defer close(c.done)
	defer c.end()
	c.nc.SetReadDeadline(time.Now().Add(c.l.HandshakeTimeout))
	if err := c.secure(mode, tlsConfig); err != nil {
		c.l.Logger.Warn("cannot encrypt a connection", "client", c.addr.String(), "error", err)
		return
	}
	c.AddIDs(auth.InitialIDs(c.peer)...)
	if err := c.judgeCertificate(); err != nil {
		c.l.Logger.Warn("certificate refused", "client", c.addr.String(), "error", err)
		return
	}
	if c.l.SASL != nil {
		c.sasl = c.l.SASL(c.peer)
	}
	var err error
	if c.raw != nil {
		err = c.readRaw()
	} else {
		err = c.readPlain()
	}
	c.logEnd(err)
}

func (c *conn) logEnd(err error) {
	log := c.l.Logger
	switch {
	case err == nil, errors.Is(err, errEnd), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.l.Sessionless.Add(1)
		log.Info("connection closed: no session was opened in time", "client", c.addr.String())
		return
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
	default:
		log.Warn("connection closed", "client", c.addr.String(), "session", c.sessionName(), "reason", err)
		return
	}
	reason := "client left"
	if r := c.reason.Load(); r != nil {
		reason = *r
	}
	log.Debug("connection closed", "client", c.addr.String(), "session", c.sessionName(), "reason", reason)
}

func (c *conn) sessionName() string {
	if c.Session == nil {
		return "none"
	}
	return c.Session.String()
}

// end gives back all that the connection had.
func (c *conn) end() {
	c.Discard()
	c.release()
	c.send.stop()
	c.nc.Close()
	if c.Session != nil {
		c.l.Engine.Detach(&c.Client)
	}
	c.l.remove(c)
	c.l.Dropped.Add(1)
}

// Close ends the connection from elsewhere.
func (c *conn) Close(reason string) {
	c.reason.CompareAndSwap(nil, &reason)
	c.over.Do(func() { close(c.gone) })
	c.Discard()
	c.nc.Close()
}

// secure starts encryption where the socket or the client asks for it.
func (c *conn) secure(mode Mode, tlsConfig *tls.Config) error {
	if mode == Unified {
		encrypted, nc, err := peekTLS(c.nc)
		if err != nil {
			return err
		}
		c.nc = nc
		if !encrypted {
			mode = Plain
		}
	}
	if mode == Plain {
		if sc, ok := c.nc.(syscall.Conn); ok {
			c.raw, _ = sc.SyscallConn()
		}
		return nil
	}
	tc := tls.Server(c.nc, tlsConfig)
	if err := tc.Handshake(); err != nil {
		return err
	}
	c.encrypted.Store(true)
	c.peer.Certificates = tc.ConnectionState().PeerCertificates
	c.nc = tc
	return nil
}

// peekTLS tells whether the first byte that a client sends starts a TLS
// handshake. The connection that it gives reads from that byte on.
func peekTLS(nc net.Conn) (bool, net.Conn, error) {
	var first [1]byte
	if _, err := io.ReadFull(nc, first[:]); err != nil {
		return false, nil, err
	}
	const handshakeRecord = 0x16
	return first[0] == handshakeRecord, &peeked{Conn: nc, first: first[:]}, nil
}

// peeked is a connection of which some bytes were read already.
type peeked struct {
	net.Conn
	first []byte
}

func (p *peeked) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

func (c *conn) judgeCertificate() error {
	if len(c.peer.Certificates) == 0 || c.l.X509Scheme == "" {
		return nil
	}
	ids, ok := c.l.Auth.AuthenticateTLS(c.l.X509Scheme, c.peer)
	if !ok {
		return errors.New("not accepted by scheme " + c.l.X509Scheme)
	}
	c.AddIDs(ids...)
	return nil
}

// readRaw reads without holding memory while there is nothing to read. The
// whole life of the connection passes in one call of raw.Read: returning false
// parks the goroutine until the socket is readable again, and an edge that
// comes while a batch is handled is not lost in between. So a drained socket
// costs no read that only tells so.
func (c *conn) readRaw() error {
	var err error
	rawErr := c.raw.Read(func(fd uintptr) bool {
		for {
			c.acquire()
			n, e := syscall.Read(int(fd), c.in[c.to:])
			switch {
			case e == syscall.EAGAIN:
				c.idle()
				return false
			case e == syscall.EINTR:
				continue
			case e != nil:
				err = e
				return true
			case n == 0:
				err = io.EOF
				return true
			}
			c.l.Received.Add(int64(n))
			full := c.to+n == len(c.in)
			c.to += n
			if err = c.handle(); err != nil {
				return true
			}
			if !full {
				c.idle()
				return false
			}
		}
	})
	if err == nil {
		err = rawErr
	}
	return err
}

// readPlain reads by way of net.Conn.
func (c *conn) readPlain() error {
	for {
		c.acquire()
		n, err := c.nc.Read(c.in[c.to:])
		c.l.Received.Add(int64(n))
		c.to += n
		if n > 0 {
			if err := c.handle(); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		c.idle()
	}
}

// acquire makes room to read into.
func (c *conn) acquire() {
	switch {
	case c.in == nil:
		c.pooled = readPool.Get().(*[readSize]byte)
		c.in = c.pooled[:]
	case c.to < len(c.in):
	case c.from > 0:
		c.to = copy(c.in, c.in[c.from:c.to])
		c.from = 0
	default:
		// One frame fills the buffer: it grows as the frame arrives, so that a
		// length alone takes no memory.
		c.grow(min(2*len(c.in), c.l.MaxFrame+4))
	}
}

func (c *conn) grow(size int) {
	in := make([]byte, size)
	c.to = copy(in, c.in[c.from:c.to])
	c.from = 0
	c.unpool()
	c.in = in
}

// idle gives the read buffer back if it holds no part of a frame.
func (c *conn) idle() {
	if c.from == c.to {
		c.release()
	}
}

func (c *conn) release() {
	c.unpool()
	c.in, c.from, c.to = nil, 0, 0
}

func (c *conn) unpool() {
	if c.pooled != nil {
		readPool.Put(c.pooled)
		c.pooled = nil
	}
}

// handle takes all whole frames that have arrived.
func (c *conn) handle() error {
	if !c.open {
		if err := c.handshake(); err != nil || !c.open {
			return err
		}
	}
	c.l.Sessions.Touch(c.Session, c.timeout, c.l.Clock())
	now := time.Now()
	err := c.frames(now)
	if ferr := c.flushRuns(now); err == nil {
		err = ferr
	}
	c.Flush()
	if err == nil {
		err = c.pressure()
	}
	return err
}

// pressure keeps a client from asking for more while it does not take what it
// asked for.
func (c *conn) pressure() error {
	const high = 1 << 20
	if c.Outbox.Len() > high {
		return c.send.wait(high)
	}
	return nil
}

// next cuts the next frame out of the input, nil if it is not whole yet.
func (c *conn) next() ([]byte, error) {
	if c.to-c.from < 4 {
		return nil, nil
	}
	n := int(int32(binary.BigEndian.Uint32(c.in[c.from:])))
	if n < 0 || n > c.l.MaxFrame {
		return nil, &lengthError{n, c.l.MaxFrame}
	}
	if c.to-c.from < 4+n {
		return nil, nil
	}
	frame := c.in[c.from+4 : c.from+4+n]
	c.from += 4 + n
	return frame, nil
}
