package zab

import (
	"errors"
	"fmt"
	"time"
)

// Errors of this package.
var (
	// ErrConfig is for a configuration that cannot be used.
	ErrConfig = errors.New("bad configuration")
	// ErrState is for a state from disk that cannot be.
	ErrState = errors.New("bad state on disk")
	// ErrNotLeading is for what only a leader that serves can do.
	ErrNotLeading = errors.New("this server does not lead")
	// ErrHandingOver is for a proposal to a leader that is about to step down.
	ErrHandingOver = errors.New("this leader hands over")
	// ErrReconfigInProgress is for a reconfiguration while another is under way.
	ErrReconfigInProgress = errors.New("a reconfiguration is in progress")
	// ErrNoQuorum is for a reconfiguration whose servers are not in sync.
	ErrNoQuorum = errors.New("no quorum of the new configuration is connected and in sync")
	// ErrEpochFull is for a proposal that has no number left in this epoch. The
	// leader steps down, so that a new epoch begins.
	ErrEpochFull = errors.New("the epoch has no numbers left")
)

// Options are what a peer is made of. Zero durations and counts stand for
// Apache's defaults.
type Options struct {
	ID int64
	// Active is the configuration in force, LastSeen the one that was seen last;
	// nil if it is the same.
	Active, LastSeen *Membership
	// Parse reads the text of a configuration.
	Parse func(text []byte) (*Membership, error)
	// Reconfig allows configurations to change.
	Reconfig bool

	// Accepted and Current are the epochs on disk.
	Accepted, Current int64
	// Last is the end of the log on disk, -1 if nothing is known and the server
	// must not take part in elections. Applied is how far the state machine is.
	Last, Applied int64
	// Recent is the end of the log: everything in (RecentAfter, Last], and at
	// least everything in (Applied, Last].
	Recent      []Entry
	RecentAfter int64
	// Replayable says whether the log on disk holds everything behind zxid, and
	// little enough of it that sending it beats sending the state. nil for never.
	// It is the one thing that is asked of the outside while a learner is brought in line.
	Replayable func(zxid int64) bool

	// Tick is the unit of the limits; InitLimit and SyncLimit are counted in it.
	Tick                 time.Duration // 2 s
	InitLimit, SyncLimit int           // 10, 5
	// FinalizeWait is how long better votes are waited for from servers that might
	// still speak.
	FinalizeWait time.Duration // 200 ms
	// MinNotification and MaxNotification bound how often votes are repeated.
	MinNotification, MaxNotification time.Duration // 200 ms, 60 s
	// ConnectRetry is the time between attempts to reach the leader, of which
	// there are ConnectTries.
	ConnectRetry time.Duration // 100 ms
	ConnectTries int           // 5
	// MaxSnapSyncs and MaxDiffSyncs are how many learners may be brought in line at
	// a time, by the state and otherwise. Observers are refused beyond that.
	MaxSnapSyncs, MaxDiffSyncs int // 10, 100
	// FeedObservers lets this server feed observers while it follows.
	FeedObservers bool
	// CommitLog is how many transactions are kept for learners.
	CommitLog int // 500
}

func (o *Options) defaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	count := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&o.Tick, 2*time.Second)
	def(&o.FinalizeWait, 200*time.Millisecond)
	def(&o.MinNotification, 200*time.Millisecond)
	def(&o.MaxNotification, time.Minute)
	def(&o.ConnectRetry, 100*time.Millisecond)
	count(&o.InitLimit, 10)
	count(&o.SyncLimit, 5)
	count(&o.ConnectTries, 5)
	count(&o.CommitLog, 500)
	count(&o.MaxSnapSyncs, 10)
	count(&o.MaxDiffSyncs, 100)
	if o.LastSeen == nil {
		o.LastSeen = o.Active
	}
}

// never is a time that does not come.
const never = time.Duration(1<<63 - 1)

// durable is a write under way and what will be true once it is done.
type durable struct {
	seq     uint64
	last    int64
	current int64
}

// Peer is one server's part in the agreement. It is driven by one goroutine.
type Peer struct {
	opts Options
	view view
	log  history

	// current <= accepted. current is the epoch whose history the log is a prefix
	// of; accepted is the highest that a leader was promised.
	accepted, current int64

	state    State
	phase    Phase
	leaderID int64
	reason   string
	left     string // the reason for which the last role was left
	meant    bool   // nothing went wrong then

	now     time.Duration
	seq     uint64 // of the last write
	stored  uint64 // all writes up to here are durable
	pending []durable
	lists   lists
	// settled is the end of the log that is durable.
	settled int64

	vote     vote // the vote that led to this role; what others are told
	voteTurn int64
	election election
	learner  learner
	leader   *leader
	master   *feed // the observers of a follower that feeds them, nil of any other server
	// expects is who shall lead after a reconfiguration, so that there need be no
	// election; 0 if there must be one.
	expects int64
	// leaves tells that this server is about to end, and is not to be counted on.
	leaves bool
	// pause lets an observer wait before it connects: it was refused.
	pause bool
	// seenEpoch is the highest epoch that anybody claimed to have accepted.
	seenEpoch int64
	unreached map[int64]bool // servers without a connection for elections
	resync    resync
	stopped   error

	out    Ready
	told   Status
	faults faults
}

// New makes a peer that looks for a leader.
func New(opts Options) (*Peer, error) {
	opts.defaults()
	p := &Peer{
		opts: opts, accepted: opts.Accepted, current: opts.Current, settled: opts.Last,
		view: view{active: opts.Active, lastSeen: opts.LastSeen},
		log: history{window: opts.Recent, before: opts.RecentAfter, last: opts.Last, applied: opts.Applied,
			keep: opts.CommitLog},
		unreached: map[int64]bool{}, election: election{held: map[int64]heldVote{}},
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	p.told = Status{State: -1}
	p.look("start")
	return p, nil
}

// check refuses what cannot have been written by a server that keeps the rules.
func (p *Peer) check() error {
	for _, m := range []*Membership{p.view.active, p.view.lastSeen} {
		if err := m.valid(); err != nil {
			return err
		}
	}
	if p.view.lastSeen.Version < p.view.active.Version {
		p.view.lastSeen = p.view.active
	}
	p.raiseEpoch()
	p.seenEpoch = p.accepted
	switch {
	case p.accepted < p.current:
		return fmt.Errorf("%w: accepted epoch %d is below the current epoch %d (last transaction %s)", ErrState, p.accepted, p.current, zxidText(p.log.last))
	case p.log.last == -1 && p.log.applied <= 0:
		p.log.applied = p.log.last
	case p.log.applied > p.log.last || p.log.before > p.log.applied:
		return fmt.Errorf("%w: applied %s, log of %s to %s", ErrState, zxidText(p.log.applied), zxidText(p.log.before), zxidText(p.log.last))
	}
	prev := p.log.before
	for _, e := range p.log.window {
		if !follows(prev, e.Zxid) && prev != p.log.before {
			return fmt.Errorf("%w: %s stands after %s in the log", ErrState, zxidText(e.Zxid), zxidText(prev))
		}
		prev = e.Zxid
	}
	if len(p.log.window) > 0 && prev != p.log.last {
		return fmt.Errorf("%w: the log ends with %s and not with %s", ErrState, zxidText(prev), zxidText(p.log.last))
	}
	return nil
}

// raiseEpoch sees to it that the current epoch is not below the log's. A server
// that left a synchronization early, or fell between its end and the write of the
// epoch, has transactions of a later epoch than the current one. They were sent
// behind all that precedes them in that epoch, so the log is a prefix of that
// epoch's history, which is all that the current epoch says.
func (p *Peer) raiseEpoch() { p.current = max(p.current, EpochOf(p.log.last)) }

// Tick tells the time, as a distance from a fixed moment in the past. It never
// goes back. Everything else happens at the time of the last Tick.
func (p *Peer) Tick(now time.Duration) {
	p.now = max(p.now, now)
	switch {
	case p.stopped != nil:
	case p.state == Looking:
		p.tickElection()
	case p.state == Leading:
		p.tickLeader()
	default:
		p.tickLearner()
	}
}

// Deadline is when Tick is wanted next, at the latest.
func (p *Peer) Deadline() time.Duration {
	switch {
	case p.stopped != nil:
		return never
	case p.state == Looking:
		return p.election.deadline()
	case p.state == Leading:
		return p.leader.nextTick
	}
	if p.master != nil {
		return min(p.learner.timer(), p.master.nextTick)
	}
	return p.learner.timer()
}

// Step takes a message of a link. A message that breaks the protocol costs the
// link; the error says why.
func (p *Peer) Step(link Link, m *Message) error {
	switch {
	case p.stopped != nil:
		return nil
	case p.state == Leading:
		return p.stepLeader(link, m)
	case p.master != nil && link != p.learner.link:
		return p.stepMaster(link, m)
	case p.state != Looking && link == p.learner.link && link != 0:
		err := p.stepLearner(m)
		if err == nil {
			break
		}
		p.look(err.Error())
		if p.meant = errors.Is(err, errMoved); !p.meant {
			return err
		}
	}
	return nil // of a link that was given up
}

// LinkUp tells of a link that a learner has opened.
func (p *Peer) LinkUp(link Link) {
	if feed := p.feed(); feed != nil && p.stopped == nil {
		feed.add(link, p.now+p.limit(p.opts.InitLimit+p.opts.SyncLimit))
		return
	}
	p.out.Close = append(p.out.Close, link)
}

// Connected tells of the link that Ready.Connect has asked for, the last time that
// it did: whoever was asked for before that may lead no more.
func (p *Peer) Connected(link Link) {
	if p.stopped == nil && p.state != Leading && p.state != Looking && p.learner.connecting {
		p.greet(link)
		return
	}
	p.out.Close = append(p.out.Close, link)
}

// Heard tells of a sign of life that is no message so far: a part of a state.
func (p *Peer) Heard(link Link) {
	switch {
	case p.stopped != nil:
	case p.feed() != nil && link != p.learner.link:
		if f := p.feed().find(link); f != nil {
			f.deadline = max(f.deadline, p.now+p.limit(p.opts.InitLimit))
		}
	case p.state != Looking && link == p.learner.link && link != 0:
		p.learner.deadline = max(p.learner.deadline, p.now+p.limit(p.opts.InitLimit))
	}
}

// ConnectFailed tells a learner that its leader could not be reached.
func (p *Peer) ConnectFailed() {
	if p.stopped == nil && p.state != Leading && p.state != Looking && p.learner.connecting {
		p.connectFailed()
	}
}

// LinkDown tells that a link is gone.
func (p *Peer) LinkDown(link Link) {
	switch {
	case p.stopped != nil:
	case p.state == Leading:
		p.lostLearner(link)
	case p.state != Looking && link == p.learner.link:
		p.learner.link = 0
		p.pause = p.phase == Synchronization && p.learner.mode == 0 && p.state == Observing
		p.look("the connection to the leader was lost")
	case p.master != nil:
		if f := p.master.find(link); f != nil {
			p.forget(f)
		}
	}
}

// Reachable tells whether there is a connection for elections to a server. One
// that was never spoken of might still speak.
func (p *Peer) Reachable(sid int64, ok bool) {
	if ok {
		delete(p.unreached, sid)
		return
	}
	p.unreached[sid] = true
	if p.stopped == nil && p.state == Looking {
		p.tally()
	}
}

// Stored tells that the write with this number and all before it are durable.
func (p *Peer) Stored(seq uint64) {
	if p.stopped != nil || seq <= p.stored {
		return
	}
	assert(seq <= p.seq, "write %d is durable, and %d is the last one", seq, p.seq)
	p.stored = seq
	n := 0
	for n < len(p.pending) && p.pending[n].seq <= seq {
		p.settled = p.pending[n].last
		n++
	}
	current := int64(-1)
	if n > 0 {
		current = p.pending[n-1].current
	}
	p.pending = p.pending[:copy(p.pending, p.pending[n:])]
	switch {
	case p.state == Leading:
		p.storedAsLeader(current)
	case p.state == Looking && p.stored == p.seq:
		p.startElection()
	}
}

// StoreFailed tells that a write failed. It may or may not be on the disk, and
// no later sync can tell: the peer says nothing more, and the process must end.
func (p *Peer) StoreFailed(err error) {
	p.stopped = err
	p.out = Ready{}
}

// Ready gives what there is to do since the last time.
func (p *Peer) Ready() Ready {
	if s := p.Status(); s != p.told {
		p.told = s
		p.out.Status = &s
	}
	if p.leader != nil {
		p.leader.asked = nil
	}
	r := p.out
	p.out = Ready{}
	return r
}

// Status is what the server is now.
func (p *Peer) Status() Status {
	return Status{State: p.state, Phase: p.phase, Leader: p.leaderID, Epoch: p.current, Reason: p.reason, Left: p.left, Meant: p.meant}
}

// Last is the end of the log, written or under way.
func (p *Peer) Last() int64 { return p.log.last }

// Forgotten is the last transaction that is not in memory any more, for learners
// that come back; 0 if all are.
func (p *Peer) Forgotten() int64 { return p.log.before }

// Applied is how far transactions were handed out to be applied.
func (p *Peer) Applied() int64 { return p.log.applied }

// Active is the configuration in force.
func (p *Peer) Active() *Membership { return p.view.active }

// LastSeen is the configuration that shall follow, or Active.
func (p *Peer) LastSeen() *Membership { return p.view.lastSeen }

// commit hands out transactions up to zxid.
func (p *Peer) commit(zxid int64) {
	if zxid <= p.log.applied {
		return
	}
	part := p.log.between(p.log.applied, zxid)
	if p.out.Commit == nil {
		p.out.Commit = p.lists.get(len(part))
	}
	p.out.Commit = append(p.out.Commit, part...)
	p.log.applied = zxid
	if len(part) == 0 || part[len(part)-1].Zxid != zxid {
		bug("%s shall be committed and is not in the log, which ends with %s", zxidText(zxid), zxidText(p.log.last))
	}
}

// look gives up the role, whatever it is, and looks for a leader once all that
// was written is durable: a vote speaks of the log and the epoch on the disk,
// and no write of an earlier role may come after what a later one decides
// (ZOOKEEPER-4712).
func (p *Peer) look(reason string) { p.stepDownFor(vote{}, reason) }

// stepDownFor is look of a leader that votes for another server then.
func (p *Peer) stepDownFor(heir vote, reason string) {
	p.leaveRole()
	lost := p.leaderID
	p.state, p.phase, p.leaderID, p.reason = Looking, Election, 0, reason
	p.left, p.meant = reason, false
	p.dropOldVotes()
	p.election.rest()
	p.election.heir = heir
	if lost != p.opts.ID {
		p.election.lost = lost
	}
	if p.stored == p.seq || p.faults.electWithWritesUnderWay {
		p.startElection()
	}
}

func (p *Peer) leaveRole() {
	if feed := p.feed(); feed != nil {
		p.closeAll(feed)
	}
	if p.leader != nil {
		p.denyReads()
	}
	p.leader, p.master = nil, nil
	if p.learner.link != 0 {
		p.out.Close = append(p.out.Close, p.learner.link)
	}
	p.learner = learner{}
}
