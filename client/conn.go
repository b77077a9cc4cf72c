package client

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

const (
	readBuffer = 16 << 10
	// readChunk is how much memory a long reply gets at a time: what a server
	// says is taken only as it arrives.
	readChunk = 1 << 20
	// maxSpare bounds the buffers kept for the next requests.
	maxSpare = 1 << 20
	maxPing  = 10 * time.Second
)

// conn is one connection. The goroutine that made it reads from it; another
// one, started by serve, writes. Everything else only queues.
type conn struct {
	c        *Client
	nc       net.Conn
	r        *bufio.Reader
	server   string
	session  *Session
	timeout  time.Duration // negotiated
	readOnly bool

	wake chan struct{} // something is in out
	done chan struct{} // closed by fail

	mu      sync.Mutex
	out     []byte         // frames to send
	spare   []byte         // the buffer that was sent last
	pending fifo[*call]    // sent or in out, in order
	auths   fifo[*call]    // auth packets; nil for those presented again
	batches fifo[[]*Watch] // setWatches packets: the streams they set
	pings   fifo[time.Duration]
	xid     int32
	cause   error // why it ended
	ended   bool
}

func newConn(c *Client, nc net.Conn, server string) *conn {
	return &conn{
		c:      c,
		nc:     nc,
		r:      bufio.NewReaderSize(nc, readBuffer),
		server: server,
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
}

// enqueue appends q to what is sent next, or says that the connection has
// ended.
func (cn *conn) enqueue(q *call) bool {
	cn.mu.Lock()
	if cn.ended {
		cn.mu.Unlock()
		return false
	}
	if q.op == proto.OpAuth {
		q.xid = proto.XidAuth
		cn.auths.push(q)
	} else {
		q.xid = cn.nextXid()
		cn.pending.push(q)
	}
	cn.frame(proto.RequestHeader{Xid: q.xid, Op: q.op}, q.out)
	cn.mu.Unlock()
	cn.signal()
	return true
}

func (cn *conn) signal() {
	select {
	case cn.wake <- struct{}{}:
	default:
	}
}

// nextXid numbers requests from 1; other numbers have a meaning of their own.
func (cn *conn) nextXid() int32 {
	cn.xid++
	if cn.xid <= 0 {
		cn.xid = 1
	}
	return cn.xid
}

// frame appends a request to out. cn.mu is held, or cn is not shared so far.
func (cn *conn) frame(h proto.RequestHeader, body []byte) {
	cn.out = jute.AppendInt(cn.out, int32(8+len(body)))
	cn.out = h.Append(cn.out)
	cn.out = append(cn.out, body...)
}

// fail ends the connection: what waits for replies is told, reading and
// writing stop. The first cause counts.
func (cn *conn) fail(cause error) {
	cn.mu.Lock()
	if cn.ended {
		cn.mu.Unlock()
		return
	}
	cn.ended, cn.cause = true, cause
	pending, auths := cn.pending, cn.auths
	cn.pending, cn.auths = fifo[*call]{}, fifo[*call]{}
	cn.mu.Unlock()
	cn.c.live.CompareAndSwap(cn, nil) // nobody needs to find out by trying
	close(cn.done)
	_ = cn.nc.Close() // nothing depends on how a broken connection closes
	for _, q := range append(pending.all(), auths.all()...) {
		if q != nil {
			q.err = lost(cause)
			q.finish()
		}
	}
}

// serve reads replies until the connection ends, and returns why. It returns
// after the writing goroutine has ended.
func (cn *conn) serve() error {
	var writer sync.WaitGroup
	writer.Go(cn.writeLoop)
	if cn.readOnly {
		writer.Go(func() { cn.c.seekWriter(cn) })
	}
	cn.fail(cn.readLoop())
	writer.Wait()
	return cn.cause
}

func (cn *conn) writeLoop() {
	ping := time.NewTicker(min(cn.timeout/3, maxPing))
	defer ping.Stop()
	for {
		select {
		case <-cn.wake:
		case <-ping.C:
			cn.ping()
		case <-cn.done:
			return
		}
		if err := cn.flush(); err != nil {
			cn.fail(err)
			return
		}
	}
}

func (cn *conn) ping() {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.pings.push(cn.c.elapsed())
	cn.frame(proto.RequestHeader{Xid: proto.XidPing, Op: proto.OpPing}, nil)
}

// flush sends all that is queued, in as few writes as possible.
func (cn *conn) flush() error {
	for {
		cn.mu.Lock()
		buf := cn.out
		cn.out, cn.spare = cn.spare[:0], nil
		cn.mu.Unlock()
		if len(buf) == 0 {
			cn.keep(buf)
			return nil
		}
		if err := cn.nc.SetWriteDeadline(time.Now().Add(cn.timeout)); err != nil {
			return err
		}
		if _, err := cn.nc.Write(buf); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		cn.keep(buf)
	}
}

// keep makes buf the next buffer to fill, unless it has grown too large.
func (cn *conn) keep(buf []byte) {
	if cap(buf) > maxSpare {
		return
	}
	cn.mu.Lock()
	if cn.out == nil {
		cn.out = buf[:0]
	} else {
		cn.spare = buf[:0]
	}
	cn.mu.Unlock()
}

func (cn *conn) readLoop() error {
	idle := cn.timeout * 2 / 3
	for {
		if cn.r.Buffered() < 4+proto.ReplyHeaderLen {
			if err := cn.nc.SetReadDeadline(time.Now().Add(idle)); err != nil {
				return err
			}
		}
		h, body, err := cn.readReply()
		if err != nil {
			return cn.readError(err, idle)
		}
		if err := cn.handle(h, body); err != nil {
			return err
		}
	}
}

func (cn *conn) readError(err error, idle time.Duration) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no word from the server for %v", idle)
	}
	if errors.Is(err, io.EOF) {
		return errors.New("closed by the server")
	}
	return err
}

// readReply reads one frame: its header, and the body in memory of its own.
func (cn *conn) readReply() (h proto.ReplyHeader, body []byte, err error) {
	n, err := cn.readLength(proto.ReplyHeaderLen)
	if err != nil {
		return h, nil, err
	}
	b, err := cn.r.Peek(proto.ReplyHeaderLen)
	if err != nil {
		return h, nil, fmt.Errorf("reply of %d bytes: %w", n, err)
	}
	d := jute.NewDecoder(b)
	h.Decode(&d)
	if _, err := cn.r.Discard(proto.ReplyHeaderLen); err != nil {
		return h, nil, err
	}
	body, err = readN(cn.r, n-proto.ReplyHeaderLen)
	return h, body, err
}

// readLength reads the length of a frame that has at least shortest bytes.
func (cn *conn) readLength(shortest int) (int, error) {
	b, err := cn.r.Peek(4)
	if err != nil {
		return 0, err
	}
	n := int32(binary.BigEndian.Uint32(b))
	switch {
	case int(n) < shortest:
		return 0, fmt.Errorf("%w: frame of length %d", ErrMalformed, n)
	case int(n) > cn.c.opts.maxReply:
		return 0, fmt.Errorf("%w: %d bytes, at most %d are taken", ErrReplyTooLarge, n, cn.c.opts.maxReply)
	}
	_, err = cn.r.Discard(4)
	return int(n), err
}

// readN reads n bytes into memory that grows as they arrive.
func readN(r io.Reader, n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b := make([]byte, min(n, readChunk))
	for done := 0; ; {
		m, err := io.ReadFull(r, b[done:])
		if done += m; err != nil {
			return nil, fmt.Errorf("reply ends %d bytes early: %w", n-done, err)
		}
		if done == n {
			return b, nil
		}
		b = append(b, make([]byte, min(n-done, len(b)))...)
	}
}

// handle gives one frame to whom it concerns.
func (cn *conn) handle(h proto.ReplyHeader, body []byte) error {
	switch h.Xid {
	case proto.XidNotification:
		return cn.notification(h, body)
	case proto.XidPing:
		return cn.pong()
	case proto.XidAuth:
		return cn.authReply(h)
	case proto.XidSetWatches:
		return cn.watchesSet(h)
	}
	cn.mu.Lock()
	q, ok := cn.pending.pop()
	cn.mu.Unlock()
	if !ok {
		return fmt.Errorf("%w: reply %d to no request", ErrMalformed, h.Xid)
	}
	if q.xid != h.Xid {
		q.err = lost(fmt.Errorf("%w: reply %d where %d was due", ErrMalformed, h.Xid, q.xid))
		err := q.err
		q.finish()
		return err
	}
	cn.c.saw(h.Zxid)
	q.code, q.zxid, q.body = h.Err, h.Zxid, body
	cn.c.watches.settle(q)
	q.finish()
	return nil
}

func (cn *conn) notification(h proto.ReplyHeader, body []byte) error {
	d := jute.NewDecoder(body)
	var ev proto.WatcherEvent
	ev.Decode(&d)
	if err := d.Err(); err != nil {
		return fmt.Errorf("%w: notification: %w", ErrMalformed, err)
	}
	cn.c.notified(h, &ev)
	return nil
}

func (cn *conn) pong() error {
	cn.mu.Lock()
	sent, ok := cn.pings.pop()
	cn.mu.Unlock()
	if !ok {
		return fmt.Errorf("%w: reply to no ping", ErrMalformed)
	}
	cn.session.heard(sent)
	return nil
}

func (cn *conn) authReply(h proto.ReplyHeader) error {
	cn.mu.Lock()
	q, ok := cn.auths.pop()
	cn.mu.Unlock()
	switch {
	case ok && q != nil:
		q.code = h.Err
		q.finish()
	case h.Err != proto.OK:
		return &authError{h.Err}
	}
	return nil
}

func (cn *conn) watchesSet(h proto.ReplyHeader) error {
	cn.mu.Lock()
	streams, ok := cn.batches.pop()
	last := cn.batches.len() == 0
	cn.mu.Unlock()
	if !ok {
		return fmt.Errorf("%w: reply to no watches", ErrMalformed)
	}
	if h.Err != proto.OK {
		return fmt.Errorf("setting watches again: %w", h.Err)
	}
	if last { // not before: what the other packets ask about must count from what was seen before
		cn.c.saw(h.Zxid)
	}
	for _, w := range streams {
		w.push(Event{Type: EventReset, State: cn.state(), Path: w.path, Zxid: h.Zxid})
	}
	return nil
}

func (cn *conn) state() State {
	if cn.readOnly {
		return StateReadOnly
	}
	return StateConnected
}

func (cn *conn) logger() *slog.Logger { return cn.c.opts.log.With("server", cn.server) }
