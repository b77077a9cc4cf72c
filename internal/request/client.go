package request

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/watch"
)

// Conn is the connection behind a Client.
type Conn interface {
	// Flush sends what the outbox holds, without blocking.
	Flush()
	// Close ends the connection; it does not wait for that.
	Close(reason string)
}

// Client is one connection with its session, as the engine sees it: where its
// replies and events go, who it is and how much it has in flight.
type Client struct {
	Conn    Conn
	Session *session.Session // set once, before the first request
	Watcher watch.ID
	Addr    netip.AddrPort // where it connects from
	// ReadOnly tells that the member has no quorum. It is as of Enter: a client is let
	// go when that changes.
	ReadOnly bool
	Slot     uint32 // spreads readers over the tree's locks
	// Gone is closed when the connection is to end; nil if that is not known.
	Gone <-chan struct{}

	ids   atomic.Pointer[[]auth.ID]
	dirty bool          // the writer's: is on its list to be flushed
	role  atomic.Uint64 // the number of the member's role in which it came, see Enter
	kept  bool          // the flight's: it waits for the next leader
	told  int64         // Engine.mu's: how much had been received when the leader was told last
	reads visits        // guarded by the outbox's lock, but for where it was: who reads for it changes that

	Outbox
	Stats ClientStats
}

// IDs are the identities of the client. The slice must not be changed.
func (c *Client) IDs() []auth.ID {
	if p := c.ids.Load(); p != nil {
		return *p
	}
	return nil
}

// AddIDs adds identities; requests in flight keep those they came with.
func (c *Client) AddIDs(ids ...auth.ID) {
	all := auth.Add(c.IDs(), ids...)
	c.ids.Store(&all)
}

// ClientStats are what the cons command shows. Its fields are changed by the
// goroutines that answer, under the outbox's lock.
type ClientStats struct {
	Received, Sent         atomic.Int64
	LastOp                 proto.Op
	LastXid                int32
	LastZxid               int64
	LastResponse           time.Time
	LastLatency            time.Duration
	MinLatency, MaxLatency time.Duration
	TotalLatency           time.Duration
	Count                  int64
	Established            time.Time
	session                int64 // 0 before it is open
	timeout                int32 // ms
}

// answered notes n replies that took d each. The outbox's lock is held.
func (s *ClientStats) answered(op proto.Op, xid int32, zxid int64, n int64, d time.Duration, now time.Time) {
	s.LastOp, s.LastZxid = op, zxid
	if xid >= 0 { // others are the client library's doing: pings, authentication
		s.LastXid = xid
	}
	s.LastResponse = now
	s.LastLatency = d
	if s.Count == 0 || d < s.MinLatency {
		s.MinLatency = d
	}
	if d > s.MaxLatency {
		s.MaxLatency = d
	}
	s.TotalLatency += d * time.Duration(n)
	s.Count += n
	s.Sent.Add(n)
}

// Outbox holds the frames that are to go to one client, in order. Whoever
// holds its lock may append; the connection takes all there is and sends it
// with one write.
type Outbox struct {
	mu      sync.Mutex
	drained sync.Cond // pending became zero, or the outbox closed
	waiting bool
	frames       // that wait to be sent
	pending int  // writes submitted and not answered
	last    bool // close the connection once buf is sent
	closed  bool // nothing goes out any more
	events  int  // bytes of watch events in buf and later
	// The connection's goroutine has buf, see detach: events wait in later.
	detached bool
	later    []byte
}

// event appends a frame that tells of a change. The lock is held.
func (o *Outbox) event(frame []byte) {
	o.events += len(frame)
	if o.detached {
		o.later = append(o.later, frame...)
		return
	}
	switch {
	case o.buf == nil && len(frame) <= eventSize:
		o.buf = eventPool.Get().(*[eventSize]byte)[:0]
	case cap(o.buf)-len(o.buf) < len(frame):
		o.room()
	}
	o.buf = append(o.buf, frame...)
}

// add notes n submitted writes.
func (o *Outbox) add(n int) {
	o.mu.Lock()
	o.pending += n
	o.mu.Unlock()
}

// answered notes that n submitted writes have their replies. The lock is held.
func (o *Outbox) answered(n int) {
	o.pending -= n
	if o.pending == 0 && o.waiting {
		o.waiting = false
		o.drained.Signal()
	}
}

// Reply appends a frame with a header and, if body is not nil, what body
// appends. For replies that neither read nor write the tree.
func (o *Outbox) Reply(h proto.ReplyHeader, body func([]byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.begin()
	o.header(h.Xid, h.Zxid, h.Err)
	if body != nil {
		o.buf = body(o.buf)
	}
	o.end()
}

// replyTo answers a submitted write that no transaction answers, and sends the
// reply. note, if not nil, is called with the lock held.
func (c *Client) replyTo(xid int32, zxid int64, code proto.Code, body []byte, note func(*ClientStats)) {
	c.mu.Lock()
	c.Outbox.answered(1)
	if !c.closed {
		c.begin()
		c.header(xid, zxid, code)
		c.buf = append(c.buf, body...)
		c.end()
		if note != nil {
			note(&c.Stats)
		}
	}
	c.mu.Unlock()
	c.Conn.Flush()
}

// Raw appends a frame without reply header.
func (o *Outbox) Raw(body func([]byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.begin()
	o.buf = body(o.buf)
	o.end()
}

// Take gives all frames that are ready and whether the connection must end
// after them. It is nil while there is nothing. The frames are for Recycle
// when they are sent.
func (o *Outbox) Take() (frames []byte, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) == 0 {
		return nil, o.last
	}
	frames, o.buf, o.events = o.buf, nil, 0 // none waits behind: buf is empty while detached
	return frames, o.last
}

// Ready tells whether Take has something to say.
func (o *Outbox) Ready() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.closed && (len(o.buf) > 0 || o.last)
}

// Len is the number of bytes that wait to be sent.
func (o *Outbox) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.buf)
}

// EventBytes is how many of the bytes that wait to be sent are watch events.
func (o *Outbox) EventBytes() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.events
}

// CloseAfter ends the connection once all that is in the outbox was sent.
func (o *Outbox) CloseAfter() {
	o.mu.Lock()
	o.last = true
	o.mu.Unlock()
}

// Discard drops what waits and whatever comes later, and wakes whoever waits.
func (o *Outbox) Discard() {
	o.mu.Lock()
	o.closed = true
	o.buf, o.later = nil, nil
	if o.waiting {
		o.waiting = false
		o.drained.Signal()
	}
	o.mu.Unlock()
}

// Pending is the number of writes in flight.
func (o *Outbox) Pending() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pending
}

// Drain waits until every submitted write is answered. It is false if the
// connection ended first. Only the connection's own goroutine may call it.
func (o *Outbox) Drain() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.drained.L == nil {
		o.drained.L = &o.mu
	}
	for o.pending > 0 && !o.closed {
		o.waiting = true
		o.drained.Wait()
	}
	return !o.closed
}
