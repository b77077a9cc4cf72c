package zabsim

import (
	"bytes"
	"slices"

	"github.com/quollhq/quoll/internal/zab"
	"github.com/quollhq/quoll/internal/zab/quorum"
)

// committed is what the ensemble has agreed on, as the checker knows it from
// outside: the transactions that any server took as committed, in order.
type committed struct {
	log []zab.Entry
	// by are the quorum systems that each one was committed by.
	by []quorum.System
	// leaders are who led each epoch, and how much was committed when it began to.
	leaders map[int64]term
}

type term struct {
	leader int64
	before int
}

func equal(a, b zab.Entry) bool { return a.Zxid == b.Zxid && bytes.Equal(a.Data, b.Data) }

// apply is a server's state machine.
func (s *server) apply(part []zab.Entry) {
	w := s.w
	for _, e := range part {
		i := len(s.state)
		s.state = append(s.state, e)
		switch {
		case i < len(w.agreed.log) && !equal(w.agreed.log[i], e):
			w.fail("server %d applies %s as number %d, which is %s elsewhere", s.id, text(e.Zxid), i, text(w.agreed.log[i].Zxid))
		case i > len(w.agreed.log):
			w.fail("server %d applies %s after %s, which was not committed", s.id, text(e.Zxid), text(s.state[i-1].Zxid))
		case i == len(w.agreed.log):
			w.agree(s, e)
		}
		if w.err != nil {
			return
		}
	}
}

// agree takes a transaction as committed: it must be on the disks of a quorum.
func (w *world) agree(s *server, e zab.Entry) {
	i := len(w.agreed.log)
	w.agreed.log = append(w.agreed.log, e)
	w.agreed.by = append(w.agreed.by, s.peer.Active().Quorum)
	if w.tracing() {
		w.trace("server %d is the first that commits %s", s.id, text(e.Zxid))
	}
	if !w.onDisks(i, nil) && !w.opts.Consequences {
		w.fail("server %d commits %s, which is not on the disks of a quorum", s.id, text(e.Zxid))
	}
}

// onDisks tells whether a committed transaction is on the disks of a quorum that
// can do without one server.
func (w *world) onDisks(i int, without *server) bool {
	return w.agreed.by[i].Contains(func(id int64) bool {
		o := w.server(id)
		return o != nil && o != without && i < len(o.disk.log) && equal(o.disk.log[i], w.agreed.log[i])
	})
}

// changed takes note of what a server has become.
func (w *world) changed(s *server, st zab.Status) {
	s.status = st
	if w.tracing() {
		w.trace("server %d: %v, %v, leader %d, epoch %d %s", s.id, st.State, st.Phase, st.Leader, st.Epoch, st.Reason)
	}
	if !st.Serving() {
		s.syncs, s.askers = nil, nil // their answers would have come by the connection that it gives up
		return
	}
	if w.err != nil {
		return
	}
	if s.differs {
		w.fail("server %d serves with a state that was found to differ", s.id)
	}
	w.serves(s, st)
}

// leads checks a leader at the moment when it begins to lead.
func (w *world) leads(s *server, epoch int64) {
	w.terms++
	if t, ok := w.agreed.leaders[epoch]; ok {
		w.fail("server %d leads epoch %d, which server %d leads", s.id, epoch, t.leader)
		return
	}
	for i, e := range w.agreed.log {
		if i >= len(s.state) && e.Zxid>>32 > epoch {
			break // it is late: others lead a later epoch by now, which has all of this one's history
		}
		if i >= len(s.state) || !equal(s.state[i], e) {
			w.fail("server %d leads epoch %d without %s, which was committed", s.id, epoch, text(e.Zxid))
			return
		}
	}
	for i := len(w.agreed.log); i < len(s.state); i++ {
		w.agree(s, s.state[i])
	}
	w.agreed.leaders[epoch] = term{s.id, len(s.state)}
}

// serves checks a server at the moment when it lets clients in.
func (w *world) serves(s *server, st zab.Status) {
	t, ok := w.agreed.leaders[st.Epoch]
	switch {
	case !ok:
		w.fail("server %d serves in epoch %d, which nobody leads", s.id, st.Epoch)
	case len(s.state) < t.before:
		w.fail("server %d serves with %d transactions, and epoch %d began with %d", s.id, len(s.state), st.Epoch, t.before)
	case len(s.state) > len(w.agreed.log):
		w.fail("server %d serves with %s, which was not committed", s.id, text(lastOf(s.state)))
	}
	if w.err != nil {
		return
	}
	for i, e := range s.state {
		if !equal(e, w.agreed.log[i]) {
			w.fail("server %d serves with %s as number %d, which is %s elsewhere", s.id, text(e.Zxid), i, text(w.agreed.log[i].Zxid))
			return
		}
	}
}

// refused takes note of a message that breaks the protocol. Members that all run
// this code never send one.
func (w *world) refused(s *server, m *zab.Message, err error) {
	w.trace("server %d refuses %v %s: %v", s.id, m.Type, text(m.Zxid), err)
	if !w.opts.Consequences {
		w.fail("server %d refuses %v %s: %v", s.id, m.Type, text(m.Zxid), err)
	}
}

// checkMessage sees that nothing is said that the disk does not hold.
func (w *world) checkMessage(s *server, m *zab.Message) {
	d := &s.disk
	if w.opts.Consequences {
		return
	}
	epoch := m.Zxid >> 32
	switch m.Type {
	case zab.FollowerInfo, zab.ObserverInfo, zab.LeaderInfo, zab.AckEpoch:
		if m.Type == zab.AckEpoch {
			if slices.ContainsFunc(append(d.batch, d.queue...), func(o zab.Write) bool { return o.Kind == zab.WriteAccepted }) {
				w.fail("server %d promises an epoch that is not on its disk", s.id)
			}
			if m.Zxid != lastOf(d.log) && !(w.opts.Resyncs && m.Zxid == -1) {
				w.fail("server %d says that its log ends with %s, and on its disk it ends with %s", s.id, text(m.Zxid), text(lastOf(d.log)))
			}
			return
		}
		if d.accepted < epoch {
			w.fail("server %d sends %v of epoch %d, and %d is on its disk", s.id, m.Type, epoch, d.accepted)
		}
	case zab.Ack:
		if m.Zxid&0xffffffff == 0 {
			if d.current < epoch {
				w.fail("server %d acknowledges epoch %d, and %d is on its disk", s.id, epoch, d.current)
			}
			return
		}
		if _, ok := place(d.log, m.Zxid); !ok {
			w.fail("server %d acknowledges %s, which is not on its disk", s.id, text(m.Zxid))
		}
	}
}

// checkVote sees that a vote for oneself tells of what is on the disk.
func (w *world) checkVote(s *server, b *zab.Ballot) {
	d := &s.disk
	if b.State != zab.Looking || b.Leader != s.id || w.opts.Consequences {
		return
	}
	if b.Zxid != lastOf(d.log) || b.PeerEpoch != max(d.current, lastOf(d.log)>>32) {
		w.fail("server %d votes with %s of epoch %d, and its disk has %s of epoch %d", s.id, text(b.Zxid), b.PeerEpoch, text(lastOf(d.log)), d.current)
	}
}

// checkCut sees that nothing committed is cut from a log, unless a quorum of
// others has it: a leader cuts what a returning follower has beyond its last
// commit, and sends it again, and may have committed it in between without
// counting that follower.
func (w *world) checkCut(s *server, zxid int64) { w.checkReplace(s, upTo(s.log, zxid)) }

// checkReplace is checkCut for what replaces a log.
func (w *world) checkReplace(s *server, by []zab.Entry) {
	for i := min(len(s.log), len(w.agreed.log)) - 1; i >= len(by); i-- {
		if equal(s.log[i], w.agreed.log[i]) && !w.onDisks(i, s) {
			w.fail("server %d shall give up %s, which was committed and is not on the disks of a quorum of others", s.id, text(s.log[i].Zxid))
			return
		}
	}
	for i := range min(len(s.log), len(w.agreed.log), len(by)) {
		if equal(s.log[i], w.agreed.log[i]) && !equal(by[i], s.log[i]) {
			w.fail("server %d shall give up %s, which was committed, for %s", s.id, text(s.log[i].Zxid), text(by[i].Zxid))
			return
		}
	}
}

// checkSync sees that a learner whose sync is answered has applied what was committed before it asked.
func (w *world) checkSync(s *server) {
	n := s.syncs[0]
	s.syncs = s.syncs[1:]
	w.readsConfirmed++
	if n > 0 && lastOf(s.state) < w.agreed.log[n-1].Zxid {
		w.fail("server %d is in sync at %s, and %s was committed before it asked", s.id, text(lastOf(s.state)), text(w.agreed.log[n-1].Zxid))
	}
}

// checkRead sees that a confirmed read sees what was committed before it was asked for.
func (w *world) checkRead(s *server, r zab.Read) {
	n, ok := s.reads[r.Token]
	delete(s.reads, r.Token)
	if !r.OK || !ok {
		return
	}
	w.readsConfirmed++
	if n > 0 && r.Zxid < w.agreed.log[n-1].Zxid {
		w.fail("server %d confirms a read at %s, and %s was committed before it was asked for", s.id, text(r.Zxid), text(w.agreed.log[n-1].Zxid))
	}
}
