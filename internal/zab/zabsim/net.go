package zabsim

import (
	"time"

	"github.com/quollhq/quoll/internal/zab"
)

// conn is a connection between a learner and a leader. Each direction keeps the
// order of its messages. An end can be gone without the other one knowing.
type conn struct {
	id   zab.Link
	ends [2]*end // the learner's, the leader's
}

type end struct {
	s      *server
	life   int
	open   bool
	queue  []timed // on the way to the other end
	moving bool    // the head of queue has its event
}

type timed struct {
	at  time.Duration
	msg *zab.Message
}

func (e *end) alive() bool { return e.open && e.s.peer != nil && e.s.life == e.life }

// connect brings a learner to its leader, if there is a way. Who asks for another
// connection meanwhile has given this one up, and does not hear of it.
func (w *world) connect(from *server, to int64) {
	life := from.life
	from.dials++
	dial := from.dials
	w.after(w.delay(), func() {
		if from.peer == nil || from.life != life || from.dials != dial {
			return
		}
		dest, fed := w.feeder(from, to)
		if dest == nil || dest.peer == nil || dest.paused || w.cut(from, dest) || w.cut(dest, from) ||
			!fed && dest.peer.Status().State != zab.Leading || fed && !dest.peer.Feeds() {
			w.on(from, "connect failed", func(p *zab.Peer) {
				if from.dials == dial {
					p.ConnectFailed()
				}
			})
			return
		}
		w.links++
		c := &conn{id: zab.Link(w.links)}
		c.ends[0] = &end{s: from, life: from.life, open: true}
		c.ends[1] = &end{s: dest, life: dest.life, open: true}
		from.conns[c.id], dest.conns[c.id] = c, c
		w.on(dest, "accepts", func(p *zab.Peer) { p.LinkUp(c.id) })
		w.on(from, "connected", func(p *zab.Peer) {
			if from.dials != dial {
				w.closeLink(from, c.id)
				return
			}
			p.Connected(c.id)
		})
	})
}

// feeder is whom a learner of a leader connects to: an observer any voter, at its
// port for observers, if followers feed them, and now and then the leader
// nevertheless.
func (w *world) feeder(s *server, leader int64) (dest *server, fed bool) {
	if !w.opts.Masters || s.peer.Status().State != zab.Observing || w.r.chance(0.2) {
		return w.server(leader), false
	}
	voters := s.peer.Active().Quorum.Voters()
	return w.server(voters[w.r.IntN(len(voters))]), true
}

func (c *conn) side(s *server) int {
	if c.ends[0].s == s {
		return 0
	}
	return 1
}

// transmit sends a message on a link.
func (w *world) transmit(s *server, link zab.Link, m *zab.Message) {
	c := s.conns[link]
	if c == nil || !c.ends[c.side(s)].alive() {
		return
	}
	e := c.ends[c.side(s)]
	e.queue = append(e.queue, timed{w.now + w.delay(), m})
	w.move(c, c.side(s))
}

// move plans the arrival of the next message of a direction.
func (w *world) move(c *conn, side int) {
	e := c.ends[side]
	if e.moving || len(e.queue) == 0 {
		return
	}
	e.moving = true
	w.after(e.queue[0].at-w.now, func() {
		e.moving = false
		w.arrive(c, side)
	})
}

// arrive delivers what is due. A direction that is cut holds its messages until
// it is healed; an end that is gone answers with a reset.
func (w *world) arrive(c *conn, side int) {
	from, to := c.ends[side], c.ends[1-side]
	if w.cut(from.s, to.s) || len(from.queue) == 0 {
		return
	}
	if !to.alive() {
		from.queue = nil
		if to.s.peer != nil || w.r.chance(0.3) {
			w.hangUp(c, side)
		}
		return
	}
	if to.s.paused {
		to.s.held = append(to.s.held, func() { w.arrive(c, side) })
		return
	}
	// What has arrived by now is read in one go.
	n := 0
	for n < len(from.queue) && from.queue[n].at <= w.now {
		n++
	}
	n = max(n, 1)
	due := from.queue[:n]
	from.queue = from.queue[n:]
	for len(due) > 0 {
		if !to.alive() || w.err != nil {
			return
		}
		var m *zab.Message
		m, due = together(due)
		w.deliver(to.s, c.id, m)
	}
	w.move(c, side)
}

// together takes the first message, and with it the COMMITs or ACKs that it is
// the first of, as those do who read from a connection.
func together(due []timed) (m *zab.Message, rest []timed) {
	m, rest = due[0].msg, due[1:]
	if m.Type != zab.Commit && m.Type != zab.Ack || uint32(m.Zxid) == 0 {
		return m, rest
	}
	for len(rest) > 0 && rest[0].msg.Type == m.Type && rest[0].msg.Zxid == m.Zxid+1 {
		m = &zab.Message{Type: m.Type, Zxid: m.Zxid + 1, Run: m.Run + 1}
		rest = rest[1:]
	}
	return m, rest
}

// hangUp tells an end that its connection is gone.
func (w *world) hangUp(c *conn, side int) {
	w.after(w.delay(), func() {
		e := c.ends[side]
		if !e.alive() {
			return
		}
		e.open = false
		delete(e.s.conns, c.id)
		w.on(e.s, "link lost", func(p *zab.Peer) { p.LinkDown(c.id) })
	})
}

// closeLink is a server's own wish. The other end hears of it if there is a way.
func (w *world) closeLink(s *server, link zab.Link) {
	c := s.conns[link]
	if c == nil {
		return
	}
	side := c.side(s)
	c.ends[side].open = false
	delete(s.conns, link)
	if !w.cut(s, c.ends[1-side].s) {
		// What was sent before still arrives first, most of the time.
		w.after(w.delay(), func() { w.hangUp(c, 1-side) })
	}
}

// ballots is the election's connection from one server to another.
type ballots struct {
	last    *zab.Notification // sent again whenever the connection is made anew
	due     time.Duration     // when the last one on the way arrives
	waiting bool              // last could not be sent so far
}

// ballot sends a vote. The newest one replaces those that could not be sent.
func (w *world) ballot(s *server, b zab.Ballot) {
	dest := w.server(b.To)
	if dest == nil {
		return
	}
	c := &w.votes[s.index][dest.index]
	n := b.Notification
	c.last = &n
	if w.cut(s, dest) || dest.peer == nil {
		c.waiting = true
		if dest.peer == nil && !w.cut(dest, s) && w.r.chance(w.draw.notices) {
			w.unreachable(s, dest)
		}
		return
	}
	c.waiting = false
	c.due = max(c.due, w.now+w.delay())
	from, to := s.life, dest.life
	w.after(c.due-w.now, func() {
		if dest.life != to || s.life != from || dest.peer == nil {
			return
		}
		if w.cut(s, dest) {
			c.waiting = true
			return
		}
		if w.tracing() {
			w.trace("server %d hears %d, %v: round %d, leader %d at %s of epoch %d", dest.id, s.id, n.State, n.Round, n.Leader, text(n.Zxid), n.PeerEpoch)
		}
		w.on(dest, "vote", func(p *zab.Peer) {
			p.Reachable(s.id, true)
			p.Notify(n)
		})
	})
}

func (w *world) unreachable(s, dest *server) {
	life := s.life
	w.after(w.delay(), func() {
		if s.life == life && s.peer != nil && dest.peer == nil {
			w.on(s, "unreachable", func(p *zab.Peer) { p.Reachable(dest.id, false) })
		}
	})
}

// reconnect sends the votes that are waiting, and for a server that came back
// the last ones again.
func (w *world) reconnect(back *server) {
	for _, s := range w.servers {
		for _, d := range w.servers {
			c := &w.votes[s.index][d.index]
			if s != d && s.peer != nil && c.last != nil && (c.waiting || d == back) {
				w.ballot(s, zab.Ballot{To: d.id, Notification: *c.last})
			}
		}
		w.resume(s)
	}
}

// resume moves on what was held by a cut.
func (w *world) resume(s *server) {
	for _, c := range s.sortedConns() {
		side := c.side(s)
		w.move(c, side)
	}
}

// cut tells whether nothing gets from one server to another.
func (w *world) cut(from, to *server) bool { return w.blocked[from.index][to.index] }

// delay is how long a message takes, mostly little.
func (w *world) delay() time.Duration {
	d := w.draw.delay
	if w.r.chance(0.05) {
		d *= 10
	}
	return time.Duration(w.r.Int64N(int64(d))) + 1
}
