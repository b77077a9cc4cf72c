package zab

import (
	"fmt"
	"slices"
	"time"
)

// follower is what a leader knows of a learner, follower or observer.
type follower struct {
	link     Link
	sid      int64
	observer bool
	greeted  bool // FOLLOWERINFO or OBSERVERINFO came
	epochAck *Message
	// forwarded: what is proposed and committed goes to it as it happens.
	forwarded bool
	state     bool  // that is a state that is sent, and then what follows it
	acked     bool  // acknowledged NEWLEADER
	farewells bool  // it knows FAREWELL: it is none of Apache's
	sent      int64 // the last committed transaction that it has when it does
	upToDate  bool
	deadline  time.Duration
	// pings counts what was sent, pongs what came back, for confirmed reads.
	pings, pongs uint64
}

// leader is what a leader knows of its term.
type leader struct {
	feed
	epoch int64 // 0 until a quorum made itself known
	// connecting, epochAcks and newLeaderAcks are the voters that came so far in
	// the three stages of recovery. This server is among the last ones once the
	// epoch is on its disk; nobody can be among epochAcks before that, since
	// LEADERINFO waits for the write.
	connecting, epochAcks, newLeaderAcks map[int64]bool
	// origin is what this server had when its term began; nobody may know more.
	origin       vote
	epochAgreed  bool   // a quorum accepted the epoch
	reload       uint64 // the write that makes the state anew from the log, 0 for none
	established  bool   // a quorum has the history: the broadcast began
	stageEnds    time.Duration
	proposed     int64           // the last transaction that was given a number
	acks         map[int64]int64 // by voter: it has everything up to here on disk
	reconfigZxid int64           // the reconfiguration under way, 0 if there is none
	retired      bool            // a reconfiguration gave the lead away: nothing is committed any more
	handingOver  bool
	handOverEnds time.Duration
	leaves       bool      // the ensemble, once it has handed over
	farewell     Farewells // what to say to learners when the role is given away, nil for nothing
	syncs        []pendingSync
	reads        []pendingRead
	asked        map[Link]uint64 // see question; shared by all questions until the next Ready
}

// pendingSync is a learner's sync, to be answered by msg.
type pendingSync struct {
	question
	link Link
	msg  *Message
	zxid int64
}

// lead begins a term. It comes to nothing unless a quorum comes and agrees.
func (p *Peer) lead(v vote) {
	p.vote, p.voteTurn = v, p.election.round
	p.election.running = false
	p.state, p.phase, p.leaderID, p.reason = Leading, Discovery, p.opts.ID, ""
	p.leader = &leader{
		connecting: map[int64]bool{p.opts.ID: true}, epochAcks: map[int64]bool{}, newLeaderAcks: map[int64]bool{},
		acks:      map[int64]int64{},
		origin:    vote{zxid: p.log.last, epoch: p.current},
		stageEnds: p.now + p.limit(p.opts.InitLimit), feed: feed{nextTick: p.now + p.opts.Tick/2},
	}
	p.seenEpoch = max(p.seenEpoch, p.accepted)
	p.forgetConfig(p.log.last)
	p.proposeEpoch()
}

// drop closes a learner's link.
func (p *Peer) drop(f *follower) {
	p.out.Close = append(p.out.Close, f.link)
	p.forget(f)
}

func (p *Peer) forget(f *follower) {
	p.feed().remove(f)
	l := p.leader
	if l == nil {
		return
	}
	if !l.established {
		delete(l.newLeaderAcks, f.sid) // it has the history, but a term needs followers
	}
	l.syncs = slices.DeleteFunc(l.syncs, func(s pendingSync) bool { return s.link == f.link })
}

// lostLearner sees whether there is a quorum left without a learner.
func (p *Peer) lostLearner(link Link) {
	l := p.leader
	f := l.find(link)
	if f == nil {
		return
	}
	p.forget(f)
	if l.established && !p.quorumAlive() {
		p.look("too few followers are left")
	}
}

// quorumAlive tells whether a quorum was heard of lately.
func (p *Peer) quorumAlive() bool {
	return p.view.hasQuorum(func(id int64) bool {
		if id == p.opts.ID {
			return true
		}
		return slices.ContainsFunc(p.leader.learners, func(f *follower) bool { return f.sid == id && !f.observer && f.acked && p.now < f.deadline })
	})
}

// stepLeader takes a learner's message.
func (p *Peer) stepLeader(link Link, m *Message) error {
	f := p.heardFrom(link)
	if f == nil {
		return nil // of a link that was given up
	}
	err := p.takeFromLearner(f, m)
	if err != nil && p.state == Leading {
		p.drop(f)
		if p.leader.established && !p.quorumAlive() {
			p.look("too few followers are left")
		}
	}
	return err
}

func (p *Peer) takeFromLearner(f *follower, m *Message) error {
	switch {
	case !f.greeted:
		return p.takeInfo(f, m)
	case m.Type == AckEpoch && f.epochAck == nil && p.leader.epoch != 0:
		f.epochAck = m
		return p.takeEpochAck(f, m)
	case f.epochAck == nil:
		return fmt.Errorf("learner %d sent %v and not ACKEPOCH", f.sid, m.Type)
	case m.Type == Ack:
		return p.takeAck(f, m.Zxid)
	case m.Type == Ping:
		f.pongs++
		p.confirmReads()
		p.releaseSyncs()
		p.pass(f, m)
	case m.Type == Request || m.Type == Revalidate:
		p.pass(f, m)
	default:
		return fmt.Errorf("learner %d sent %v", f.sid, m.Type)
	}
	return nil
}

// pass hands a learner's message to those above.
func (p *Peer) pass(f *follower, m *Message) {
	if p.phase == Broadcast {
		p.out.Upcalls = append(p.out.Upcalls, Upcall{f.link, m})
	}
}

// takeInfo takes a learner's first message.
func (p *Peer) takeInfo(f *follower, m *Message) error {
	if err := checkInfo(m); err != nil {
		return err
	}
	if m.Learner.ConfigVersion > p.view.lastSeen.Version {
		if p.opts.Reconfig && !p.leader.established {
			// The votes that made this server leader were old. It learns of the configuration by the next ones.
			p.look(fmt.Sprintf("learner %d has a later configuration in force", m.Learner.Sid))
			return nil
		}
		return fmt.Errorf("learner %d has a later configuration in force: %x, and here it is %x", m.Learner.Sid, m.Learner.ConfigVersion, p.view.lastSeen.Version)
	}
	l := p.leader
	p.meet(f, m)
	if p.view.isVoter(f.sid) && !f.observer {
		l.connecting[f.sid] = true
		p.seenEpoch = max(p.seenEpoch, EpochOf(m.Zxid))
		if l.epoch != 0 && EpochOf(m.Zxid) > l.epoch {
			// It promised not to follow an epoch as early as this one, and would stay
			// outside for as long as this term lasts.
			p.look(fmt.Sprintf("voter %d has accepted a later epoch, %d", f.sid, EpochOf(m.Zxid)))
			return nil
		}
	}
	if l.epoch != 0 {
		p.releaseAfterWrites(f.link, p.leaderInfo())
		return nil
	}
	p.proposeEpoch()
	return nil
}

// checkInfo looks whether a learner's first message is one.
func checkInfo(m *Message) error {
	if m.Type != FollowerInfo && m.Type != ObserverInfo {
		return fmt.Errorf("a learner began with %v", m.Type)
	}
	if m.Learner.ProtocolVersion < ProtocolVersion {
		return fmt.Errorf("learner %d speaks version %#x of the protocol, want %#x or later", m.Learner.Sid, m.Learner.ProtocolVersion, ProtocolVersion)
	}
	return nil
}

// meet notes who a learner is. If it has come back, its old link is a dead one.
func (p *Peer) meet(f *follower, m *Message) {
	f.sid, f.observer, f.greeted = m.Learner.Sid, m.Type == ObserverInfo, true
	f.farewells = m.Learner.ProtocolVersion >= FarewellVersion
	for _, o := range slices.Clone(p.feed().learners) {
		if o != f && o.greeted && o.sid == f.sid {
			p.drop(o)
		}
	}
}

func (p *Peer) leaderInfo() *Message {
	return &Message{Type: LeaderInfo, Zxid: EpochStart(p.leader.epoch)}
}

// proposeEpoch chooses the epoch once a quorum is here: later than all that
// anybody of the quorum has accepted. It is on disk before it is spoken.
func (p *Peer) proposeEpoch() {
	l := p.leader
	if !p.view.hasQuorum(func(id int64) bool { return l.connecting[id] }) {
		return
	}
	l.epoch = p.seenEpoch + 1
	p.seenEpoch = l.epoch
	p.accepted = l.epoch
	l.proposed = EpochStart(l.epoch)
	l.stageEnds = p.now + p.limit(p.opts.InitLimit)
	w := Write{Kind: WriteAccepted, Epoch: l.epoch}
	for _, f := range l.learners {
		if f.greeted {
			w.Release = append(w.Release, Outgoing{f.link, p.leaderInfo()})
		}
	}
	p.write(w)
	p.freshConfig()
	p.ackEpoch(p.opts.ID)
}

// freshConfig gives the first configuration of an ensemble a version, so that
// it wins over what servers that join believe in. It is in force once a quorum
// has acknowledged NEWLEADER, which carries it.
func (p *Peer) freshConfig() {
	if !p.opts.Reconfig || p.view.active.Version != 0 || p.view.pending() || p.opts.Parse == nil {
		return
	}
	text := withVersion(p.view.active.Text, EpochStart(p.leader.epoch))
	if m, err := p.parse(text); err == nil {
		p.see(m)
	}
}

// takeEpochAck takes a learner's promise. Before a quorum has promised, a voter
// that knows more than this server ends the term: its log might hold committed
// transactions.
func (p *Peer) takeEpochAck(f *follower, m *Message) error {
	l := p.leader
	if !l.epochAgreed {
		if p.promises(f) && p.knowsMore(f) && p.view.active.isVoter(f.sid) {
			p.look(fmt.Sprintf("voter %d has a longer log, %s of epoch %d", f.sid, zxidText(m.Zxid), m.Epoch))
			return nil
		}
		p.countPromises()
	}
	if p.leader == l && l.epochAgreed && !f.forwarded {
		p.synchronize(f)
	}
	return nil
}

// promises tells whether a learner has a vote and has promised this epoch now.
func (p *Peer) promises(f *follower) bool {
	return f.epochAck != nil && f.epochAck.Epoch != -1 && !f.observer && p.view.isVoter(f.sid)
}

// knowsMore tells whether a learner that has promised has the better log.
func (p *Peer) knowsMore(f *follower) bool { return f.log().better(p.leader.origin) }

// log is what a learner had when it promised, as a vote for nobody.
func (f *follower) log() vote { return vote{zxid: f.epochAck.Zxid, epoch: f.epochAck.Epoch} }

// countPromises counts the promises that there are. A server that gets its vote by
// the reconfiguration under way may have a longer log than this one, and what it has
// may have been committed by those who get theirs by that, if the reconfiguration
// was. As long as that cannot be excluded, it is not counted. Once it is certain that
// a quorum has the reconfiguration, this server steps down for it. If it is excluded,
// nothing was committed behind it either, and that log is cut.
func (p *Peer) countPromises() {
	l, reconfig := p.leader, p.view.lastSeen.Version
	ahead := l.origin
	for _, f := range slices.Clone(l.learners) {
		switch {
		case !p.promises(f):
		case p.knowsMore(f) && p.mayBeCommitted(reconfig):
			if f.farewells && p.electable(f.sid) && f.log().better(ahead) {
				ahead = f.log()
				ahead.leader = f.sid
			}
		case f.epochAck.Zxid != -1:
			p.ackEpoch(f.sid)
		}
	}
	if !l.epochAgreed && ahead.leader != 0 && p.quorumToFollow(reconfig) {
		p.stepDownFor(ahead, fmt.Sprintf("server %d, about to get its vote, has a longer log, %s of epoch %d", ahead.leader, zxidText(ahead.zxid), ahead.epoch))
	}
}

// mayBeCommitted tells whether a quorum of the voters may have the reconfiguration under
// way on disk, as far as those who are here say. Who has promised this epoch gets no more
// of an earlier one; and who observes as the configuration in force wants it has no say.
func (p *Peer) mayBeCommitted(reconfig int64) bool {
	may := func(id int64) bool {
		return !slices.ContainsFunc(p.leader.learners, func(f *follower) bool {
			is, _ := p.view.active.Member(id)
			return f.sid == id && f.observer == is.Observer && f.epochAck != nil && f.epochAck.Zxid != -1 && f.epochAck.Zxid < reconfig
		})
	}
	return p.view.hasQuorum(may)
}

// quorumToFollow tells whether a quorum is here that has the reconfiguration under way on
// disk, and so follows whom it gives a vote. Apache's servers do not: they know only the
// members of the configuration in force by their addresses.
func (p *Peer) quorumToFollow(reconfig int64) bool {
	return p.view.hasQuorum(func(id int64) bool {
		return id == p.opts.ID || slices.ContainsFunc(p.leader.learners, func(f *follower) bool {
			return f.sid == id && f.farewells && f.epochAck != nil && f.epochAck.Zxid >= reconfig
		})
	})
}

// ackEpoch counts a promise. With a quorum of them the history of the epoch is
// settled: it is this server's log.
func (p *Peer) ackEpoch(sid int64) {
	l := p.leader
	l.epochAcks[sid] = true
	if l.epochAgreed || !l.epochAcks[p.opts.ID] || !p.view.hasQuorum(func(id int64) bool { return l.epochAcks[id] }) {
		return
	}
	l.epochAgreed = true
	p.phase = Synchronization
	p.current = l.epoch
	p.write(Write{Kind: WriteCurrent, Epoch: l.epoch})
	l.stageEnds = p.now + p.limit(p.opts.InitLimit)
	p.synchronizeAll()
}

// synchronizeAll brings those in line who have promised and wait for that.
func (p *Peer) synchronizeAll() {
	for _, f := range slices.Clone(p.leader.learners) {
		if f.epochAck != nil && !f.forwarded {
			p.synchronize(f)
		}
	}
}

// storedAsLeader counts this server's own disk.
func (p *Peer) storedAsLeader(current int64) {
	l := p.leader
	l.acks[p.opts.ID] = p.settled
	if l.reload != 0 && l.reload <= p.stored && p.phase == Synchronization {
		p.synchronizeAll()
	}
	if !l.established && l.epochAgreed && current == l.epoch {
		p.ackNewLeader(p.opts.ID)
	}
	p.advance()
}

// ackNewLeader counts a server that has the history of the epoch on its disk.
func (p *Peer) ackNewLeader(sid int64) {
	l := p.leader
	l.newLeaderAcks[sid] = true
	if !l.established && l.newLeaderAcks[p.opts.ID] && l.reload <= p.stored && p.view.hasQuorum(func(id int64) bool { return l.newLeaderAcks[id] }) {
		p.establish()
	}
}

// establish begins the broadcast. A quorum has the whole log: it is committed.
func (p *Peer) establish() {
	l := p.leader
	l.established = true
	p.resync.wanted = false // there is nobody to take a state from
	p.phase = Broadcast
	p.vote.epoch = p.current
	p.commit(p.log.last)
	if p.view.pending() && p.opts.Reconfig {
		p.activateAsLeader(p.view.lastSeen, p.designate(p.view.lastSeen))
	}
	for _, f := range l.learners {
		if f.acked {
			f.deadline = p.now + p.limit(p.opts.SyncLimit)
			p.bringUp(f)
		}
	}
	p.retire()
}

func (p *Peer) bringUp(f *follower) {
	f.upToDate = true
	p.send(f.link, &Message{Type: UpToDate, Zxid: -1})
}

// takeAck takes the word of a learner that something is on its disk. The first
// one is for NEWLEADER; one for a proposal that overtakes it is kept, and does
// not stand for it (ZOOKEEPER-4685).
func (p *Peer) takeAck(f *follower, zxid int64) error {
	l := p.leader
	if counterOf(zxid) == 0 {
		return p.takeNewLeaderAck(f, zxid)
	}
	if zxid > max(l.proposed, p.log.last) {
		return fmt.Errorf("learner %d acknowledged %s, which was not proposed", f.sid, zxidText(zxid))
	}
	if p.faults.ackProposalFirst && !f.acked {
		return fmt.Errorf("learner %d acknowledged %s and not NEWLEADER", f.sid, zxidText(zxid))
	}
	if !f.observer && p.view.isVoter(f.sid) {
		l.acks[f.sid] = max(l.acks[f.sid], zxid)
		p.advance()
	}
	return nil
}

func (p *Peer) takeNewLeaderAck(f *follower, zxid int64) error {
	l := p.leader
	if EpochOf(zxid) != l.epoch {
		return fmt.Errorf("learner %d acknowledged epoch %d, and this is %d", f.sid, EpochOf(zxid), l.epoch)
	}
	if f.acked || !f.forwarded {
		return nil // of UPTODATE
	}
	f.acked = true
	if !f.observer && p.view.isVoter(f.sid) {
		l.acks[f.sid] = max(l.acks[f.sid], f.sent)
	}
	f.deadline = p.now + p.limit(p.opts.SyncLimit)
	switch {
	case l.established:
		p.bringUp(f)
		p.finishHandOver()
	case !f.observer && p.view.isVoter(f.sid):
		p.ackNewLeader(f.sid)
	}
	return nil
}

// tickLeader sends pings and looks who is alive, twice per tick.
func (p *Peer) tickLeader() {
	l := p.leader
	if p.now < l.nextTick {
		return
	}
	l.nextTick = p.now + p.opts.Tick/2
	if l.handingOver && p.now >= l.handOverEnds {
		p.CallOff()
	}
	switch {
	case !l.established && p.now >= l.stageEnds:
		p.look("no quorum came in time: " + p.phase.String())
		return
	case l.established && !p.quorumAlive():
		p.look("too few followers are alive")
		return
	}
	p.pingAll()
}

// pingAll sends pings, and gives those up who were not heard of for too long.
func (p *Peer) pingAll() {
	for _, f := range slices.Clone(p.feed().learners) {
		switch {
		case p.now >= f.deadline:
			p.drop(f)
		case f.forwarded:
			p.ping(f)
		}
	}
}

// ping asks for a sign of life. What is sent before UPTODATE is not answered.
func (p *Peer) ping(f *follower) {
	if f.upToDate {
		f.pings++
	}
	zxid := p.log.last
	if p.leader != nil {
		zxid = max(p.leader.proposed, zxid)
	}
	p.send(f.link, &Message{Type: Ping, Zxid: zxid})
}
