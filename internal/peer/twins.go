package peer

import (
	"slices"
	"time"

	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/zab"
)

// twin is a learner that comes while another connection of the same member is alive: most likely two servers run with one
// number in their myid. If each of them threw the other one out, both would come again at once, for ever. So the second one
// waits until the first one is gone. A member that has come back waits for no longer than its old connection seems alive.
type twin struct {
	conn, first *link.Conn
	since       time.Duration
	told        bool
}

// quiet is how long nothing may come from a learner that is alive: it answers a ping every half tick.
func (l *loop) quiet() time.Duration { return l.p.cfg.Tick * 3 / 2 }

// doubtful is how long twins are together before it is told of: the old connection of a member that comes back ends sooner.
func (l *loop) doubtful() time.Duration { return 2 * l.p.cfg.Tick }

// twinOf is the live connection of another learner with the number of c, nil if there is none.
func (l *loop) twinOf(c *link.Conn) *link.Conn {
	for _, o := range l.conns {
		if o != c && !o.Dialled() && contactOf(o).sid == contactOf(c).sid && contactOf(o).waits == nil && l.now-contactOf(o).heard < l.quiet() {
			return o
		}
	}
	return nil
}

// keepWaiting has c wait if it has a live twin; batch begins with what it has said about itself.
func (l *loop) keepWaiting(c *link.Conn, batch []link.Packet) bool {
	first := l.twinOf(c)
	if first == nil {
		return false
	}
	contactOf(c).waits = &waiting{}
	l.twins = append(l.twins, &twin{conn: c, first: first, since: l.now})
	l.received(c, batch, nil)
	return true
}

// lookAtTwins lets in who has waited for a connection that is not alive, and tells of the others.
func (l *loop) lookAtTwins() {
	for _, t := range slices.Clone(l.twins) {
		switch k := contactOf(t.first); {
		case l.now-k.heard >= l.quiet():
			l.letIn(t)
		case !t.told && l.now-t.since >= l.doubtful():
			t.told = true
			if at, ok := l.toldOfTwins[k.sid]; ok && l.now-at < aloneAgain {
				continue
			}
			l.toldOfTwins[k.sid] = l.now
			l.p.log.Warn("two servers run as one member: stop one, or give it a myid and a server.N line of its own; the second one is not let in as long as the first one is there",
				"sid", k.sid, "first", t.first.RemoteAddr().String(), "second", t.conn.RemoteAddr().String())
		}
	}
}

// letIn lets a twin take the place of the first one.
func (l *loop) letIn(t *twin) {
	l.twins = slices.DeleteFunc(l.twins, func(o *twin) bool { return o == t })
	l.goOn(t.conn)
}

// twinGone looks after the twins of a connection that has ended, and forgets it if it is one.
func (l *loop) twinGone(c *link.Conn) {
	l.twins = slices.DeleteFunc(l.twins, func(t *twin) bool { return t.conn == c })
	for _, t := range slices.Clone(l.twins) {
		if t.first == c {
			l.letIn(t)
		}
	}
}

// twinsDue is at, or when there is something to do for twins if that is sooner.
func (l *loop) twinsDue(at time.Duration) time.Duration {
	for _, t := range l.twins {
		at = min(at, contactOf(t.first).heard+l.quiet())
		if !t.told {
			at = min(at, t.since+l.doubtful())
		}
	}
	return at
}

// noteLeaderOf notes whom a member follows, or that it has no leader.
func (l *loop) noteLeaderOf(n *zab.Notification) {
	if _, member := l.p.members.Load().election[n.Sid]; !member || n.State == zab.Looking {
		delete(l.follows, n.Sid)
		return
	}
	l.follows[n.Sid] = n.Leader
}

// followsTwin tells whether a member has said that it follows a server with this one's number.
func (l *loop) followsTwin(sid int64) bool {
	leader, ok := l.follows[sid]
	return ok && leader == l.p.cfg.ID
}
