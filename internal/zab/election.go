package zab

import (
	"maps"
	"math"
	"time"
)

// vote is whom a server wants to lead: the best log that it heard of.
type vote struct {
	leader int64
	zxid   int64
	epoch  int64 // the current epoch that goes with zxid
}

// better orders votes: a later epoch, then a longer log, then a larger number.
func (v vote) better(than vote) bool {
	if v.epoch != than.epoch {
		return v.epoch > than.epoch
	}
	if v.zxid != than.zxid {
		return v.zxid > than.zxid
	}
	return v.leader > than.leader
}

// ballot is a vote that was heard.
type ballot struct {
	vote
	round   int64
	state   State
	version int32
}

// sameLeader compares votes of servers that have a leader. Their logs have moved
// on since their elections, so that only leader and epoch are compared; old
// servers, of format 0, tell of other epochs.
func (b ballot) sameLeader(o ballot) bool {
	if b.state == Looking || o.state == Looking {
		return b.vote == o.vote && b.round == o.round
	}
	return b.leader == o.leader && ((b.version > 0) != (o.version > 0) || b.epoch == o.epoch)
}

// election is what a server knows while it looks for a leader.
type election struct {
	running bool // false until all writes of the last role are durable
	// heir is whom a leader that has stepped down for another server votes for at first,
	// in each round, until that one has had its time; none if empty.
	heir vote
	// lost is the leader that this server has just lost, 0 for none: nobody waits for
	// the vote of one that is silent, though its connections may stand for long.
	lost  int64
	round int64
	mine  vote
	// heard are the votes of this round, outside those of servers that have a leader.
	heard, outside map[int64]ballot
	// held are the votes that came before the election was begun, the last of each
	// server. Whoever looks has said so once, and says it again only later.
	held map[int64]heldVote

	repeatAt, repeatEvery time.Duration
	finalizeAt            time.Duration // when a quorum's vote becomes the result, never without one
}

// heldVote is a vote and when it came.
type heldVote struct {
	Notification
	at time.Duration
}

// maxHeld bounds the votes that are held.
const maxHeld = 1024

// rest waits for a new election, whose round will be later.
func (e *election) rest() {
	*e = election{round: e.round, held: e.held, finalizeAt: never, repeatAt: never}
}

// hold keeps a vote for the next election.
func (p *Peer) hold(n Notification) {
	held := p.election.held
	if _, ok := held[n.Sid]; ok || len(held) < maxHeld {
		held[n.Sid] = heldVote{n, p.now}
	}
}

// dropOldVotes forgets who looked for a leader long ago: that server has said it
// again since, or has found one.
func (p *Peer) dropOldVotes() {
	maps.DeleteFunc(p.election.held, func(_ int64, v heldVote) bool { return v.at+p.opts.MinNotification < p.now })
}

func (e *election) deadline() time.Duration { return min(e.repeatAt, e.finalizeAt) }

// ownVote is the vote for oneself. Who does not vote proposes nobody; nor does who
// gets its vote by a reconfiguration under way, since those who do not know of that
// one would not listen, but others may propose it.
func (p *Peer) ownVote() vote {
	if !p.view.active.isVoter(p.opts.ID) {
		return vote{math.MinInt64, math.MinInt64, math.MinInt64}
	}
	return p.standing()
}

// standing is what others say who vote for this server.
func (p *Peer) standing() vote {
	v := vote{leader: p.opts.ID, zxid: p.log.last, epoch: p.current}
	if p.faults.forgetUncommitted {
		v.zxid = p.log.applied
	}
	if p.faults.electWithWritesUnderWay {
		v.zxid = p.settled
	}
	return v
}

// firstVote is what a round begins with: the heir of a leader that has stepped down
// for it, in whatever round the others are, or the own vote.
func (p *Peer) firstVote() vote {
	if p.election.heir.leader != 0 {
		return p.election.heir
	}
	return p.ownVote()
}

// startElection begins a new round. Whatever is said from now on is on the disk.
func (p *Peer) startElection() {
	p.raiseEpoch()
	if p.expects != 0 {
		p.succeed(vote{p.expects, p.log.last, p.current})
		return
	}
	assert(p.stored == p.seq || p.faults != (faults{}), "an election begins while writes are under way")
	e := &p.election
	held := e.held
	e.running, e.round = true, e.round+1
	e.mine = p.firstVote()
	e.heard, e.outside, e.held = map[int64]ballot{}, map[int64]ballot{}, map[int64]heldVote{}
	e.repeatEvery = p.opts.MinNotification
	e.repeatAt = p.now + e.repeatEvery
	p.announce()
	p.tally()
	for _, sid := range p.view.voters() {
		if v, ok := held[sid]; ok && p.state == Looking {
			p.Notify(v.Notification)
		}
	}
}

// announce tells every voter the own vote, and counts it.
func (p *Peer) announce() {
	e := &p.election
	e.finalizeAt = never
	if p.view.isVoter(p.opts.ID) {
		e.heard[p.opts.ID] = ballot{vote: e.mine, round: e.round, version: NotificationVersion}
	}
	for _, sid := range p.view.voters() {
		if sid != p.opts.ID {
			p.tell(sid)
		}
	}
}

// tell sends what this server votes for, or whom it has as its leader.
func (p *Peer) tell(sid int64) {
	n := Notification{Sid: p.opts.ID, State: p.state, Version: NotificationVersion, Config: p.view.active.Text}
	v := p.vote
	n.Round = p.voteTurn
	if p.state == Looking {
		v, n.Round = p.election.mine, p.election.round
	}
	n.Leader, n.Zxid, n.PeerEpoch = v.leader, v.zxid, v.epoch
	p.out.Votes = append(p.out.Votes, Ballot{To: sid, Notification: n})
}

// Notify takes a vote.
func (p *Peer) Notify(n Notification) {
	if p.stopped != nil || n.Sid == p.opts.ID {
		return
	}
	if p.learnConfig(n) {
		return
	}
	switch {
	case p.state == Looking && !p.election.running:
		p.hold(n)
	case !p.view.isVoter(n.Sid):
		// It learns of the leader here, and has no say. Two who take each other for such would
		// go on answering answers.
		if n.State == Looking {
			p.tell(n.Sid)
		}
	case p.state != Looking && n.State != Looking:
		delete(p.election.held, n.Sid)
	case p.state != Looking:
		// If it is only the first to know that the leader is gone, its vote counts.
		p.hold(n)
		p.tell(n.Sid)
	default:
		p.count(n)
	}
}

// learnConfig takes over a later configuration, and tells whether it changed
// the election, which is then begun anew.
func (p *Peer) learnConfig(n Notification) bool {
	if p.state != Looking || !p.opts.Reconfig || len(n.Config) == 0 || p.opts.Parse == nil {
		return false
	}
	m, err := p.opts.Parse(n.Config)
	if err != nil || m.valid() != nil || m.Version <= p.view.active.Version {
		return false
	}
	changed := !m.same(p.view.active)
	p.activate(m)
	if !changed {
		return false
	}
	p.election.rest()
	p.reason = "a later configuration"
	if p.stored == p.seq {
		p.startElection()
	}
	return true
}

// count takes the vote of a voter while looking.
func (p *Peer) count(n Notification) {
	if !p.view.isVoter(n.Leader) {
		if n.State == Looking && n.Round > p.election.round {
			p.joinRound(n.Round)
		}
		return
	}
	b := ballot{vote: vote{n.Leader, n.Zxid, n.PeerEpoch}, round: n.Round, state: n.State, version: n.Version}
	switch n.State {
	case Looking:
		p.countLooking(n.Sid, b)
	case Following, Leading:
		p.countSettled(n.Sid, b)
	case Observing: // no vote
	}
}

// joinRound goes on with a later round, in which a server is that proposes nobody:
// it does not know of the reconfiguration under way that gives it a vote, and
// what is said in its round is all that it listens to.
func (p *Peer) joinRound(round int64) {
	e := &p.election
	e.round = round
	clear(e.heard)
	e.mine = p.firstVote()
	p.announce()
	p.tally()
}

func (p *Peer) countLooking(sid int64, b ballot) {
	e := &p.election
	if p.log.last == -1 || b.zxid == -1 {
		return // a log that nobody vouches for has no say
	}
	switch {
	case b.round < e.round:
		p.tell(sid)
		return
	case b.leader == p.opts.ID && b.vote != p.standing():
		// Somebody believes what this server said before its log was cut. In a new
		// round everybody forgets it.
		p.joinRound(b.round + 1)
		return
	case b.round > e.round:
		e.round = b.round
		clear(e.heard)
		e.mine = p.firstVote()
		if p.electable(b.leader) && b.better(e.mine) {
			e.mine = b.vote
		}
		p.announce()
	case p.electable(b.leader) && b.better(e.mine):
		e.mine = b.vote
		p.announce()
	}
	e.heard[sid] = b
	p.tally()
}

// electable tells whether a server may be voted for: its own vote must count.
func (p *Peer) electable(sid int64) bool {
	return p.view.active.Quorum.Weight(sid) > 0 || p.view.pending() && p.view.lastSeen.Quorum.Weight(sid) > 0
}

// tally looks whether a quorum votes as this server does. If servers might
// still speak, it waits a little for something better from them.
func (p *Peer) tally() {
	e := &p.election
	if !e.running || !p.view.hasQuorum(func(id int64) bool { return p.agrees(id) }) {
		e.finalizeAt = never
		return
	}
	if p.allHeard() {
		p.decide()
		return
	}
	e.finalizeAt = min(e.finalizeAt, p.now+p.opts.FinalizeWait)
}

func (p *Peer) agrees(id int64) bool {
	b, ok := p.election.heard[id]
	return ok && b.vote == p.election.mine && b.round == p.election.round
}

// allHeard tells that nobody is left who could bring a better vote: everybody
// agrees, cannot be reached, or is the leader that was lost.
func (p *Peer) allHeard() bool {
	e := &p.election
	for _, id := range p.view.voters() {
		_, spoke := e.heard[id]
		if !p.agrees(id) && !p.unreached[id] && (spoke || id != e.lost) {
			return false
		}
	}
	return true
}

// decide ends the election with the vote of the quorum.
func (p *Peer) decide() {
	e := &p.election
	e.finalizeAt = never
	switch {
	case e.mine.leader != p.opts.ID:
		p.follow(ballot{vote: e.mine, round: e.round})
	case p.electable(p.opts.ID):
		p.lead(e.mine)
	}
}

// countSettled takes the vote of a server that has a leader. A quorum of those,
// with the leader's own word among them, is a leader to follow.
func (p *Peer) countSettled(sid int64, b ballot) {
	e := &p.election
	if b.round == e.round {
		e.heard[sid] = b
		if p.settledQuorum(e.heard, b) && p.leaderAgrees(e.heard, b) {
			p.follow(b)
			return
		}
	}
	e.outside[sid] = b
	if p.settledQuorum(e.outside, b) && p.leaderAgrees(e.outside, b) {
		e.round = b.round
		p.follow(b)
		return
	}
	p.tally() // a settled vote may have replaced one that counted
}

// settledQuorum tells whether a quorum has the leader that b tells of. Of two
// configurations one is enough: following is safe at any time, and a
// reconfiguration that was never committed must not keep a server outside by
// asking for votes of servers that only it counts.
func (p *Peer) settledQuorum(votes map[int64]ballot, b ballot) bool {
	return p.view.hasAnyQuorum(func(id int64) bool {
		o, ok := votes[id]
		return ok && b.sameLeader(o)
	})
}

// leaderAgrees asks for the leader's own word. This server cannot be the leader
// of others: it would have to lead before they follow.
func (p *Peer) leaderAgrees(votes map[int64]ballot, b ballot) bool {
	o, ok := votes[b.leader]
	return b.leader != p.opts.ID && ok && o.state == Leading
}

func (p *Peer) tickElection() {
	e := &p.election
	if e.running && p.now >= e.finalizeAt {
		p.decide()
		return
	}
	if e.running && p.now >= e.repeatAt && e.heir.leader != 0 && e.repeatEvery >= 4*p.opts.MinNotification {
		e.heir = vote{} // it is gone, or there are too few who vote for it
		e.repeatAt = p.now + e.repeatEvery
		p.joinRound(e.round + 1)
		return
	}
	if e.running && p.now >= e.repeatAt {
		e.repeatEvery = min(2*e.repeatEvery, p.opts.MaxNotification)
		e.repeatAt = p.now + e.repeatEvery
		at := e.finalizeAt
		p.announce()
		e.finalizeAt = at
	}
}

// succeed takes up the role that a reconfiguration has given, without an election.
func (p *Peer) succeed(v vote) {
	p.expects = 0
	if v.leader == p.opts.ID {
		p.lead(v)
		return
	}
	p.follow(ballot{vote: v, round: p.election.round})
}
