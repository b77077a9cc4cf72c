package zab

import (
	"fmt"
	"slices"
)

// NextZxid is the number that the next proposal must have, 0 if this server
// cannot propose.
func (p *Peer) NextZxid() int64 {
	if p.canPropose() != nil {
		return 0
	}
	return p.leader.proposed + 1
}

func (p *Peer) canPropose() error {
	switch {
	case p.stopped != nil || p.state != Leading || !p.leader.established:
		return ErrNotLeading
	case p.leader.handingOver:
		return ErrHandingOver
	case counterOf(p.leader.proposed+1) == maxCounter:
		p.look("the epoch has no numbers left")
		return ErrEpochFull
	}
	return nil
}

// Propose puts transactions before the ensemble, and tells how many. The number of
// the first must be NextZxid, and one follows the other: who makes transactions
// has to know that beforehand. The proposals leave for the followers before this
// server's own disk has them; it counts itself only when it does. The entries,
// and the room behind them, are the peer's until Reuse.
func (p *Peer) Propose(entries ...Entry) (n int, err error) {
	for n < len(entries) {
		if err := p.canPropose(); err != nil {
			return n, err
		}
		if err := p.checkReconfig(entries[n]); err != nil {
			return n, err
		}
		end := n + 1
		for last := min(len(entries), n+p.numbersLeft()); end < last && entries[end].Config == nil; end++ {
		}
		run := entries[n:]
		if end < len(entries) {
			run = entries[n:end:end]
		}
		p.propose(run)
		n = end
	}
	return n, nil
}

// numbersLeft is how many proposals this epoch has numbers for.
func (p *Peer) numbersLeft() int { return int(maxCounter - 1 - counterOf(p.leader.proposed)) }

func (p *Peer) propose(run []Entry) {
	l := p.leader
	for i := range run {
		if run[i].Zxid != l.proposed+1 {
			bug("proposal %s is made, and %s is the next number", zxidText(run[i].Zxid), zxidText(l.proposed+1))
		}
		l.proposed = run[i].Zxid
		p.log.append(&run[i])
	}
	p.write(Write{Kind: WriteAppend, Entries: run})
	if p.faults.ackBeforeSync {
		l.acks[p.opts.ID] = l.proposed
	}
	for _, f := range l.learners {
		if f.forwarded && !f.observer {
			p.out.Sends = append(p.out.Sends, Send{Link: f.link, Msg: proposals, Each: run})
		}
	}
}

// What is the same in all messages of a run.
var (
	proposals = &Message{Type: Proposal}
	commits   = &Message{Type: Commit}
	informs   = &Message{Type: Inform}
)

// advance commits what quorums have on disk, in order.
func (p *Peer) advance() {
	l := p.leader
	if l == nil || !l.established {
		return
	}
	for !l.retired && p.log.applied < p.log.last {
		next := p.log.after(p.log.applied)[0]
		if !p.enough(next.Zxid) {
			break
		}
		if l.reconfigZxid != 0 {
			p.commit(next.Zxid)
			p.announceCommit(next)
			continue
		}
		from := len(p.out.Commit)
		p.commit(p.mostAgreed())
		p.announceCommits(p.out.Commit[from:len(p.out.Commit):len(p.out.Commit)])
	}
	p.releaseSyncs()
	p.finishHandOver()
	p.retire()
}

// mostAgreed is the last transaction that a quorum of the configuration in force
// has on disk. There is no other configuration.
func (p *Peer) mostAgreed() (zxid int64) {
	for _, has := range p.leader.acks {
		if z := min(has, p.log.last); z > zxid && p.enough(z) {
			zxid = z
		}
	}
	return zxid
}

// announceCommits tells the learners of committed transactions, none of which is a
// reconfiguration.
func (p *Peer) announceCommits(run []Entry) {
	for _, f := range p.feed().learners {
		switch {
		case f.forwarded && f.observer:
			p.out.Sends = append(p.out.Sends, Send{Link: f.link, Msg: informs, Each: run})
		case f.forwarded:
			p.out.Sends = append(p.out.Sends, Send{Link: f.link, Msg: commits, Each: run})
		}
	}
}

// enough tells whether a transaction is on enough disks: those of a quorum of the
// configuration in force, and, from a reconfiguration on, of the one that shall
// follow. Behind one that is committed a quorum of the new members is enough, also
// for what was proposed before: a later leader has the reconfiguration, which is
// on a quorum of the old members' disks, and so it needs a quorum of the new ones,
// of whom one has the transaction. To go on asking the old ones could be in vain:
// those without a vote acknowledge nothing any more.
func (p *Peer) enough(zxid int64) bool {
	l := p.leader
	has := func(id int64) bool { return l.acks[id] >= zxid }
	switch {
	case !p.view.active.Quorum.Contains(has):
		return false
	case l.reconfigZxid != 0 && zxid >= l.reconfigZxid && !p.view.lastSeen.Quorum.Contains(has) && !p.faults.reconfigByOld:
		return false
	}
	return true
}

// announceCommit tells the learners of a committed transaction.
func (p *Peer) announceCommit(e Entry) {
	follow := &Message{Type: Commit, Zxid: e.Zxid}
	var observe *Message // made for the first observer
	if e.Config != nil && e.Zxid == p.leader.reconfigZxid {
		next := p.designate(p.view.lastSeen)
		follow = &Message{Type: CommitAndActivate, Zxid: e.Zxid, Designated: next}
		observe = &Message{Type: InformAndActivate, Zxid: e.Zxid, Entry: e, Designated: next}
		p.leader.reconfigZxid = 0
		if next != p.opts.ID {
			p.sayFarewell()
		}
		p.leader.farewell = nil
		p.activateAsLeader(p.view.lastSeen, next)
	}
	for _, f := range p.leader.learners {
		switch {
		case f.forwarded && f.observer:
			if observe == nil {
				observe = &Message{Type: Inform, Zxid: e.Zxid, Entry: e}
			}
			p.send(f.link, observe)
		case f.forwarded:
			p.send(f.link, follow)
		}
	}
}

// checkReconfig looks whether a transaction is a reconfiguration, and if it can
// be proposed now: one at a time, and only if a quorum of the new configuration
// is in sync, so that it cannot stop the ensemble.
func (p *Peer) checkReconfig(e Entry) error {
	if e.Config == nil {
		return nil
	}
	next, err := p.parse(e.Config)
	if err != nil {
		return err
	}
	if next.Version != e.Zxid {
		return fmt.Errorf("%w: its version is %x, and its transaction %x", ErrConfig, next.Version, e.Zxid)
	}
	if err := p.CheckReconfig(next); err != nil {
		return err
	}
	p.see(next)
	p.leader.reconfigZxid = e.Zxid
	return nil
}

// CanReconfig tells whether any configuration could be proposed now.
func (p *Peer) CanReconfig() error {
	switch {
	case p.stopped != nil || p.state != Leading || !p.leader.established:
		return ErrNotLeading
	case !p.opts.Reconfig:
		return fmt.Errorf("%w: it must not change", ErrConfig)
	case p.leader.reconfigZxid != 0 || p.view.pending():
		return ErrReconfigInProgress
	}
	return nil
}

// CheckReconfig tells whether a configuration could be proposed now.
func (p *Peer) CheckReconfig(next *Membership) error {
	if err := p.CanReconfig(); err != nil {
		return err
	}
	if err := next.valid(); err != nil {
		return err
	}
	if !next.Quorum.Contains(p.inSync) {
		return ErrNoQuorum
	}
	return nil
}

// StepDown gives up the lead at once.
func (p *Peer) StepDown(reason string) {
	if p.stopped == nil && p.state == Leading {
		p.look(reason)
	}
}

// inSync tells whether a server has all that was proposed, or is being sent it.
// One that was made an observer is not, even if it has not heard of that and
// still follows: it will come back as an observer, and acknowledge nothing.
func (p *Peer) inSync(id int64) bool {
	if m, ok := p.view.active.Member(id); ok && m.Observer {
		return false
	}
	return id == p.opts.ID || slices.ContainsFunc(p.leader.learners, func(f *follower) bool {
		return f.sid == id && !f.observer && f.upToDate
	})
}

// designate chooses who leads under a new configuration: this server if it is
// in it with the same address, else the voter that has most on its disk.
func (p *Peer) designate(next *Membership) int64 {
	is, _ := next.Member(p.opts.ID)
	was, _ := p.view.active.Member(p.opts.ID)
	if next.isVoter(p.opts.ID) && is.Addr == was.Addr {
		return p.opts.ID
	}
	return p.best(next)
}

// best is the voter with the longest log but this server, of equals the one
// that would win an election. 0 if there is none.
func (p *Peer) best(m *Membership) int64 {
	best, most := int64(0), int64(-1)
	for _, id := range m.Quorum.Voters() {
		if id == p.opts.ID || !p.inSync(id) || m.Quorum.Weight(id) == 0 {
			continue
		}
		if has := p.leader.acks[id]; has >= most {
			best, most = id, has
		}
	}
	return best
}

// activateAsLeader puts a configuration in force. A leader that does not lead
// under it commits nothing more: whoever leads next does. It has told its
// followers who that is, and must be gone before they come back to it.
func (p *Peer) activateAsLeader(next *Membership, designated int64) {
	p.activate(next)
	if designated != p.opts.ID {
		p.leader.retired = true
		p.expects = designated
	}
}

// retire gives up the lead if a reconfiguration gave it to somebody else.
func (p *Peer) retire() {
	if p.leader != nil && p.leader.retired {
		p.look("a reconfiguration gave the lead away")
		p.meant = true
	}
}

// Sync answers a learner's sync by m once everything that is proposed now was
// committed and sent to it, and a quorum has said that this server leads. The
// learner itself says so by asking.
func (p *Peer) Sync(link Link, m *Message) {
	if p.state != Leading || !p.leader.established {
		return
	}
	l := p.leader
	s := pendingSync{link: link, msg: m, zxid: p.log.last}
	if f := l.find(link); f != nil && f.upToDate && !f.observer {
		s.asker = f.sid
	}
	p.ask(&s.question)
	l.syncs = append(l.syncs, s)
	p.releaseSyncs()
}

// PendingSyncs is how many syncs of learners have no answer so far.
func (p *Peer) PendingSyncs() int {
	if p.leader == nil {
		return 0
	}
	return len(p.leader.syncs)
}

func (p *Peer) releaseSyncs() {
	l := p.leader
	n := 0
	for n < len(l.syncs) && l.syncs[n].zxid <= p.log.applied && p.confirmed(&l.syncs[n].question) {
		p.send(l.syncs[n].link, l.syncs[n].msg)
		n++
	}
	l.syncs = l.syncs[n:]
}

// Reply sends a message to a learner that is in sync. It tells whether there
// still is one.
func (p *Peer) Reply(link Link, m *Message) bool {
	if feed := p.feed(); feed == nil || feed.find(link) == nil {
		return false
	}
	p.send(link, m)
	return true
}
