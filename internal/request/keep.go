package request

import (
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
)

// A leader that gives its role away in an orderly way decides nothing new (Hold),
// until all that it has proposed is committed. So whatever a client has asked for and
// was not answered then was not done, and never will be: members keep the connections
// of their clients (Pause), and ask the next leader for it (Lead, Follow).
//
// A session must not go on at two members: its client may have left one, which does
// not know so far. The old leader knows who has which session, since it decides about
// that, too, and members keep those alone that it names.

// Hold keeps a leader from deciding anything new: what was not proposed is not, and
// sessions do not move, until Proceed or until the role changes. When Hold returns,
// the ensemble has all that was decided. It is false if this member does not lead.
func (e *Engine) Hold() (term uint64, ok bool) {
	p, f := &e.pipe, &e.pipe.flight
	f.mu.Lock()
	if f.role.Load() != leading {
		f.mu.Unlock()
		return 0, false
	}
	term = f.number
	p.hold()
	f.mu.Unlock()
	p.term.Lock() // the writer has proposed what it had taken
	defer p.term.Unlock()
	return term, true
}

// hold counts one more who wants nothing to be decided. The flight's lock is held.
func (p *pipeline) hold() {
	p.flight.holds++
	p.queue.hold(true)
}

// Proceed ends a Hold of this term, unless that is over.
func (e *Engine) Proceed(term uint64) {
	f := &e.pipe.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.number == term {
		e.pipe.proceed()
	}
}

// proceed undoes hold. The flight's lock is held.
func (p *pipeline) proceed() {
	f := &p.flight
	if f.holds--; f.holds > 0 {
		return
	}
	for _, ask := range f.withheld {
		ask()
	}
	f.withheld = nil
	f.tell()
	p.queue.hold(false)
}

// holdForConfig lets nothing be proposed behind a configuration that is proposed now:
// it may give the lead away. The writer calls it.
func (p *pipeline) holdForConfig() {
	f := &p.flight
	f.mu.Lock()
	if f.role.Load() == leading && !f.config {
		f.config = true
		p.hold()
	}
	f.mu.Unlock()
	p.queue.giveBack(p.taken[p.next:])
	clear(p.taken)
	p.taken, p.next = p.taken[:0], 0
}

// ConfigSettled goes on behind a configuration that is in force, and under which this
// member leads.
func (e *Engine) ConfigSettled() {
	f := &e.pipe.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.config {
		f.config = false
		e.pipe.proceed()
	}
}

// Owned are the sessions of this leader by whom their clients are connected to.
func (e *Engine) Owned() map[session.Owner][]int64 { return e.Sessions.ByOwner() }

// Pause takes nothing any more, and keeps those clients until Lead, Follow or Rest
// about whose requests everything is known: owned names their sessions to a learner,
// as the leader did that has left in an orderly way; it is nil for that leader itself.
// Kept tells them from others, whose connections the caller ends. It is called like
// Commit, behind all that the leader has committed.
//
// It is false if there is anything that may or may not be done later, and changes
// nothing then.
func (e *Engine) Pause(owned func(id int64) bool) bool {
	p, f := &e.pipe, &e.pipe.flight
	p.term.Lock()
	defer p.term.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r := f.role.Load(); {
	case r == leading && owned == nil && f.holds > 0 && f.led.len() == 0:
	case r == following && owned != nil:
	default:
		return false
	}
	was := f.number
	f.turn(between)
	e.mu.Lock()
	clear(e.left)
	for _, c := range e.clients {
		if c.kept = c.role.Load() == was && e.keeps(c, owned); c.kept {
			c.role.Store(f.number)
		}
	}
	e.mu.Unlock()
	p.queue.park(func(s *submission) bool { return s.client != nil && s.client.kept })
	return true
}

// keeps tells whether a client can be kept: one whose session is surely its own, or
// who waits for one that nobody else can know.
func (e *Engine) keeps(c *Client, owned func(id int64) bool) bool {
	s := c.Session
	if c.ReadOnly || s.Local() || e.pipe.flight.unsure(s.ID()) {
		return false
	}
	c.mu.Lock()
	closed, opened := c.closed, c.Stats.session != 0
	c.mu.Unlock()
	_, live := e.Live[s.ID()]
	switch {
	case closed:
		return false
	case !opened && !live:
		return true
	case owned == nil:
		return s.Owner() == LocalOwner && !s.Closing()
	}
	return owned(s.ID())
}

// unsure tells whether a write of a session waits that cannot be forwarded again. The
// lock is held.
func (f *flight) unsure(id int64) bool {
	w := f.local[id]
	if w == nil {
		return false
	}
	for _, x := range w.items[w.first:] {
		if x.lost {
			return true
		}
	}
	return false
}

// Kept tells whether a client's connection goes on, behind Pause.
func (e *Engine) Kept(c *Client) bool {
	f := &e.pipe.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	return c.kept
}

// keptClients are those that a new role goes on with, and their sessions. They are
// kept no more. The flight's lock is held.
func (e *Engine) keptClients() (list []*Client, sessions map[int64]bool) {
	if e.pipe.flight.role.Load() != between {
		return nil, nil
	}
	sessions = make(map[int64]bool)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.clients {
		if c.kept {
			c.kept, c.told = false, -1 // so that the next leader hears of it soon
			list = append(list, c)
			sessions[c.Session.ID()] = true
		}
	}
	return list, sessions
}

// goesOn tells whether a write of a client that was kept is still wanted. The flight's
// lock is held, and the role is the new one.
func (f *flight) goesOn(c *Client) bool {
	if c == nil || c.role.Load() != f.number {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closed
}

// forwardAgain forwards the writes that wait for the next leader. The flight's lock
// is held.
func (p *pipeline) forwardAgain() {
	f := &p.flight
	before := f.local
	f.forget()
	for _, w := range before {
		for w.len() > 0 {
			x := *w.head()
			w.drop()
			if !f.goesOn(x.client) {
				p.inFlight.Add(-1)
				continue
			}
			p.line(x.client, []Request{{Xid: x.xid, Op: x.op, Body: x.body}}, x.when)
		}
	}
	parked := p.queue.unpark()
	for _, s := range parked {
		if f.goesOn(s.client) {
			reqs := s.asked()
			p.inFlight.Add(int64(len(reqs)))
			p.line(s.client, reqs, s.when.Sub(p.e.began))
		}
	}
	p.sendLine()
	for _, s := range parked { // what was forwarded is copied by now
		s.recycle()
	}
}

// asked are the requests of a submission that were not prepared.
func (s *submission) asked() []Request {
	if s.own != nil {
		return []Request{openRequest(s.client)}
	}
	return s.reqs[s.done:]
}

// openRequest is what a learner asks its leader for to open a client's session.
func openRequest(c *Client) Request {
	return Request{Op: proto.OpCreateSession, Body: jute.AppendInt(nil, c.Session.Timeout())}
}

// again makes submissions of the writes that wait, for this member leads now. The
// flight's lock is held.
func (p *pipeline) again() (list []*submission) {
	f := &p.flight
	for _, w := range f.local {
		for ; w.len() > 0; w.drop() {
			x := w.head()
			p.inFlight.Add(-1)
			if f.goesOn(x.client) {
				list = append(list, p.submission(x))
			}
		}
	}
	return list
}

// submission is a write that waited for a leader, for this member's own writer.
func (p *pipeline) submission(x *waiting) *submission {
	if x.op == proto.OpCreateSession {
		return p.e.change(x.client, x.op, x.session, opens(x.client))
	}
	r := Request{Xid: x.xid, Op: x.op, Body: x.body}
	return &submission{client: x.client, reqs: []Request{r}, size: len(x.body), when: p.e.began.Add(x.when)}
}

// await waits while a client that is kept has no leader. It is true if there is one:
// what was refused is to be tried again.
func (e *Engine) await(c *Client) bool {
	f := &e.pipe.flight
	for !leaving(c.Gone) {
		f.mu.Lock()
		r, mine, changed := f.role.Load(), c.role.Load() == f.number, f.changed
		f.mu.Unlock()
		switch {
		case !mine:
			return false
		case r != between:
			return r == leading || r == following
		}
		select {
		case <-changed:
		case <-c.Gone:
		}
	}
	return false
}

// leaving tells whether a connection is to end.
func leaving(gone <-chan struct{}) bool {
	select {
	case <-gone:
		return true
	default:
		return false
	}
}

// follows tells whether this member follows a leader, and has since the client came.
func (f *flight) follows(c *Client) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.role.Load() == following && c.role.Load() == f.number
}
