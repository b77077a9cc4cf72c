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
	"github.com/quollhq/quoll/internal/tree"
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
	known   tree.Known     // for applying it
	when    time.Duration  // when it came in, from Engine.began on
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

// batchMost is from how many bytes on a batch takes no more transactions. Some
// are much longer than their requests: a multi whose lists say "auth" grows by
// all identities of its client each time.
const batchMost = 16 << 20

func (b *batch) full() bool { return len(b.buf) > batchMost }

func (b *batch) empty() bool { return len(b.items) == 0 && b.after == nil }

func (b *batch) reset() {
	clear(b.items)
	b.items = b.items[:0]
	b.buf = b.buf[:0]
	b.first, b.last, b.records, b.roll, b.after = 0, 0, 0, false, nil
}

// submission is what one call hands to the prepare goroutine: the writes of a
// client, with bodies of their own, or a change of the server's own.
type submission struct {
	client *Client
	reqs   []Request
	buf    []byte // the bodies
	done   int    // how many of reqs were prepared
	when   time.Time
	own    func(when time.Time) // instead of requests
}

var submissions = sync.Pool{New: func() any { return new(submission) }}

// copyOf is reqs with bodies of their own, so that the caller can go on reading
// into the memory of its.
func copyOf(c *Client, reqs []Request, when time.Time) *submission {
	s := submissions.Get().(*submission)
	s.client, s.when, s.own, s.done = c, when, nil, 0
	n := 0
	for i := range reqs {
		n += len(reqs[i].Body)
	}
	if cap(s.buf) < n {
		s.buf = make([]byte, 0, max(n, 4<<10))
	}
	s.buf, s.reqs = s.buf[:0], s.reqs[:0]
	for i := range reqs {
		from := len(s.buf)
		s.buf = append(s.buf, reqs[i].Body...)
		s.reqs = append(s.reqs, Request{Xid: reqs[i].Xid, Op: reqs[i].Op, Body: s.buf[from:len(s.buf):len(s.buf)]})
	}
	return s
}

func (s *submission) recycle() {
	const most = 64 << 10
	if cap(s.buf) > most {
		return
	}
	clear(s.reqs)
	s.client, s.own = nil, nil
	submissions.Put(s)
}

// pipeline is the way of a write, see the package's comment.
//
// Clients only put their writes into the queue: one goroutine at a time
// prepares them. A lock around the preparation would be held for so long, and
// wanted by so many, that the log goroutine would stand in line behind the
// clients each time it comes for a batch.
type pipeline struct {
	e *Engine

	// Of whoever prepares: the goroutine that set preparing, and the commit
	// goroutine while it replaces the state.
	prep      preparer
	taken     []*submission // from the queue; up to takenAt they are prepared
	takenAt   int
	takenDone int    // bytes of the queue that were prepared since take
	cur       *batch // nobody else's while preparing, else under the lock

	mu        sync.Mutex
	work      sync.Cond // there is enough in the queue for the prepare goroutine
	ready     sync.Cond // there is something for the log goroutine
	room      sync.Cond // bytes in flight fell below the limit
	queue     []*submission
	queued    int    // bytes in the queue
	requests  int    // in the queue
	preparing bool   // a goroutine makes transactions of what it took from the queue
	handed    *batch // for the log goroutine
	closing   bool
	failed    bool
	err       error // why it failed
	paused    bool  // nothing is let in: the state is being replaced
	waiting   bool  // the prepare goroutine waits for work
	waitRoom  int
	roll      bool // the next batch starts a new log file
	pool      []*batch

	idle       atomic.Bool  // the log goroutine waits for a batch
	bytes      atomic.Int64 // prepared and not committed
	undurable  atomic.Int64 // writes in cur
	inFlight   atomic.Int64
	committing atomic.Int64  // batches that the commit goroutine has to do
	over       chan struct{} // closed when the commit goroutine has ended
	commits    chan *batch
	flushes    chan []*Client
	dirty      []*Client
	spare      sync.Pool

	commit committer
	// watchers finds the client of a watcher; changed under the tree's lock.
	watchers []*Client
}

// A goroutine for each stage of the pipeline pays when there is much to do at
// once. A few writes are faster with one goroutine that does everything for
// them, for waking another costs as much as several of them do.
const (
	// prepareAhead is how many requests there are in the queue before the
	// prepare goroutine takes them while the log goroutine is busy.
	prepareAhead = 64
	// commitHere is how many writes the log goroutine commits by itself.
	commitHere = 64
	// flushHere is how many clients it then sends their replies.
	flushHere = 64
)

func (p *pipeline) init(e *Engine) {
	p.e = e
	p.work.L, p.ready.L, p.room.L = &p.mu, &p.mu, &p.mu
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
	c.add(len(reqs))
	return e.pipe.submit(copyOf(c, reqs, e.Now()), len(reqs))
}

// submit puts n writes into the queue.
func (p *pipeline) submit(s *submission, n int) error {
	p.inFlight.Add(int64(n))
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.admit(); err != nil {
		p.inFlight.Add(-int64(n))
		return err
	}
	p.enqueue(s)
	return nil
}

// admit waits until there is room in flight. The lock is held.
func (p *pipeline) admit() error {
	for (p.paused || p.full()) && !p.closing && !p.failed {
		p.waitRoom++
		p.room.Wait()
		p.waitRoom--
	}
	if p.closing || p.failed {
		return ErrClosed
	}
	return nil
}

func (p *pipeline) full() bool { return p.queued+int(p.bytes.Load()) > p.e.MaxInFlight }

// enqueue puts s into the queue, and wakes who has to know. The lock is held.
func (p *pipeline) enqueue(s *submission) {
	p.queue = append(p.queue, s)
	p.queued += len(s.buf)
	p.requests += max(len(s.reqs), 1)
	switch {
	case p.preparing:
	case p.idle.Load():
		p.ready.Signal()
	default:
		p.getAhead()
	}
}

// getAhead wakes the prepare goroutine if there is enough for it to do. The lock
// is held.
func (p *pipeline) getAhead() {
	if p.waiting && p.requests >= prepareAhead {
		p.waiting = false
		p.work.Signal()
	}
}

// runPrepare makes transactions of what is submitted while the log goroutine is
// busy, until the pipeline is closed or fails.
func (p *pipeline) runPrepare() {
	defer p.e.done.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closing && !p.failed {
		if p.preparing || p.requests < prepareAhead || p.cur.full() {
			p.waiting = true
			p.work.Wait()
			continue
		}
		p.prepareQueue(func() {
			if p.idle.Load() {
				p.mu.Lock()
				p.handOver()
				p.mu.Unlock()
			}
		})
		if p.idle.Load() {
			p.ready.Signal()
		}
	}
}

// prepareQueue makes transactions of what was taken from the queue before, or of
// all that is in it, until the batch is full, and calls after, if not nil, behind
// each submission. The lock is held, but not meanwhile.
func (p *pipeline) prepareQueue(after func()) {
	p.preparing = true
	if p.takenAt == len(p.taken) {
		p.taken, p.queue = p.queue, p.taken[:0]
		p.takenAt, p.requests = 0, 0
	}
	p.mu.Unlock()
	for p.takenAt < len(p.taken) && !p.cur.full() && p.prepare(p.taken[p.takenAt]) {
		p.taken[p.takenAt] = nil
		p.takenAt++
		if after != nil {
			after()
		}
	}
	p.mu.Lock()
	p.preparing = false
	p.queued -= p.takenDone
	p.takenDone = 0
	if p.waitRoom > 0 && !p.full() {
		p.room.Broadcast()
	}
}

// toPrepare tells whether there are submissions to be prepared. The lock is held,
// and nobody prepares.
func (p *pipeline) toPrepare() bool { return len(p.queue) > 0 || p.takenAt < len(p.taken) }

// handOver gives the current batch to the log goroutine if that waits for one.
// The lock is held, and cur is the caller's.
func (p *pipeline) handOver() {
	if !p.idle.Load() || p.cur.empty() {
		return
	}
	p.idle.Store(false)
	p.handed = p.cur
	if p.cur.records > 0 {
		p.handed.roll, p.roll = p.roll, false
	}
	if n := len(p.pool); n > 0 {
		p.cur, p.pool = p.pool[n-1], p.pool[:n-1]
	} else {
		p.cur = new(batch)
	}
	p.undurable.Store(0)
	p.ready.Signal()
}

// prepare makes transactions of one submission. It is false if the batch is full
// before the end: then the rest is to be prepared later.
func (p *pipeline) prepare(s *submission) bool {
	t := p.e.Tree
	p.prep.overlay.retire(p.e.zxid.Load())
	p.prep.now = max(p.prep.now, s.when.UnixMilli())
	t.RLock(0)
	if s.own != nil {
		s.own(s.when)
	}
	when := s.when.Sub(p.e.began)
	for s.done < len(s.reqs) && !p.cur.full() {
		p.request(s.client, &s.reqs[s.done], when)
		s.done++
	}
	t.RUnlock(0)
	p.undurable.Store(int64(len(p.cur.items)))
	if s.done < len(s.reqs) {
		return false
	}
	p.takenDone += len(s.buf)
	s.recycle()
	return true
}

// request prepares one request and enters it in the current batch.
func (p *pipeline) request(c *Client, r *Request, when time.Duration) {
	s := &p.prep
	s.client, s.owner, s.session, s.ids = c, LocalOwner, c.Session.ID(), c.IDs()
	it := item{client: c, session: c.Session, xid: r.Xid, op: r.Op, when: when}
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
		it.known = s.known
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
	p.bytes.Add(int64(it.n))
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
// to live is over, as seen. It comes to nothing if the znode at path is another
// one meanwhile, has a child, or, with a time to live, was set again.
func (e *Engine) DeleteContainer(path string, seen tree.Candidate) error {
	return e.internal(nil, proto.OpDeleteContainer, nil, func(p *preparer) {
		if code := p.reap(path, &seen); code != proto.OK {
			p.body = txn.Body{Type: proto.OpError, Err: code}
		}
	})
}

// internal submits one change of the server's own.
func (e *Engine) internal(c *Client, op proto.Op, s *session.Session, prepare func(*preparer)) error {
	if c != nil {
		c.add(1)
	}
	p := &e.pipe
	return p.submit(&submission{when: e.Now(), own: func(when time.Time) {
		pr := &p.prep
		pr.client, pr.owner, pr.session, pr.ids = nil, LocalOwner, 0, nil
		if s != nil {
			pr.session = s.ID()
		}
		it := item{client: c, session: s, op: op, when: when.Sub(e.began)}
		pr.zxid++
		prepare(pr)
		if pr.body.Type == proto.OpError {
			it.code = pr.body.Err
		}
		p.log(&it, pr.body.Type, &pr.body)
		p.cur.items = append(p.cur.items, it)
	}}, 1)
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
		p.pass(b)
	}
}

// pass commits a small batch, if all before it are committed, and leaves others
// to the commit goroutine.
func (p *pipeline) pass(b *batch) {
	if len(b.items) <= commitHere && b.after == nil && p.committing.Load() == 0 {
		p.commit.here = true
		p.commit.batch(b)
		p.commit.here = false
		return
	}
	p.committing.Add(1)
	p.commits <- b
}

// next waits for a batch; nil is the end. What nobody else prepares it prepares
// itself.
func (p *pipeline) next() *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if !p.preparing && p.toPrepare() && p.handed == nil {
			p.prepareQueue(nil)
		}
		p.idle.Store(p.handed == nil)
		if !p.preparing {
			p.handOver()
		}
		if b := p.handed; b != nil {
			p.handed = nil
			p.getAhead()
			return b
		}
		if p.closing && !p.preparing && !p.toPrepare() {
			return nil
		}
		p.ready.Wait()
	}
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
	p.wakeAll()
	p.mu.Unlock()
	p.e.fails <- err
}

func (p *pipeline) close() {
	p.mu.Lock()
	p.closing = true
	p.wakeAll()
	p.mu.Unlock()
}

// wakeAll makes everybody look what has become of the pipeline. The lock is held.
func (p *pipeline) wakeAll() {
	p.waiting = false
	p.work.Signal()
	p.ready.Signal()
	p.room.Broadcast()
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
	p.bytes.Add(-int64(bytes))
	if len(p.pool) < 4 {
		p.pool = append(p.pool, b)
	}
	if p.waitRoom > 0 && !p.full() {
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
