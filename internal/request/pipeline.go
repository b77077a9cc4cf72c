package request

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/audit"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/txn"
)

// ErrClosed is the answer to whoever submits to an engine that is closed or
// has failed.
var ErrClosed = errors.New("engine is closed")

// LocalOwner is the owner of sessions whose clients are connected to this
// server.
const LocalOwner session.Owner = 1

// Request is one frame of a client: its header and its body, which may be
// reused once Submit or Read returned.
type Request struct {
	Xid  int32
	Op   proto.Op
	Body []byte
}

// item is one submitted write on its way to its reply.
type item struct {
	client  *Client // nil if nobody waits for the reply
	session *session.Session
	xid     int32
	op      proto.Op
	code    proto.Code     // the refusal, if it is one
	zxid    int64          // 0: nothing was logged
	off, n  int32          // the entry in the batch's buffer
	when    time.Time      // when it came in
	audit   *audit.Request // what the audit log has to know, nil if nothing
}

// batch is a group of writes that become durable together. It is filled under
// the pipeline's lock, then owned by the log goroutine, then by the commit
// goroutine, and returns to the pool.
type batch struct {
	buf         []byte // framed records
	items       []item
	first, last int64 // zxids of the records
	records     int
	roll        bool   // start a new log file first
	after       func() // called by the commit goroutine at the end; nil for none
}

func (b *batch) reset() {
	clear(b.items)
	b.items = b.items[:0]
	b.buf = b.buf[:0]
	b.first, b.last, b.records, b.roll, b.after = 0, 0, 0, false, nil
}

// pipeline is the way of a write, see the package's comment.
type pipeline struct {
	e    *Engine
	prep preparer

	mu       sync.Mutex
	work     sync.Cond // cur has items, or closing
	room     sync.Cond // bytes in flight fell below the limit
	cur      *batch
	closing  bool
	failed   bool
	err      error // why it failed
	paused   bool  // nothing is let in: the state is being replaced
	waiting  bool
	bytes    int // in flight
	waitRoom int
	roll     bool // the next batch starts a new log file
	pool     []*batch

	inFlight atomic.Int64
	over     chan struct{} // closed when the commit goroutine has ended
	commits  chan *batch
	flushes  chan []*Client
	dirty    []*Client
	spare    sync.Pool

	commit committer
	// watchers finds the client of a watcher; changed under the tree's lock.
	watchers []*Client
}

func (p *pipeline) init(e *Engine) {
	p.e = e
	p.work.L, p.room.L = &p.mu, &p.mu
	p.cur = new(batch)
	p.over = make(chan struct{})
	p.commits = make(chan *batch, 4)
	p.flushes = make(chan []*Client, 4)
	p.prep = preparer{e: e, overlay: newOverlay(), zxid: e.Tree.Zxid(), digest: e.Tree.Digest()}
	p.commit = committer{e: e, p: p}
	p.commit.plan()
	p.commit.logged = e.Logged
}

// Submit takes writes of one client, in order. Their replies go to its outbox.
// It waits while too much is in flight.
func (e *Engine) Submit(c *Client, reqs []Request) error {
	p := &e.pipe
	c.add(len(reqs))
	p.inFlight.Add(int64(len(reqs)))
	now := e.Now()
	p.mu.Lock()
	if err := p.admit(); err != nil {
		p.mu.Unlock()
		p.inFlight.Add(-int64(len(reqs)))
		return err
	}
	p.open(now)
	e.Tree.RLock(c.Slot)
	for i := range reqs {
		p.request(c, &reqs[i], now)
	}
	e.Tree.RUnlock(c.Slot)
	p.kick()
	p.mu.Unlock()
	return nil
}

// admit waits until there is room in flight. The lock is held.
func (p *pipeline) admit() error {
	for (p.paused || p.bytes > p.e.MaxInFlight) && !p.closing && !p.failed {
		p.waitRoom++
		p.room.Wait()
		p.waitRoom--
	}
	if p.closing || p.failed {
		return ErrClosed
	}
	return nil
}

// open prepares for validating requests: what was applied leaves the overlay.
func (p *pipeline) open(now time.Time) {
	p.prep.overlay.retire(p.e.zxid.Load())
	p.prep.now = now.UnixMilli()
}

// kick wakes the log goroutine. The lock is held.
func (p *pipeline) kick() {
	if p.waiting {
		p.waiting = false
		p.work.Signal()
	}
}

// request prepares one request and enters it in the current batch.
func (p *pipeline) request(c *Client, r *Request, now time.Time) {
	s := &p.prep
	s.client, s.owner, s.session, s.ids = c, LocalOwner, c.Session.ID(), c.IDs()
	it := item{client: c, session: c.Session, xid: r.Xid, op: r.Op, when: now}
	if p.e.Audit.Enabled() {
		if described, ok := audit.Describe(r.Op, r.Body); ok {
			it.audit = &described
		}
	}
	switch r.Op {
	case proto.OpMulti:
		p.multi(&it, r.Body)
	case proto.OpCloseSession:
		s.zxid++
		s.closeSession(c.Session)
		p.log(&it, r.Op, &s.body)
	default:
		p.single(&it, r)
	}
	p.cur.items = append(p.cur.items, it)
}

// single prepares a request that makes one change. One that is refused after
// it was understood takes a zxid and is logged as an error, as Apache's does;
// one that cannot be decoded leaves no trace.
func (p *pipeline) single(it *item, r *Request) {
	s := &p.prep
	s.zxid++
	d := jute.NewDecoder(r.Body)
	code := s.prepare(r.Op, &d)
	switch {
	case code == proto.OK:
		p.log(it, r.Op, &s.body)
	case d.Err() != nil:
		s.zxid--
		it.code = code
	default:
		p.refuse(it, code)
	}
}

func (p *pipeline) refuse(it *item, code proto.Code) {
	it.code = code
	p.log(it, proto.OpError, &txn.Body{Type: proto.OpError, Err: code})
}

// log encodes a transaction into the current batch.
func (p *pipeline) log(it *item, op proto.Op, body *txn.Body) {
	start := p.beginRecord(it, op)
	b := body.Append(p.cur.buf)
	if op != proto.OpError && p.e.DigestEnabled {
		b = txn.AppendDigest(b, p.prep.digest)
	}
	p.endRecord(it, b, start)
}

// beginRecord starts a record in the current batch with the header of it's
// transaction, and returns where the entry starts.
func (p *pipeline) beginRecord(it *item, op proto.Op) int {
	s := &p.prep
	b, start := storage.BeginRecord(p.cur.buf)
	it.off = int32(len(b))
	h := txn.Header{ClientID: s.session, Cxid: it.xid, Zxid: s.zxid, Time: s.now, Type: op}
	p.cur.buf = h.Append(b)
	it.zxid = s.zxid
	return start
}

func (p *pipeline) endRecord(it *item, b []byte, start int) {
	c := p.cur
	end := len(b)
	c.buf = storage.EndRecord(b, start)
	it.n = int32(end) - it.off
	if c.records == 0 {
		c.first = it.zxid
	}
	c.last = it.zxid
	c.records++
	p.bytes += int(it.n)
}

// CreateSession submits the creation of a session, which the caller has put
// into c, and gives c's outbox nothing: done is called by the commit goroutine
// once the session is durable.
func (e *Engine) CreateSession(c *Client) error {
	return e.internal(c, proto.OpCreateSession, c.Session, func(s *preparer) {
		s.body = txn.Body{Type: proto.OpCreateSession, TimeOut: c.Session.Timeout()}
	})
}

// CloseSession submits the end of a session that expired or that nobody asked
// for.
func (e *Engine) CloseSession(s *session.Session) error {
	return e.internal(nil, proto.OpCloseSession, s, func(p *preparer) { p.closeSession(s) })
}

// DeleteContainer submits the removal of a container or of a znode whose time
// to live is over. It comes to nothing if the znode has changed meanwhile.
func (e *Engine) DeleteContainer(path string) error {
	return e.internal(nil, proto.OpDeleteContainer, nil, func(p *preparer) {
		if code := p.deleteContainer(path); code != proto.OK {
			p.body = txn.Body{Type: proto.OpError, Err: code}
		}
	})
}

// internal submits one change of the server's own.
func (e *Engine) internal(c *Client, op proto.Op, s *session.Session, prepare func(*preparer)) error {
	p := &e.pipe
	if c != nil {
		c.add(1)
	}
	p.inFlight.Add(1)
	now := e.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.admit(); err != nil {
		p.inFlight.Add(-1)
		return err
	}
	p.open(now)
	pr := &p.prep
	pr.client, pr.owner, pr.session, pr.ids = nil, LocalOwner, 0, nil
	if s != nil {
		pr.session = s.ID()
	}
	it := item{client: c, session: s, op: op, when: now}
	pr.zxid++
	e.Tree.RLock(0)
	prepare(pr)
	e.Tree.RUnlock(0)
	if pr.body.Type == proto.OpError {
		it.code = pr.body.Err
	}
	p.log(&it, pr.body.Type, &pr.body)
	p.cur.items = append(p.cur.items, it)
	p.kick()
	return nil
}

// runLog makes batches durable, one after the other.
func (p *pipeline) runLog() {
	defer p.e.done.Done()
	defer close(p.commits)
	for {
		b := p.next()
		if b == nil {
			return
		}
		if b.records > 0 {
			if err := p.write(b); err != nil {
				p.fail(err)
				return
			}
		}
		p.commits <- b
	}
}

// next waits for work and takes it all.
func (p *pipeline) next() *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.cur.items) == 0 && p.cur.after == nil {
		if p.closing {
			return nil
		}
		p.waiting = true
		p.work.Wait()
	}
	b := p.cur
	if n := len(p.pool); n > 0 {
		p.cur, p.pool = p.pool[n-1], p.pool[:n-1]
	} else {
		p.cur = new(batch)
	}
	b.roll, p.roll = p.roll, false
	return b
}

func (p *pipeline) write(b *batch) error {
	if b.roll {
		if err := p.e.Log.Roll(); err != nil {
			return fmt.Errorf("roll transaction log: %w", err)
		}
	}
	if err := p.e.Log.Append(b.buf, b.first, b.last, b.records); err != nil {
		return fmt.Errorf("write transaction log: %w", err)
	}
	start := p.e.Now()
	if err := p.e.Log.Sync(); err != nil {
		return fmt.Errorf("sync transaction log: %w", err)
	}
	p.e.Metrics.SyncTime.Add(1, p.e.Now().Sub(start))
	p.e.Metrics.Batches.Add(int64(len(b.items)))
	p.e.Metrics.Proposals.Add(int64(b.records))
	return nil
}

// fail ends the pipeline: what is not durable by now is never answered.
func (p *pipeline) fail(err error) {
	p.mu.Lock()
	p.failed = true
	p.err = err
	p.room.Broadcast()
	p.mu.Unlock()
	p.e.fails <- err
}

func (p *pipeline) close() {
	p.mu.Lock()
	p.closing = true
	p.waiting = false
	p.work.Broadcast()
	p.room.Broadcast()
	p.mu.Unlock()
}

// recycle gives a committed batch back.
func (p *pipeline) recycle(b *batch, bytes int) {
	// A batch that grew around a few large requests would hold that memory for
	// good.
	const keep = 1 << 20
	b.reset()
	if cap(b.buf) > keep {
		b.buf = nil
	}
	p.mu.Lock()
	p.bytes -= bytes
	if len(p.pool) < 4 {
		p.pool = append(p.pool, b)
	}
	if p.waitRoom > 0 && p.bytes <= p.e.MaxInFlight {
		p.room.Broadcast()
	}
	p.mu.Unlock()
}

// runFlush sends what the commit goroutine put into outboxes, so that it need
// not wait for sockets.
func (p *pipeline) runFlush() {
	defer p.e.done.Done()
	for list := range p.flushes {
		for i, c := range list {
			c.Conn.Flush()
			list[i] = nil
		}
		p.spare.Put(&list)
	}
}
