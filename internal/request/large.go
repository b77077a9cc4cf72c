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

// readLarge answers a request for a large list. Between freezing the tree and
// the end of the reply nothing is put into the outbox, so that no event of a
// later change comes before the reply; the tree itself is free meanwhile.
func (e *Engine) readLarge(c *Client, q *Request, when time.Time) {
	e.Tree.Lock()
	r := reader{e: e, c: c, t: e.Tree, zxid: e.Tree.Zxid(), refusal: c.Session.Check(LocalOwner)}
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
	if code == proto.OK {
		stat = e.Tree.Stat(n)
		if watched {
			e.Watches.Add(c.Watcher, path, watch.Child)
		}
	}
	c.mu.Lock()
	e.Tree.Unlock()
	start := len(c.buf)
	if !c.closed {
		c.begin()
		c.header(q.Xid, r.zxid, code)
		if code == proto.OK {
			c.buf = view.AppendChildren(c.buf, n)
			if q.Op == proto.OpGetChildren2 {
				c.buf = stat.Append(c.buf)
			}
		}
		c.end()
	}
	bytes := len(c.buf) - start
	c.mu.Unlock()
	view.Close()
	r.sizes.note(bytes)
	r.account([]Request{*q}, when, bytes)
}
