package link

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/peer/wire"
)

// Conn is a connection between a leader and a learner. Its methods may be called from any goroutine, also when it has
// ended; they never wait.
type Conn struct {
	id      uint64
	dialled bool
	e       *Endpoint
	conn    net.Conn
	in      *input
	r       *wire.Reader
	out     outbox
	wake    chan struct{} // there may be something to write
	usual   int           // how many packets arrive at once, about; of the goroutine that reads
	spare   chan []Packet // memory for packets, given back
	moved   atomic.Int64  // when something was written, or begun to be; UnixNano

	received atomic.Int64 // packets

	// Owner is of Config.NewOwner.
	Owner any

	// writing is held by who takes from out.
	writing sync.Mutex
	raw     syscall.RawConn // nil if what is written has to be encrypted
	chunks  [][]byte        // taken from out
	first   []byte          // of them
	taken   int             // their bytes
	rest    net.Buffers     // what of them is not written
	tryf    func(fd uintptr) bool
	tryErr  error

	ctx context.Context // ends with the connection
	end context.CancelCauseFunc
}

func newConn(e *Endpoint, conn net.Conn, r *bufio.Reader, in *input, id uint64, dialled bool) *Conn {
	c := &Conn{id: id, dialled: dialled, e: e, conn: conn, in: in, r: wire.NewReader(r, e.cfg.MaxPacket), wake: make(chan struct{}, 1), spare: make(chan []Packet, 2)}
	c.ctx, c.end = context.WithCancelCause(context.Background())
	c.tryf = c.try
	if sc, ok := conn.(syscall.Conn); ok {
		c.raw, _ = sc.SyscallConn()
	}
	in.done = c.ctx.Done()
	c.SetTimeout(e.cfg.Timeout)
	return c
}

// ID is the number of the connection. The endpoint never uses a number twice, and not 0.
func (c *Conn) ID() uint64 { return c.id }

// Dialled tells a connection to a leader from one of a learner.
func (c *Conn) Dialled() bool { return c.dialled }

// RemoteAddr is the other side's address.
func (c *Conn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// Done is closed when the connection has ended or is about to.
func (c *Conn) Done() <-chan struct{} { return c.ctx.Done() }

// SetTimeout ends the connection when nothing is heard for d from now on, or for up to a quarter longer; 0 lets it be
// silent. The time that a Handler takes does not count.
func (c *Conn) SetTimeout(d time.Duration) { c.in.setLimit(d) }

// Append queues n packets: f appends them to the slice that it gets. They are written with the next Flush, at the latest
// when more is written than that. f is not called if nothing is sent any more.
func (c *Conn) Append(n int, f func(b []byte) []byte) {
	if !c.out.append(n, f, c.e.cfg.MaxQueue) {
		c.fail(fmt.Errorf("%w: more than %d bytes", ErrSlow, c.e.cfg.MaxQueue))
	}
}

// Stream queues s behind what was appended so far.
func (c *Conn) Stream(s Stream) {
	if !c.out.stream(s) {
		s.Close()
	}
	c.Flush()
}

// Flush lets all that is queued be written.
func (c *Conn) Flush() {
	select {
	case c.wake <- struct{}{}:
	default: // it is awake
	}
}

// Queued is how many bytes wait to be written. A stream counts as none.
func (c *Conn) Queued() int { return c.out.len() }

// Pace is Endpoint.Pace until the connection ends: who makes work by what arrives here calls it before.
func (c *Conn) Pace() error { return c.e.Pace(c.ctx) }

// Traffic is how much has gone over a connection. What is in a stream does not count.
type Traffic struct {
	// Queued packets, of QueuedBytes, wait to be sent.
	Queued, QueuedBytes int
	// Sent and Received are packets.
	Sent, Received int64
}

// Traffic is how much has gone over the connection so far.
func (c *Conn) Traffic() Traffic {
	t := Traffic{Received: c.received.Load()}
	t.Queued, t.QueuedBytes, t.Sent = c.out.traffic()
	return t
}

// Close ends the connection. What is queued is dropped.
func (c *Conn) Close() { c.fail(ErrClosed) }

// Finish ends the connection once all that is queued was written, or could not be within Config.Timeout. Nothing more
// is queued.
func (c *Conn) Finish() {
	c.out.finish()
	_ = c.conn.SetWriteDeadline(c.e.cfg.Now().Add(c.e.cfg.Timeout))
	if c.ctx.Err() != nil {
		_ = c.conn.SetDeadline(past) // it was ended meanwhile
	}
	c.Flush()
}

// fail ends the connection for a reason, of which the first counts. Closing is left to the connection's own goroutine,
// since that may wait for those who use it.
func (c *Conn) fail(err error) {
	if c.ctx.Err() == nil {
		c.end(err)
		_ = c.conn.SetDeadline(past)
	}
}

// run is the connection's life.
func (c *Conn) run() {
	c.e.cfg.Handler.Up(c)
	var writer sync.WaitGroup
	writer.Go(c.write)
	c.fail(c.read())
	writer.Wait()
	c.linger()
	c.conn.Close()
	c.out.drop()
	c.e.remove(c)
	c.e.cfg.Handler.Down(c, context.Cause(c.ctx))
}

// lingerTime is how long the other side may take to read what was sent last.
const lingerTime = 500 * time.Millisecond

// linger waits, after Finish, until the other side has read everything and closes. To close while it sends would reset the
// connection, and what it has not read so far would be lost.
func (c *Conn) linger() {
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok || !errors.Is(context.Cause(c.ctx), errFinished) {
		return
	}
	_ = c.conn.SetDeadline(c.e.cfg.Now().Add(lingerTime))
	if half.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, c.conn)
	}
}

// read hands over what arrives until the connection ends.
func (c *Conn) read() error {
	for c.ctx.Err() == nil {
		b, err := c.next()
		if len(b.packets) > 0 {
			c.e.cfg.Handler.Received(c, b.packets)
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(c.ctx)
}

// next waits for a packet and takes those that have arrived with it.
func (c *Conn) next() (batch, error) {
	b := batch{packets: c.room()}
	count := int64(0)
	defer func() {
		c.usual = (c.usual + len(b.packets) + 1) / 2
		c.received.Add(count)
	}()
	for {
		var p wire.Packet
		if err := c.r.Next(&p); err != nil {
			return b, fmt.Errorf("quorum connection: %w", err)
		}
		if err := failpoint.Hit(failpoint.QuorumReceive); err != nil {
			return b, err
		}
		if p.Type != wire.Request {
			c.r.Own(&p)
		}
		b.add(&p)
		count++
		if p.Type == wire.Snap {
			last := len(b.packets) - 1
			err := c.snapshot(&b.packets[last])
			if err != nil {
				b.packets = b.packets[:last]
			}
			return b, err
		}
		if b.full() || !c.r.Whole() {
			return b, nil
		}
	}
}

// room is memory for about as many packets as usual.
func (c *Conn) room() []Packet {
	select {
	case p := <-c.spare:
		return p
	default:
		return make([]Packet, 0, c.usual)
	}
}

// Recycle takes back the memory of packets that the Handler was given and needs no more; what they point to stays as it is.
// Who leaves packets out behind the list has cleared them.
func (c *Conn) Recycle(packets []Packet) {
	clear(packets)
	select {
	case c.spare <- packets[:0]:
	default:
	}
}

// Filled are pieces of memory in which data of PROPOSALs and INFORMs lies that were received by now, and none that will
// be. It is for Handler.Received to ask.
func (c *Conn) Filled() []wire.Filled { return c.r.Filled() }

// Free takes back a filled piece of memory that nobody reads any more. It may be called by any goroutine.
func (c *Conn) Free(filled []byte) { c.r.Free(filled) }

// snapshot has the state behind p read.
func (c *Conn) snapshot(p *Packet) error {
	if !c.dialled {
		return ErrSnapshot
	}
	r := c.r.Snapshot()
	state, err := c.e.cfg.Handler.Snapshot(c, p.Zxid, r)
	if err != nil {
		return fmt.Errorf("state as of 0x%x: %w", uint64(p.Zxid), err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		switch s := state.(type) {
		case io.Closer:
			s.Close()
		case interface{ Close() }:
			s.Close()
		}
		return fmt.Errorf("state as of 0x%x: it was not read to its end: %w", uint64(p.Zxid), err)
	}
	p.Snapshot = state
	return nil
}
