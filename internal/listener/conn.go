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
	sock net.Conn        // as it was accepted
	nc   net.Conn        // sock, or the encryption over it; the goroutine's own
	raw  syscall.RawConn // nil when encrypted
	room Connections
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
	heard   int64 // requests that arrived and are not counted
	present bool  // the reads are to show what is present
	sasl    auth.Exchange
	timeout int32 // of the session, ms
	open    bool  // the handshake is done
	large   int   // bytes of large requests in flight
	serial  int64
	reason  atomic.Pointer[string]

	// ending makes the connection read until the socket is drained: the client has
	// stopped sending, or nobody would tell.
	ending    atomic.Bool
	encrypted atomic.Bool
	draining  atomic.Bool // it is to end once its client has its answers
	asked     atomic.Bool // for a session
	word      atomic.Bool // a four-letter word came in instead of a handshake

	send sender
}

func newConn(l *Listener, sock net.Conn, addr netip.AddrPort, room Connections) *conn {
	c := &conn{
		l: l, sock: sock, nc: sock, room: room, addr: addr,
		done: make(chan struct{}), gone: make(chan struct{}), serial: l.serial.Add(1),
	}
	c.Client.Conn, c.Addr, c.Gone = c, addr, c.gone
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
	c.until(c.sock.SetDeadline, time.Now().Add(c.l.HandshakeTimeout))
	if err := c.secure(mode, tlsConfig); err != nil {
		c.logSecure(err)
		return
	}
	c.until(c.sock.SetWriteDeadline, time.Time{})
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
	if c.open && c.draining.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		err = c.finish()
	}
	c.logEnd(err)
}

// drain ends the connection once its client has the answers to all that was read.
func (c *conn) drain() {
	c.draining.Store(true)
	c.sock.SetReadDeadline(past)
}

func (c *conn) logEnd(err error) {
	log := c.l.Logger
	reason := "client left"
	if r := c.reason.Load(); r != nil {
		reason, err = *r, nil
	}
	switch {
	case err == nil, c.draining.Load(), errors.Is(err, errEnd), errors.Is(err, errNotServing), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		log.Debug("connection closed", "client", c.addr.String(), "session", c.sessionName(), "reason", reason)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.l.Sessionless.Add(1)
		log.Info("connection closed: no session was opened in time", "client", c.addr.String())
	default:
		log.Warn("connection closed", "client", c.addr.String(), "session", c.sessionName(), "reason", err)
	}
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
	if c.leaving() {
		c.sock.Close()
	} else {
		c.nc.Close()
	}
	c.largeDone()
	c.l.hangups.forget(c)
	if c.Session != nil {
		c.l.Engine.Detach(&c.Client)
	}
	c.l.remove(c)
	c.l.Dropped.Add(1)
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// Close ends the connection from anywhere, its own goroutine included. It does
// not wait.
func (c *conn) Close(reason string) { c.shut(reason) }

// shut tells whether it was the first to end the connection.
//
// It leaves closing the socket to the connection's goroutine: closing waits for
// those who read and write, of whom the caller may be one. A deadline that is
// over wakes them.
func (c *conn) shut(reason string) (first bool) {
	c.over.Do(func() {
		c.reason.Store(&reason)
		close(c.gone)
		first = true
	})
	c.Discard()
	c.sock.SetDeadline(past)
	return first
}

// leaving tells whether the connection is to end.
func (c *conn) leaving() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// until sets a deadline of the socket, unless the connection is to end.
func (c *conn) until(set func(time.Time) error, t time.Time) {
	set(t)
	if c.leaving() {
		c.sock.SetDeadline(past) // shut has set it before, maybe
	}
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
//
// That the client has stopped sending may come with its last bytes, by the same
// edge. So hangups tells, by a deadline that is over.
func (c *conn) readRaw() error {
	err := c.readOn()
	if errors.Is(err, os.ErrDeadlineExceeded) && c.ending.Load() && !c.draining.Load() {
		c.until(c.sock.SetReadDeadline, time.Time{})
		err = c.readOn()
	}
	return err
}

func (c *conn) readOn() error {
	var err error
	rawErr := c.raw.Read(func(fd uintptr) bool {
		for {
			if err = c.acquire(); err != nil {
				return true
			}
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
			if !full && c.open && c.from == c.to && !c.ending.Load() {
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
		if err := c.acquire(); err != nil {
			return err
		}
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
func (c *conn) acquire() error {
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
		if n := int(binary.BigEndian.Uint32(c.in)); !c.l.Gate.LargeRoom(n) {
			return c.tooLarge(n)
		}
		c.grow(min(2*len(c.in), c.l.MaxFrame+4))
	}
	return nil
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
	if c.whole() {
		c.l.Sessions.Touch(c.Session, c.timeout, c.l.Clock())
	}
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

// outboxHigh is how many bytes may wait for a client until it is read no
// further.
const outboxHigh = 1 << 20

// pressure keeps a client from asking for more while it does not take what it
// asked for.
func (c *conn) pressure() error { return c.send.wait(outboxHigh) }

// whole tells whether a whole frame has arrived: parts of one do not keep a
// session alive.
func (c *conn) whole() bool {
	n := c.to - c.from - 4
	return n >= 0 && n >= int(int32(binary.BigEndian.Uint32(c.in[c.from:])))
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
