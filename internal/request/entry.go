package request

import (
	"time"

	"github.com/quollhq/quoll/internal/audit"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

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
	instead proto.Code     // what the client is told if the leader refuses it, unless OK
	when    time.Duration  // when it came in, from Engine.began on
	audit   *audit.Request // what the audit log has to know, nil if nothing
}

// batch is a group of writes that become durable together. It is the writer's.
type batch struct {
	buf         []byte // framed records
	items       []item
	first, last int64 // zxids of the records
	records     int
	config      []byte          // the configuration that the last record brings
	taken       int             // bytes of the queue that it was made of
	clients     int             // sessions that have a part in it, counted in an ensemble
	stayed      int             // those that had one in the batch before
	again       int             // and those that had one in one of the paceWindow before
	learners    []session.Owner // of each forwarded submission whose last request is in it
	after       func()          // called at the end; nil for none
}

// batchMost is from how many bytes on a batch takes no more transactions. Some
// are much longer than their requests: a multi whose lists say "auth" grows by
// all identities of its client each time.
const batchMost = 16 << 20

func (b *batch) full() bool { return len(b.buf) > batchMost || b.config != nil }

func (b *batch) empty() bool { return len(b.items) == 0 && b.after == nil }

func (b *batch) reset() {
	clear(b.items)
	b.items = b.items[:0]
	b.buf, b.learners = b.buf[:0], b.learners[:0]
	b.first, b.last, b.records, b.config, b.taken, b.after = 0, 0, 0, nil, 0, nil
	b.clients, b.stayed, b.again = 0, 0, 0
}

// request prepares one request and enters it in the current batch.
func (p *pipeline) request(c *Client, r *Request, when time.Duration) {
	s := &p.prep
	s.asker, s.owner, s.session, s.ids = c.Session, LocalOwner, c.Session.ID(), c.IDs()
	if p.e.Ensemble != nil {
		p.seen(c.Session)
	}
	it := item{client: c, session: c.Session, xid: r.Xid, op: r.Op, when: when}
	if p.e.Audit.Enabled() {
		it.audit = describe(r.Op, r.Body)
	}
	var up bool
	if up, s.refusal = p.e.upgrade(c.Session, r); up {
		p.prepareUpgrade(c.Session)
	}
	p.enter(&it, r)
	s.refusal = proto.OK
}

// seen counts a session that has a part in the batch.
func (p *pipeline) seen(s *session.Session) {
	if s == nil || s.Batch == p.number {
		return
	}
	p.batch.join(p.number - s.Batch)
	s.Batch = p.number
}

// join counts a session that had a part in a batch last so many batches ago.
func (b *batch) join(ago uint32) {
	b.clients++
	if ago == 1 {
		b.stayed++
	}
	if ago <= paceWindow {
		b.again++
	}
}

// describe is what the audit log has to know of a write, nil if nothing. It
// aliases the body.
func describe(op proto.Op, body []byte) *audit.Request {
	if described, ok := audit.Describe(op, body); ok {
		return &described
	}
	return nil
}

// enter makes a transaction of what is asked for and adds it to the batch.
func (p *pipeline) enter(it *item, r *Request) {
	s := &p.prep
	switch r.Op {
	case proto.OpMulti:
		p.multi(it, r.Body)
	case proto.OpCloseSession:
		s.zxid++
		s.closeSession(s.session)
		p.log(it, r.Op, &s.body)
	default:
		p.single(it, r)
	}
	p.batch.items = append(p.batch.items, *it)
}

// single prepares a request that makes one change. One that is refused after
// it was understood takes a zxid and is logged as an error, as Apache's does;
// one that cannot be decoded leaves no trace, unless other members wait for its
// outcome.
func (p *pipeline) single(it *item, r *Request) {
	s := &p.prep
	s.zxid++
	d := jute.NewDecoder(r.Body)
	code := s.prepare(r.Op, &d)
	switch {
	case code == proto.OK:
		it.known = s.known
		p.log(it, r.Op, &s.body)
		if r.Op == proto.OpReconfig {
			p.batch.config = s.body.Data
		}
	case d.Err() != nil && p.e.Ensemble == nil:
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
	b := body.Append(p.batch.buf)
	if op != proto.OpError && p.e.DigestEnabled {
		b = txn.AppendDigest(b, p.prep.digest)
	}
	p.endRecord(it, b, start)
}

// beginRecord starts a record in the current batch with the header of its
// transaction, and returns where the entry starts.
func (p *pipeline) beginRecord(it *item, op proto.Op) int {
	s := &p.prep
	b, start := storage.BeginRecord(p.batch.buf)
	it.off = int32(len(b))
	h := txn.Header{ClientID: s.session, Cxid: it.xid, Zxid: s.zxid, Time: s.now, Type: op}
	p.batch.buf = h.Append(b)
	it.zxid = s.zxid
	return start
}

func (p *pipeline) endRecord(it *item, b []byte, start int) {
	c := p.batch
	end := len(b)
	c.buf = storage.EndRecord(b, start)
	it.n = int32(end) - it.off
	if c.records == 0 {
		c.first = it.zxid
	}
	c.last = it.zxid
	c.records++
}

// CreateSession submits the creation of a session, which the caller has put
// into c. Nothing is put into c's outbox: it is drained once the session is
// durable.
func (e *Engine) CreateSession(c *Client) error {
	for {
		err := e.createSession(c)
		if err != ErrNotServing || !e.await(c) {
			return err
		}
	}
}

func (e *Engine) createSession(c *Client) error {
	if e.pipe.flight.role.Load() == following {
		return e.pipe.forward(c, []Request{openRequest(c)}, e.Now())
	}
	return e.internal(c, proto.OpCreateSession, c.Session, opens(c))
}

// opens prepares the creation of a client's session.
func opens(c *Client) func(*preparer) {
	return func(s *preparer) { s.body = txn.Body{Type: proto.OpCreateSession, TimeOut: c.Session.Timeout()} }
}

// CloseSession submits the end of a session that expired or that nobody asked
// for.
func (e *Engine) CloseSession(s *session.Session) error {
	return e.internal(nil, proto.OpCloseSession, s, func(p *preparer) { p.closeSession(s.ID()) })
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
	err := e.pipe.queue.put(e.change(c, op, s, prepare))
	if c != nil && err != nil {
		c.add(-1)
	}
	return err
}

// change is a change of the server's own.
func (e *Engine) change(c *Client, op proto.Op, s *session.Session, prepare func(*preparer)) *submission {
	p := &e.pipe
	return &submission{client: c, when: e.Now(), own: func(when time.Time) {
		pr := &p.prep
		pr.asker, pr.owner, pr.session, pr.ids = nil, 0, 0, nil
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
		p.batch.items = append(p.batch.items, it)
	}}
}
