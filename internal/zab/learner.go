package zab

import (
	"fmt"
	"time"
)

// learner is what a follower or an observer knows of its time with one leader.
type learner struct {
	link       Link // 0 while there is none
	connecting bool
	tries      int
	retryAt    time.Duration
	// deadline is when the leader is given up unless it says something.
	deadline time.Duration

	epoch  int64 // the leader's
	synced bool  // NEWLEADER came: what follows is of the broadcast
	mode   Type  // DIFF, TRUNC or SNAP, 0 before
	// base is how far the log agrees with the leader's by the first message of the
	// synchronization; state is the zxid of the snapshot, if there was one.
	base, state int64
	// commitTo is how far the leader has committed, of what has not been applied so far.
	commitTo int64
	// unacked are proposals that came before NEWLEADER without a COMMIT. They are
	// acknowledged after NEWLEADER, which has to be the first.
	unacked []int64
	// config is what NEWLEADER brought.
	config *Membership
	// late and unlogged are for planted bugs: what is written only at NEWLEADER, or
	// with the next message.
	late     []Write
	unlogged []Entry
}

// Uplink is the link to the leader that is followed, 0 if there is none.
func (p *Peer) Uplink() Link { return p.learner.link }

func (l *learner) timer() time.Duration { return min(l.retryAt, l.deadline) }

func (p *Peer) limit(ticks int) time.Duration { return time.Duration(ticks) * p.opts.Tick }

// follow becomes a learner of the elected leader: an observer if the
// configuration says so, else a follower. A server that is not in the
// configuration follows, too; its acknowledgements do not count.
func (p *Peer) follow(b ballot) {
	p.vote, p.voteTurn = b.vote, b.round
	p.election.running = false
	p.state, p.phase, p.leaderID, p.reason = Following, Discovery, b.leader, ""
	if m, ok := p.view.active.Member(p.opts.ID); ok && m.Observer || p.leaves {
		p.state = Observing
	}
	p.learner = learner{retryAt: never, deadline: p.now + p.limit(p.opts.InitLimit)}
	if p.pause {
		p.pause = false
		p.learner.retryAt = p.now + p.opts.ConnectRetry
		return
	}
	p.connect()
}

func (p *Peer) connect() {
	l := &p.learner
	l.connecting, l.retryAt = true, never
	l.tries++
	leader := p.leaderID
	p.out.Connect = &leader
}

func (p *Peer) connectFailed() {
	l := &p.learner
	l.connecting = false
	if l.tries >= p.opts.ConnectTries {
		p.look("the leader cannot be reached")
		return
	}
	l.retryAt = p.now + p.opts.ConnectRetry
}

func (p *Peer) tickLearner() {
	l := &p.learner
	switch {
	case p.now >= l.deadline:
		p.look("the leader was silent for too long")
	case p.now >= l.retryAt:
		p.connect()
	default:
		p.tickMaster()
	}
}

// greet says who this server is, on the new connection to the leader.
func (p *Peer) greet(link Link) {
	l := &p.learner
	l.link, l.connecting, l.retryAt = link, false, never
	m := &Message{Type: FollowerInfo, Zxid: EpochStart(p.accepted),
		Learner: LearnerInfo{Sid: p.opts.ID, ProtocolVersion: FarewellVersion, ConfigVersion: p.view.active.Version}}
	if p.state == Observing {
		m.Type = ObserverInfo
	}
	p.send(link, m)
}

// stepLearner takes a message from the leader. An error ends the relation.
func (p *Peer) stepLearner(m *Message) error {
	l := &p.learner
	l.deadline = p.now + p.limit(p.opts.InitLimit)
	if p.phase == Broadcast {
		l.deadline = p.now + p.limit(p.opts.SyncLimit)
	}
	if p.faults.countUnlogged && l.synced {
		for i := range l.unlogged {
			p.appendAsLearner(&l.unlogged[i])
		}
		l.unlogged = nil
	}
	switch m.Type {
	case LeaderInfo:
		return p.acceptEpoch(m)
	case Diff, Trunc, Snap:
		return p.beginSync(m)
	case Proposal:
		return p.takeProposal(&m.Entry)
	case Commit, CommitAndActivate:
		return p.takeCommit(m)
	case Inform, InformAndActivate:
		return p.takeInform(m)
	case NewLeader:
		return p.takeNewLeader(m)
	case UpToDate:
		return p.takeUpToDate()
	case Ping:
		// Before UPTODATE a leader takes nothing but the acknowledgement of NEWLEADER.
		if p.phase == Broadcast {
			p.send(l.link, &Message{Type: Ping, Zxid: m.Zxid})
		}
	case Sync, Revalidate, Farewell:
		if p.phase == Broadcast {
			p.out.Upcalls = append(p.out.Upcalls, Upcall{l.link, m})
		}
	default:
		return fmt.Errorf("the leader sent %v, which is not for a learner", m.Type)
	}
	return nil
}

func (p *Peer) refuse(m *Message, what string) error {
	return fmt.Errorf("the leader sent %v %s %s", m.Type, zxidText(m.Zxid), what)
}

// acceptEpoch promises never to follow an earlier epoch. The promise is on the
// disk before it is given. An observer promises nothing: nobody counts it, and a
// promise to a leader of whom nothing came would keep it from the one that leads.
func (p *Peer) acceptEpoch(m *Message) error {
	epoch := EpochOf(m.Zxid)
	if p.phase != Discovery || p.learner.mode != 0 {
		return p.refuse(m, "a second time")
	}
	p.learner.epoch = epoch
	if p.state == Observing {
		return p.observeEpoch(m)
	}
	if epoch < p.accepted {
		return fmt.Errorf("the leader's epoch %d is below %d, which was accepted before", epoch, p.accepted)
	}
	ack := &Message{Type: AckEpoch, Zxid: p.log.last, Epoch: p.current}
	if p.faults.forgetUncommitted {
		ack.Zxid = p.log.applied
	}
	if p.faults.electWithWritesUnderWay {
		ack.Zxid = p.settled
	}
	p.phase = Synchronization
	p.askForState(ack)
	if epoch == p.accepted {
		ack.Epoch = -1
		p.releaseAfterWrites(p.learner.link, ack)
		return nil
	}
	p.accepted = epoch
	if p.faults.epochNotStored {
		p.send(p.learner.link, ack)
		p.write(Write{Kind: WriteAccepted, Epoch: epoch})
		return nil
	}
	p.write(Write{Kind: WriteAccepted, Epoch: epoch, Release: []Outgoing{{p.learner.link, ack}}})
	return nil
}

// observeEpoch is acceptEpoch of an observer.
func (p *Peer) observeEpoch(m *Message) error {
	if p.learner.epoch < p.current {
		return p.refuse(m, fmt.Sprintf("and epoch %d was followed before", p.current))
	}
	p.phase = Synchronization
	ack := &Message{Type: AckEpoch, Zxid: p.log.last, Epoch: p.current}
	p.askForState(ack)
	p.releaseAfterWrites(p.learner.link, ack)
	return nil
}

// beginSync takes the message that says how the logs are brought in line.
func (p *Peer) beginSync(m *Message) error {
	l := &p.learner
	if p.phase != Synchronization || l.mode != 0 {
		return p.refuse(m, "out of turn")
	}
	l.mode = m.Type
	p.gotState(m.Type)
	if p.accepted < l.epoch { // of an observer: by now a quorum has promised
		p.accepted = l.epoch
		p.write(Write{Kind: WriteAccepted, Epoch: l.epoch})
	}
	switch m.Type {
	case Diff:
		// What lies behind the leader's last commit is not committed for being here.
		l.base = min(p.log.last, m.Zxid)
		p.forgetConfig(p.log.last)
	case Trunc:
		if m.Zxid > p.log.last {
			return p.refuse(m, "which lies behind the end of the log, "+zxidText(p.log.last))
		}
		reload := p.log.applied > m.Zxid
		p.log.truncate(m.Zxid)
		p.forgetConfig(m.Zxid)
		p.write(Write{Kind: WriteTruncate, Zxid: m.Zxid, Reload: reload})
		l.base = m.Zxid
	case Snap:
		p.log.reset(m.Zxid)
		p.forgetConfig(m.Zxid)
		w := Write{Kind: WriteSnapshot, Zxid: m.Zxid, Snapshot: m.Snapshot}
		if p.faults.snapshotKeptInMemory {
			l.late = append(l.late, w)
		} else {
			p.write(w)
		}
		l.base, l.state = m.Zxid, m.Zxid
	}
	l.commitTo = l.base
	return nil
}

// takeProposal appends a transaction. A gap is an error: whatever is missing
// would be missing for good.
func (p *Peer) takeProposal(e *Entry) error {
	l := &p.learner
	if l.mode == 0 {
		return fmt.Errorf("transaction %s came before DIFF, TRUNC or SNAP", zxidText(e.Zxid))
	}
	if l.mode == Snap && !l.synced && e.Zxid <= l.state {
		return nil // a state taken late holds what is also sent behind it
	}
	if !follows(p.log.last, e.Zxid) {
		return fmt.Errorf("transaction %s came after %s: one is missing", zxidText(e.Zxid), zxidText(p.log.last))
	}
	if EpochOf(e.Zxid) > l.epoch {
		return fmt.Errorf("transaction %s is of a later epoch than the leader's, %d", zxidText(e.Zxid), l.epoch)
	}
	if err := p.notice(e); err != nil {
		return err
	}
	p.log.append(e)
	p.logAsLearner(e)
	return nil
}

// logAsLearner writes a transaction and acknowledges it once it is durable.
func (p *Peer) logAsLearner(e *Entry) {
	l := &p.learner
	if p.faults.countUnlogged && l.synced {
		l.unlogged = append(l.unlogged, *e)
		return
	}
	if !l.synced {
		l.unacked = append(l.unacked, e.Zxid)
		if p.faults.ackNewLeaderUnlogged || p.faults.epochBeforeLog || len(l.late) > 0 {
			l.unlogged = append(l.unlogged, *e)
			return
		}
		if p.faults.holeInWindow {
			p.log.window = p.log.window[:len(p.log.window)-1]
		}
	}
	p.appendAsLearner(e)
	if p.faults.ackProposalFirst && !l.synced && p.state == Following {
		p.releaseAfterWrites(l.link, &Message{Type: Ack, Zxid: e.Zxid})
	}
}

func (p *Peer) appendAsLearner(e *Entry) {
	l := &p.learner
	ack := Link(0)
	switch {
	case p.state != Following || !l.synced:
	case p.faults.ackBeforeSync:
		p.send(l.link, &Message{Type: Ack, Zxid: e.Zxid})
	default:
		ack = l.link
	}
	p.writeEntry(e, ack)
}

// takeCommit takes the leader's word that a transaction is committed. Commits
// come in order, each for a transaction that came before.
func (p *Peer) takeCommit(m *Message) error {
	l := &p.learner
	if p.state == Observing && l.synced {
		return p.refuse(m, "to an observer")
	}
	if l.mode == Snap && m.Zxid <= l.state && l.commitTo <= l.state {
		return nil
	}
	if p.faults.commitOfLogged && l.synced && p.phase != Broadcast && len(l.unacked) > 0 && m.Zxid <= l.unacked[len(l.unacked)-1] {
		return p.refuse(m, "which is not known")
	}
	run := m.Run
	if l.mode == Snap && m.Zxid-run <= l.state {
		run = m.Zxid - l.state - 1
	}
	if err := p.nextCommits(m, run+1); err != nil {
		return err
	}
	l.commitTo = m.Zxid
	moved := false
	if m.Type == CommitAndActivate {
		var err error
		if moved, err = p.activateCommitted(m, p.log.between(m.Zxid-1, m.Zxid)); err != nil {
			return err
		}
	}
	if !l.synced {
		for len(l.unacked) > 0 && m.Zxid-run <= l.unacked[0] && l.unacked[0] <= m.Zxid {
			l.unacked = l.unacked[1:]
		}
	}
	part := p.applyCommitted()
	if m.Type == CommitAndActivate {
		p.passActivation(part, m.Designated)
	} else {
		p.passCommits(part)
	}
	if moved {
		return errMoved
	}
	return nil
}

// nextCommits checks that the n transactions up to the message's are those that
// must be committed next.
func (p *Peer) nextCommits(m *Message, n int64) error {
	l := &p.learner
	if m.Zxid > p.log.last {
		return p.refuse(m, "and the transaction did not come")
	}
	if m.Zxid <= l.commitTo || len(p.log.between(max(l.commitTo, p.log.before), m.Zxid)) != int(n) && !p.faults.holeInWindow {
		return p.refuse(m, "and "+zxidText(l.commitTo)+" was the last that is committed")
	}
	return nil
}

// takeInform is a proposal and its commit in one.
func (p *Peer) takeInform(m *Message) error {
	if p.state != Observing {
		return p.refuse(m, "to a follower")
	}
	l := &p.learner
	if l.mode == Snap && !l.synced && m.Zxid <= l.state {
		return nil
	}
	if err := p.takeProposal(&m.Entry); err != nil {
		return err
	}
	l.commitTo = m.Zxid
	moved := false
	if m.Type == InformAndActivate {
		var err error
		if moved, err = p.activateCommitted(m, []Entry{m.Entry}); err != nil {
			return err
		}
	}
	p.applyCommitted()
	if moved {
		return errMoved
	}
	return nil
}

// applyCommitted hands out what is committed, once it is known that the leader
// leads: before UPTODATE a quorum may not have what it sends. It gives what it
// has handed out.
func (p *Peer) applyCommitted() []Entry {
	if p.phase != Broadcast {
		return nil
	}
	from := len(p.out.Commit)
	p.commit(p.learner.commitTo)
	return p.out.Commit[from:len(p.out.Commit):len(p.out.Commit)]
}

// takeNewLeader ends the synchronization: everything that came is made durable,
// then the epoch that vouches for it, and then the leader is told. The order
// matters. An epoch that is on disk before its transactions wins an election
// after a crash and then lacks them (ZOOKEEPER-4643, 4785); an acknowledgement
// that is sent before them counts a server that may lose them (3911, 4646).
func (p *Peer) takeNewLeader(m *Message) error {
	l := &p.learner
	epoch := EpochOf(m.Zxid)
	if l.mode == 0 || l.synced || epoch != l.epoch || counterOf(m.Zxid) != 0 {
		return p.refuse(m, fmt.Sprintf("out of turn; the leader's epoch is %d", l.epoch))
	}
	if err := p.takeLeadersConfig(m.Data); err != nil {
		return err
	}
	l.synced = true
	acks := []Outgoing{{l.link, &Message{Type: Ack, Zxid: m.Zxid}}}
	if p.state == Following {
		for _, z := range l.unacked {
			acks = append(acks, Outgoing{l.link, &Message{Type: Ack, Zxid: z}})
		}
	}
	p.current = epoch
	p.vouch(acks)
	return nil
}

// vouch makes the current epoch durable, after all that it vouches for, and
// releases what waits for it.
func (p *Peer) vouch(acks []Outgoing) {
	l := &p.learner
	for _, w := range l.late {
		p.write(w)
	}
	w := Write{Kind: WriteCurrent, Epoch: p.current, Release: acks}
	late := Write{Kind: WriteAppend, Entries: l.unlogged}
	l.late, l.unlogged = nil, nil
	switch {
	case p.faults.snapshotKeptInMemory && len(late.Entries) > 0:
		p.write(late)
		p.write(w)
	case p.faults.ackNewLeaderUnlogged, p.faults.epochBeforeLog:
		if p.faults.epochBeforeLog {
			w.Release, late.Release = nil, acks
		}
		p.write(w)
		if len(late.Entries) > 0 {
			p.write(late)
		} else {
			p.write(Write{Kind: WriteNothing, Release: late.Release})
		}
	case p.faults.ackNewLeaderBeforeSync:
		w.Release = nil
		p.write(w)
		for _, a := range acks {
			p.send(a.Link, a.Msg)
		}
	default:
		p.write(w)
	}
}

// takeUpToDate begins the broadcast: the leader leads, and all that it had is committed.
func (p *Peer) takeUpToDate() error {
	l := &p.learner
	if !l.synced || p.phase == Broadcast {
		return fmt.Errorf("the leader sent UPTODATE out of turn")
	}
	if p.leaveForState() {
		return errStateWanted
	}
	p.phase = Broadcast
	p.vote.epoch = p.current
	l.deadline = p.now + p.limit(p.opts.SyncLimit)
	if p.leadersConfigHolds() && p.activateAs(l.config, 0) {
		return errMoved
	}
	if !p.faults.serveBeforeApply {
		p.applyCommitted()
	}
	p.send(l.link, &Message{Type: Ack, Zxid: EpochStart(p.current)})
	p.feedObservers()
	return nil
}

// Forward sends a client's request, a question about a session or the sessions
// that were heard of to the leader. It tells whether there is one.
func (p *Peer) Forward(m *Message) bool {
	if p.state == Looking || p.state == Leading || p.phase != Broadcast || p.stopped != nil {
		return false
	}
	p.send(p.learner.link, m)
	return true
}
