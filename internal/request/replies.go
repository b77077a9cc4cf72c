package request

import (
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// row is replies to one client in a row, to requests of one kind that took equally long:
// the client's lock and its counters, which others use, are touched once for all of them.
type row struct {
	frames
	client  *Client
	op      proto.Op
	latency time.Duration
	n       int
	xid     int32 // of the last request
	zxid    int64 // of the last reply
}

// run is a row of replies of one kind to whomever: so are the counters of all clients.
type run struct {
	op      proto.Op
	latency time.Duration
	n       int
	bytes   int
}

// answer adds the reply to a write to the row of its client's. The tree's lock is held.
func (c *committer) answer(it *item) {
	code := it.code
	if code == proto.OK && it.op != proto.OpMulti {
		code = c.res.Code
	}
	switch {
	case it.op == proto.OpCreateSession: // the handshake answers that
		c.settle(it.client, false)
	case code == proto.SessionMoved, code == proto.OK && it.op == proto.OpMulti && c.moved():
		c.settle(it.client, true)
	default:
		c.reply(it, code)
		if it.op == proto.OpCloseSession {
			c.handOver()
			it.client.CloseAfter()
		}
	}
}

// settle counts a write as answered that has no reply. last tells that the connection ends.
func (c *committer) settle(cl *Client, last bool) {
	c.handOver()
	cl.mu.Lock()
	cl.answered(1)
	if last && !cl.closed {
		cl.last = true
		c.touch(cl)
	}
	cl.mu.Unlock()
}

func (c *committer) reply(it *item, code proto.Code) {
	r, latency := &c.row, c.now.Sub(c.e.began)-it.when
	if r.client != it.client || r.op != it.op || r.latency != latency {
		c.handOver()
		r.client, r.op, r.latency = it.client, it.op, latency
	}
	r.n++
	r.xid, r.zxid = it.xid, c.e.Tree.Zxid()
	r.begin()
	r.header(r.xid, r.zxid, code)
	if code == proto.OK {
		r.buf = c.body(r.buf, it.op)
	}
	r.end()
	c.sizes.note(len(r.buf) - r.frame)
}

// handOver puts the row into its client's outbox.
func (c *committer) handOver() {
	r := &c.row
	if r.n == 0 {
		return
	}
	cl, bytes := r.client, len(r.buf)
	cl.mu.Lock()
	cl.answered(r.n)
	if cl.closed {
		r.buf = r.buf[:0]
	} else {
		cl.join(&r.frames)
		cl.Stats.answered(r.op, r.xid, r.zxid, int64(r.n), r.latency, c.now)
	}
	cl.mu.Unlock()
	c.tally(r.op, r.latency, r.n, bytes)
	c.touch(cl)
	r.client, r.n = nil, 0
}

// tally adds n replies that together are so many bytes long to the run.
func (c *committer) tally(op proto.Op, latency time.Duration, n, bytes int) {
	if c.run.op != op || c.run.latency != latency {
		c.count()
		c.run.op, c.run.latency = op, latency
	}
	c.run.n += n
	c.run.bytes += bytes
}

// count adds the run so far to the counters.
func (c *committer) count() {
	if n := int64(c.run.n); n > 0 {
		c.e.Metrics.answered(c.run.op, n, c.run.bytes)
		c.e.Metrics.Writes.Add(n, c.run.latency)
	}
	c.run = run{}
}
