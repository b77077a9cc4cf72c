package client

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

const (
	readBuffer = 16 << 10
	// maxSpare bounds the buffers kept for the next requests.
	maxSpare = 1 << 20
	maxPing  = 10 * time.Second
)

// conn is one connection. The goroutine that made it reads from it; another
// one, started by serve, writes. Everything else only queues.
type conn struct {
	c        *Client
	nc       net.Conn
	in       patient
	r        *bufio.Reader // of in
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
	cn := &conn{
		c:      c,
		nc:     nc,
		server: server,
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
	cn.in.nc = nc
	cn.r = bufio.NewReaderSize(&cn.in, readBuffer)
	return cn
}

// enqueue appends calls to what is sent next, or says that the connection has
// ended.
func (cn *conn) enqueue(qs ...*call) bool {
	cn.mu.Lock()
	if cn.ended {
		cn.mu.Unlock()
		return false
	}
	for _, q := range qs {
		cn.queue(q)
	}
	cn.mu.Unlock()
	cn.signal()
	return true
}

// queue appends one call. cn.mu is held.
func (cn *conn) queue(q *call) {
	if q.op == proto.OpAuth {
		q.xid = proto.XidAuth
		cn.auths.push(q)
	} else {
		q.xid = cn.nextXid()
		cn.pending.push(q)
	}
	cn.frame(proto.RequestHeader{Xid: q.xid, Op: q.op}, q.out)
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
	cn.out = jute.AppendInt(cn.out, int32(requestHeader+len(body)))
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
			cn.c.deliver(q)
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
			cn.gather()
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

// gather lets other callers that are about to queue requests do so before all of
// them are sent in one write. Who calls alone does not wait for anybody.
func (cn *conn) gather() {
	if len(cn.c.slots) > 1 {
		runtime.Gosched()
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

func (cn *conn) state() State {
	if cn.readOnly {
		return StateReadOnly
	}
	return StateConnected
}

func (cn *conn) logger() *slog.Logger { return cn.c.opts.log.With("server", cn.server) }
