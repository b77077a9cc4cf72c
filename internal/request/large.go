package request

import (
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/watch"
)

// largeList is from how many children on a list is encoded from a frozen view:
// under the tree's lock, a million names would keep writers out for a tenth of
// a second.
const largeList = 20_000

// isLarge tells whether a request asks for a large list. The tree's lock is
// held.
func (r *reader) isLarge(q *Request) bool {
	if q.Op != proto.OpGetChildren && q.Op != proto.OpGetChildren2 {
		return false
	}
	d := jute.NewDecoder(q.Body)
	n := r.t.Find(d.AliasString())
	return n != 0 && r.t.NumChildren(n) > largeList
}

// readLarge answers a request for a large list. The tree and the outbox are free
// while it is encoded: events of later changes are kept until the reply is in
// the outbox, so that none comes before it.
func (e *Engine) readLarge(c *Client, q *Request, when time.Time) {
	e.Tree.Lock()
	r := e.reader(c)
	r.refusal = c.Session.Check(LocalOwner)
	d := jute.NewDecoder(q.Body)
	path, watched := nodePath(&d), d.Bool()
	code := r.refusal
	if code == proto.OK && d.Err() != nil {
		code = proto.MarshallingError
	}
	n, found := r.find(path, proto.PermRead)
	if code == proto.OK {
		code = found
	}
	view := e.Tree.Freeze()
	var stat proto.Stat
	children := 0
	if code == proto.OK {
		stat, children = e.Tree.Stat(n), e.Tree.NumChildren(n)
		if watched {
			e.Watches.Add(c.Watcher, path, watch.Child)
		}
	}
	mine := c.detach()
	e.Tree.Unlock()
	start := len(mine.buf)
	mine.begin()
	mine.header(q.Xid, r.zxid, code)
	if code == proto.OK {
		from := len(mine.buf)
		mine.buf = view.AppendChildren(mine.buf, n)
		r.visits.add(path, namesLen(len(mine.buf)-from, children)+proto.StatLen)
		if q.Op == proto.OpGetChildren2 {
			mine.buf = stat.Append(mine.buf)
		}
	}
	mine.end()
	bytes := len(mine.buf) - start
	c.attach(mine)
	view.Close()
	r.sizes.note(bytes)
	r.account([]Request{*q}, when, bytes)
}

// detach takes the frames out of the outbox, for the connection's goroutine to
// append to them without the lock. The client has no writes in flight: all that
// others put into the outbox until attach are events.
func (o *Outbox) detach() *frames {
	o.mu.Lock()
	defer o.mu.Unlock()
	mine := &frames{buf: o.buf}
	o.buf, o.detached = nil, true
	return mine
}

// attach puts back what detach took out, and behind it what came meanwhile. The
// lock is held for no copying, for the writer wants it.
func (o *Outbox) attach(mine *frames) {
	for {
		o.mu.Lock()
		if len(o.later) == 0 || o.closed {
			break
		}
		later := o.later
		o.later = nil
		o.mu.Unlock()
		mine.buf = append(mine.buf, later...)
	}
	if !o.closed {
		o.buf = mine.buf
	}
	o.detached = false
	o.mu.Unlock()
}
