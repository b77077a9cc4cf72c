package zabsim

import (
	"slices"
	"time"

	"github.com/quollhq/quoll/internal/zab"
)

// faultNames are the faults that a world may know.
var faultNames = []string{"crash", "split", "one way", "isolate", "break link", "pause", "slow disk", "clock", "hand over", "restart all"}

// begin starts everything, and what keeps going.
func (w *world) begin() {
	for _, s := range w.servers {
		w.after(w.r.between(1, 50*time.Millisecond), func() { s.start() })
	}
	w.keepWriting()
	w.keepFailing()
	if w.draw.reconfig {
		w.keepReconfiguring()
	}
}

// leading is a server that thinks that it leads; there may be several.
func (w *world) leading() *server {
	first := w.r.IntN(len(w.servers))
	for i := range w.servers {
		s := w.servers[(first+i)%len(w.servers)]
		if s.peer != nil && s.status.State == zab.Leading && s.status.Serving() {
			return s
		}
	}
	return nil
}

func (w *world) keepWriting() {
	w.after(w.r.between(1, 2*w.draw.writeEvery), func() {
		if !w.faulty {
			return
		}
		if s := w.leading(); s != nil {
			for range 1 + w.r.IntN(3) {
				s.propose(nil)
			}
			if w.r.chance(0.2) {
				w.askRead(s)
				if w.opts.Syncs {
					w.askSyncs()
				}
			}
		}
		w.keepWriting()
	})
}

// askRead asks a leader to confirm a read.
func (w *world) askRead(s *server) {
	w.nextToken++
	token := w.nextToken
	w.on(s, "read", func(p *zab.Peer) {
		s.reads[token] = len(w.agreed.log)
		p.ConfirmRead(token)
	})
}

// askSyncs has every learner ask its leader for a sync.
func (w *world) askSyncs() {
	for _, s := range w.servers {
		w.on(s, "sync", func(p *zab.Peer) {
			n := len(w.agreed.log)
			if p.Forward(&zab.Message{Type: zab.Request}) {
				s.syncs, s.askers = append(s.syncs, n), append(s.askers, 0)
			}
		})
	}
}

func (w *world) keepFailing() {
	w.after(w.r.between(1, 2*w.draw.faultEvery), func() {
		if !w.faulty {
			return
		}
		if len(w.draw.faults) > 0 {
			w.strike(w.draw.faults[w.r.IntN(len(w.draw.faults))])
		}
		if w.opts.Resyncs && w.r.chance(0.3) {
			w.strike("differing state")
		}
		w.keepFailing()
	})
}

// strike brings a fault about, and plans its end.
func (w *world) strike(name string) {
	s := w.servers[w.r.IntN(len(w.servers))]
	if l := w.leading(); l != nil && w.r.chance(0.4) {
		s = l
	}
	w.faults[name]++
	w.trace("fault: %s (%d)", name, s.id)
	switch name {
	case "crash":
		w.crash(s)
	case "split":
		w.split()
	case "one way":
		w.oneWay(s)
	case "isolate":
		for _, o := range w.servers {
			w.block(s, o, o != s)
			w.block(o, s, o != s)
		}
		w.healLater()
	case "break link":
		w.breakLink(s)
	case "pause":
		w.pause(s)
	case "slow disk":
		w.stall(s)
	case "clock":
		s.offset += w.r.between(time.Millisecond, 3*time.Second)
	case "hand over":
		w.on(s, "hand over", func(p *zab.Peer) {
			_ = p.HandOver(nil, false) // refused by all but leaders
		})
	case "differing state":
		w.on(s, "its state differs", func(p *zab.Peer) {
			s.differs = true
			p.Resync("its state differs")
		})
	case "restart all":
		if w.r.chance(0.3) {
			for _, o := range w.servers {
				w.crash(o)
			}
		}
	}
}

func (w *world) crash(s *server) {
	if s.peer == nil {
		return
	}
	s.stop(w.draw.notices)
	w.after(w.r.between(time.Millisecond, 2*time.Second), func() { w.comeBack(s) })
}

func (w *world) comeBack(s *server) {
	if s.peer == nil && w.err == nil {
		s.start()
		w.reconnect(s)
	}
}

func (w *world) block(from, to *server, on bool) { w.blocked[from.index][to.index] = on }

func (w *world) split() {
	side := make([]bool, len(w.servers))
	for i := range side {
		side[i] = w.r.chance(0.5)
	}
	for _, a := range w.servers {
		for _, b := range w.servers {
			w.block(a, b, side[a.index] != side[b.index])
		}
	}
	w.healLater()
}

func (w *world) oneWay(s *server) {
	incoming := w.r.chance(0.5)
	for _, o := range w.servers {
		if o != s && w.r.chance(0.7) {
			if incoming {
				w.block(o, s, true)
			} else {
				w.block(s, o, true)
			}
		}
	}
	w.healLater()
}

func (w *world) healLater() {
	w.after(w.r.between(10*time.Millisecond, 2500*time.Millisecond), w.healNet)
}

func (w *world) healNet() {
	for i := range w.blocked {
		clear(w.blocked[i])
	}
	w.trace("the network is whole")
	w.reconnect(nil)
}

func (w *world) breakLink(s *server) {
	conns := s.sortedConns()
	if len(conns) == 0 {
		return
	}
	c := conns[w.r.IntN(len(conns))]
	for side := range c.ends {
		if w.r.chance(0.8) {
			w.hangUp(c, side)
		}
	}
}

func (w *world) pause(s *server) {
	if s.peer == nil || s.paused {
		return
	}
	s.paused = true
	life := s.life
	w.after(w.r.between(10*time.Millisecond, 2*time.Second), func() {
		if s.life == life {
			w.resumeProcess(s)
		}
	})
}

func (w *world) resumeProcess(s *server) {
	if !s.paused {
		return
	}
	s.paused = false
	held := s.held
	s.held = nil
	for _, do := range held {
		do()
	}
}

func (w *world) stall(s *server) {
	s.disk.stalled = true
	w.after(w.r.between(5*time.Millisecond, time.Second), func() {
		s.disk.stalled = false
		if s.peer != nil {
			s.sync()
		}
	})
}

// syncFailed ends a process whose disk fails: what was being written may be
// there or not.
func (w *world) syncFailed(s *server) {
	w.faults["failed sync"]++
	w.trace("fault: a sync of server %d fails", s.id)
	if w.opts.SyncFailureIgnored {
		batch := s.disk.batch
		s.disk.batch = nil
		s.released(batch)
		return
	}
	w.on(s, "failed sync", func(p *zab.Peer) { p.StoreFailed(errSync) })
	s.stop(w.draw.notices)
	w.after(w.r.between(time.Millisecond, time.Second), func() { w.comeBack(s) })
}

// keepReconfiguring changes the ensemble now and then.
func (w *world) keepReconfiguring() {
	w.after(w.r.between(50*time.Millisecond, time.Second), func() {
		if !w.faulty {
			return
		}
		if s := w.leading(); s != nil && s.peer.NextZxid() != 0 {
			w.faults["reconfiguration"]++
			s.propose(w.nextConfig(s.peer.Active()))
		}
		w.keepReconfiguring()
	})
}

// nextConfig changes one member's role or address, or takes it out or in; or it
// shuffles them all, so that quorums before and after need not have a member in common.
func (w *world) nextConfig(m *zab.Membership) *zab.Membership {
	if w.r.chance(0.4) {
		return w.shuffled(m)
	}
	next := &zab.Membership{Members: slices.Clone(m.Members)}
	id := int64(w.r.IntN(len(w.servers)) + 1)
	i := slices.IndexFunc(next.Members, func(s zab.Member) bool { return s.ID == id })
	voters := 0
	for _, s := range next.Members {
		if !s.Observer {
			voters++
		}
	}
	switch {
	case i < 0:
		next.Members = append(next.Members, zab.Member{ID: id, Addr: "a"})
	case next.Members[i].Observer:
		next.Members[i].Observer = false
	case w.r.chance(0.2):
		next.Members[i].Addr += "a"
	case voters > 3 && w.r.chance(0.5):
		next.Members = slices.Delete(next.Members, i, i+1)
	case voters > 2:
		next.Members[i].Observer = true
	}
	slices.SortFunc(next.Members, func(a, b zab.Member) int { return int(a.ID - b.ID) })
	return next
}

// shuffled gives every server a new role, or none.
func (w *world) shuffled(m *zab.Membership) *zab.Membership {
	next, voters := &zab.Membership{}, 0
	for _, s := range w.servers {
		s := zab.Member{ID: s.id, Addr: "a", Observer: w.r.chance(0.2)}
		if w.r.chance(0.3) {
			continue
		}
		if i := slices.IndexFunc(m.Members, func(o zab.Member) bool { return o.ID == s.ID }); i >= 0 {
			s.Addr = m.Members[i].Addr
		}
		if !s.Observer {
			voters++
		}
		next.Members = append(next.Members, s)
	}
	if voters < 2 {
		return m
	}
	return next
}

// heal ends all faults.
func (w *world) heal() {
	w.trace("all faults end")
	w.faulty = false
	w.healNet()
	for _, s := range w.servers {
		s.disk.stalled = false
		w.resumeProcess(s)
		if s.peer == nil {
			w.comeBack(s)
		} else {
			s.sync()
		}
	}
}

// recover demands progress: a leader that everybody follows, and writes that
// reach everybody.
func (w *world) recover() {
	end := w.now + 60*time.Second
	goal, terms := -1, 0
	for w.err == nil && w.now < end {
		if goal < 0 && w.settled() {
			goal, terms = len(w.agreed.log)+3, w.terms
			l := w.leading()
			for range 3 {
				l.propose(nil)
			}
		}
		if goal >= 0 && w.reached(goal) {
			return
		}
		if goal >= 0 && (!w.settled() || w.terms != terms) {
			goal = -1 // what was proposed may be lost with its leader
		}
		for until := w.now + 20*time.Millisecond; w.err == nil && w.next(until); {
		}
	}
	if w.err == nil {
		w.fail("no progress within %v of the end of all faults: %s", 60*time.Second, w.describe())
	}
}

// settled tells whether there is one leader, and everybody in its configuration
// is with it.
func (w *world) settled() bool {
	l := w.leading()
	if l == nil {
		return false
	}
	for _, m := range l.peer.Active().Members {
		s := w.server(m.ID)
		if s.peer == nil || !s.status.Serving() || s.status.Epoch != l.status.Epoch {
			return false
		}
		if s.status.Leader != l.id && !(w.opts.Masters && s.status.State == zab.Observing) {
			return false // a follower does not say to an observer who leads
		}
	}
	return l.peer.NextZxid() != 0
}

func (w *world) reached(goal int) bool {
	l := w.leading()
	if l == nil {
		return false
	}
	for _, m := range l.peer.Active().Members {
		if len(w.server(m.ID).state) < goal {
			return false
		}
	}
	return true
}
