package peer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/peer/mesh"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/zab"
)

const (
	// readAhead is how much of what came on connections may wait for its turn; then nothing more is read.
	readAhead = 64
	// roundsOfOthers is how often one who has brought something does what others bring meanwhile, before the loop's own
	// goroutine does.
	roundsOfOthers = 16
	// patience is how long a learner waits at a member that may be about to lead. Its election can be over before the
	// leader's is; to refuse it would cost it a new one.
	patience = time.Second
	// waitingMost is how many packets such a learner may send: it says who it is, and has to wait for the answer then.
	waitingMost = 8
)

// loop owns the zab.Peer. Whoever has its turn is in it, one at a time: those who bring something take it if it is free,
// which saves waking a goroutine for each step on the way of a write. A goroutine of its own does what is due at a time,
// and what was brought while somebody else had the turn for long.
type loop struct {
	turn sync.Mutex
	// armed is when the goroutine looks at the time again.
	armed time.Duration

	// now is the time of this round.
	now time.Duration

	p     *Peer
	err   error
	conns map[zab.Link]*link.Conn
	early []earlyLearner
	twins []*twin
	// toldOfTwins is when it was told of twins of a member; follows is whom a member has as its leader, by its last vote.
	toldOfTwins map[int64]time.Duration
	follows     map[int64]int64
	states      map[zab.Link]*future // frozen for learners that are sent SNAP now
	// arrivals are states that have come from a leader and were not given to the disk.
	arrivals map[zab.Link]*received
	dirty    map[*link.Conn]struct{} // to be flushed
	kept     kept
	own      []Batch // proposed here, on their way to the disk
	held     []Batch // to be proposed if a hand-over comes to nothing
	status   zab.Status
	alone    alone
	frame    zab.Message        // what is looked at and not kept
	dial     context.CancelFunc // ends the attempt to reach the leader
	dialNo   uint64
	failed   failedDial
	others   string // the configuration of a leader that was told of because it is not this member's
	// masterNo counts the attempts to reach a follower that feeds observers; master is whom this learner has reached.
	masterNo, master int64
	// up is the uplink of a learner that serves or served last, nil of a leader; renewers are those who wait for answers to
	// REVALIDATE there, in order: observers by their links, or this member's machine, as 0.
	up       *uplink
	renewers []zab.Link
	renewed  bool           // an observer has asked for a session in this role
	parted   int64          // the epoch of a leader that has taken leave of this learner
	feedsAt  []wire.Address // where this follower feeds observers, nil if it feeds nobody

	// What Metrics are made of.
	marks        marks
	ownAcks      acked // by this leader's disk
	since        struct{ looking, syncing time.Duration }
	diffs, snaps int64 // learners that are being brought in line
}

// earlyLearner is a learner that came before this member knew whether it leads.
type earlyLearner struct {
	conn  *link.Conn
	until time.Duration
}

// turnAway ends its connection: this member does not lead, or does not know it in time.
func (e *earlyLearner) turnAway() {
	contactOf(e.conn).waits = nil
	e.conn.Finish()
}

// waiting is what a learner has sent that has to wait for its turn.
type waiting struct{ packets []link.Packet }

// errEager is for a learner that does not wait.
var errEager = errors.New("it goes on before it is answered")

// hold keeps what a learner has sent, unless that is too much.
func (w *waiting) hold(batch []link.Packet) error {
	if len(w.packets)+len(batch) > waitingMost {
		w.packets = nil
		return errEager
	}
	w.packets = append(w.packets, batch...)
	return nil
}

func newLoop(p *Peer) loop {
	return loop{p: p, conns: map[zab.Link]*link.Conn{}, states: map[zab.Link]*future{}, arrivals: map[zab.Link]*received{}, dirty: map[*link.Conn]struct{}{}, toldOfTwins: map[int64]time.Duration{}, follows: map[int64]int64{}, status: zab.Status{State: -1}, dial: func() {}}
}

// run does what is due, until ctx ends or the member cannot go on. It keeps the turn: nothing is brought any more.
func (l *loop) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var vote *mesh.Message
		select {
		case m := <-l.p.mesh.Received():
			vote = &m
		case <-l.p.inbox.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		l.turn.Lock()
		if ctx.Err() != nil {
			return nil
		}
		if l.round(vote); l.err != nil {
			return l.err
		}
		l.armed = l.deadline()
		timer.Reset(max(0, min(l.armed-l.p.cfg.Now(), time.Hour)))
		l.turn.Unlock()
		l.bring()
		l.p.machine.nudge()
	}
}

// round takes what was brought, and a vote if there is one, and does what comes of it.
func (l *loop) round(vote *mesh.Message) {
	if l.err != nil {
		return
	}
	l.tick()
	for _, list := range l.p.applied.take() {
		l.kept.applied = list[len(list)-1].Zxid
		l.p.zab.Reuse(list) // what was sent of it was sent in the round that made it
	}
	if vote != nil {
		l.vote(*vote)
	}
	for _, f := range l.p.inbox.take() {
		f()
	}
	l.settle()
}

// bring takes the turn as long as it is free and something was brought. Whoever has it looks again after giving it
// back, so that nothing is left.
func (l *loop) bring() {
	for range roundsOfOthers {
		if l.p.inbox.empty() || !l.turn.TryLock() {
			return
		}
		l.round(nil)
		failed := l.err != nil
		early := l.deadline() < l.armed
		l.turn.Unlock()
		if failed || early {
			l.p.inbox.signal()
		}
		if failed {
			return
		}
	}
	l.p.inbox.nudge()
}

func (l *loop) tick() {
	now := l.p.cfg.Now()
	l.now = now
	l.p.zab.Tick(now)
	l.reportAlone(now)
	l.lookAtTwins()
	for len(l.early) > 0 && now >= l.early[0].until {
		l.early[0].turnAway()
		l.early = l.early[1:]
	}
}

func (l *loop) deadline() time.Duration {
	at := l.twinsDue(l.alone.before(l.p.zab.Deadline()))
	if len(l.early) > 0 {
		at = min(at, l.early[0].until)
	}
	return at
}

// drain takes what was brought too late, when nothing is brought any more, and gives up what was not wanted.
func (l *loop) drain() {
	for _, f := range l.p.inbox.take() {
		f()
	}
	for id := range l.arrivals {
		l.release(id)
	}
}

// fail ends the loop.
func (l *loop) fail(err error) {
	l.err = err
	l.p.zab.StoreFailed(err)
}

// stored takes the disk's word, and says what waited for it.
func (l *loop) stored(jobs []write) {
	l.countStored(jobs)
	seq := uint64(0)
	for i := range jobs {
		l.ack(&jobs[i].Write)
		for _, o := range jobs[i].Release {
			l.send(o.Link, o.Msg)
		}
		seq = max(seq, jobs[i].Seq)
	}
	l.p.zab.Stored(seq)
	for i := range jobs {
		if n := len(jobs[i].Entries); n > 0 {
			l.kept.stored = jobs[i].Entries[n-1].Zxid
			l.p.zab.Reuse(jobs[i].Entries)
		}
	}
}

// ack acknowledges transactions to the leader.
func (l *loop) ack(w *zab.Write) {
	c := l.conns[w.Ack]
	if c == nil {
		return
	}
	c.Append(len(w.Entries), func(b []byte) []byte {
		for i := range w.Entries {
			b = wire.AppendAck(b, w.Entries[i].Zxid)
		}
		return b
	})
	l.dirty[c] = struct{}{}
}

// propose puts a batch before the ensemble. One of an earlier term is dropped: its owner will hear of that. While this
// leader hands over a batch waits, for it may go on leading, and the numbers behind the batch are given away.
func (l *loop) propose(b Batch) {
	failpoint.Pass(failpoint.Propose)
	entries := b.Entries(l.p.zab.List())
	next := l.p.zab.NextZxid()
	switch leads := l.p.zab.Status().Epoch == zab.EpochOf(entries[0].Zxid); {
	case leads && next == 0 && l.p.zab.HandingOver():
		l.held = append(l.held, b)
		return
	case !leads || next == 0:
		l.p.log.Info("a proposal was dropped: this member does not lead in its epoch", "zxid", hex(entries[0].Zxid))
		l.p.waiting.sub(len(b.Records))
		return
	}
	if b.Config != nil {
		l.p.zab.TakeLeave(b.Farewell)
	}
	n, err := l.p.zab.Propose(entries...)
	taken := len(b.Records)
	if n > 0 {
		l.marks.add(&entries[n-1])
		if b.Filled != nil {
			l.kept.add(entries[0].Zxid-1, b.Filled, l.p.cfg.Machine.Free)
		}
		l.p.Metrics.proposals.proposed(entries[:n])
	}
	if err != nil {
		l.p.log.Warn("a proposal was refused", "zxid", hex(entries[n].Zxid), "reason", err)
		l.p.zab.StepDown("a transaction could not be proposed") // and what comes next has a later number
		taken = 0
		for _, e := range entries[:n] {
			taken += storage.RecordLen(len(e.Data))
		}
	}
	if b.Config != nil {
		taken = 0 // a write of the configuration stands between its transactions: they are counted one by one
	}
	l.p.waiting.sub(len(b.Records) - taken)
	if taken > 0 {
		b.Records = b.Records[:taken]
		l.own = append(l.own, b)
	}
}

// proposeHeld goes on with what waited for the end of a hand-over.
func (l *loop) proposeHeld() {
	if len(l.held) == 0 || l.p.zab.HandingOver() {
		return
	}
	held := l.held
	l.held = nil
	for _, b := range held {
		l.propose(b)
	}
}

// settle does what there is to do.
func (l *loop) settle() {
	for {
		l.proposeHeld()
		r := l.p.zab.Ready()
		if r.Empty() {
			break
		}
		l.do(&r)
	}
	l.openToObservers()
	for c := range l.dirty {
		c.WriteNow()
	}
	clear(l.dirty)
	l.kept.release(l.p.zab.Forgotten())
}

func (l *loop) do(r *zab.Ready) {
	if r.Status != nil {
		l.kept = kept{}
	}
	l.findMembers()
	r.Upcalls = l.relay(r.Upcalls)
	stops := r.Status != nil && !r.Status.Serving()
	if stops { // before a state can take the place of the one that is served
		l.tellMachine(r)
	}
	l.write(r.Writes)
	for i := range r.Votes {
		l.ballot(&r.Votes[i])
	}
	if !stops {
		l.tellMachine(r)
	}
	l.sendAll(r.Sends)
	for _, id := range r.Close {
		if c := l.conns[id]; c != nil {
			l.noteSilence(c)
			contactOf(c).route.Store(nil)
			c.Finish()
		}
	}
	if r.Connect != nil {
		l.connect(*r.Connect)
	}
	if r.Status != nil {
		if r.Status.Serving() {
			l.serve(*r.Status)
		}
		l.became(*r.Status)
	}
}

// serve lets clients in. By now all has been sent that comes before their requests.
func (l *loop) serve(s zab.Status) {
	role := Role{Status: s}
	if role.Leads() {
		role.NextZxid = l.p.zab.NextZxid()
		l.p.Metrics.proposals.reset()
		l.ownAcks = l.marks.begin(l.p.Metrics.acksOf(l.p.cfg.ID))
	}
	l.up, l.renewers, l.renewed = nil, nil, false
	role.Uplink = l.p.zab.Uplink()
	if c := l.conns[role.Uplink]; c != nil {
		l.up = &uplink{conn: c}
		role.Master = l.master
	}
	l.p.uplink.Store(l.up)
	l.push(job{serve: &role})
}

// write gives writes to the disk. The transactions of a leader were counted when they were proposed.
func (l *loop) write(writes []zab.Write) {
	for _, w := range writes {
		job := write{Write: w}
		if r, ok := w.Snapshot.(*received); ok {
			maps.DeleteFunc(l.arrivals, func(_ zab.Link, o *received) bool { return o == r })
		}
		counted := 0
		for i := 0; len(l.own) > 0 && i < len(w.Entries); i++ {
			if w.Entries[i].Zxid == storage.Zxid(storage.Entry(l.own[0].Records, 0)) {
				counted += len(l.own[0].Records)
				job.batches = append(job.batches, l.own[0])
				l.own = l.own[1:]
			}
		}
		if job.size = counted; counted == 0 {
			job.size = size(w.Entries)
			l.p.waiting.add(job.size)
		}
		l.p.disk.jobs.push(job)
	}
}

// tellMachine hands what is agreed to the machine, and what it is now: what was committed before the member stopped
// serving is answered, and clients are let in behind all that is committed. A state that is to be sent is frozen between
// the transactions before its zxid and those behind it, which its learner gets, too.
func (l *loop) tellMachine(r *zab.Ready) {
	commits := r.Commit
	if len(commits) > 0 {
		failpoint.Pass(failpoint.Commit)
		l.countCommits(commits)
	}
	for i := range r.Sends {
		s := &r.Sends[i]
		if s.Msg == nil || s.Msg.Type != zab.Snap {
			continue
		}
		n := 0
		for n < len(commits) && commits[n].Zxid <= s.Msg.Zxid {
			n++
		}
		l.push(job{commit: commits[:n]})
		commits = commits[n:]
		l.states[s.Link] = newFuture()
		l.push(job{freeze: l.states[s.Link]})
	}
	j := job{commit: commits, list: r.Commit, reads: r.Reads, messages: r.Upcalls, configure: r.Config}
	if r.Status != nil && !r.Status.Serving() {
		l.p.uplink.Store(nil)
		j.serve = &Role{Status: *r.Status}
	}
	l.push(j)
}

// push gives the machine a job, unless it is empty.
func (l *loop) push(j job) {
	if j.serve == nil && j.freeze == nil && len(j.commit)+len(j.reads)+len(j.messages) == 0 && j.configure == nil {
		return
	}
	j.size = size(j.commit)
	l.p.waiting.add(j.size)
	l.p.machine.add(j)
}

// became looks after those who came too early.
func (l *loop) became(s zab.Status) {
	failpoint.Pass(statePoint(s.State))
	s = l.explain(s)
	l.noteLoss(l.status, s)
	l.countStatus(s)
	l.noteQuorum(s)
	l.status = s
	what := []any{"state", s.State.String(), "phase", s.Phase.String(), "epoch", s.Epoch}
	if s.State == zab.Looking {
		what = append(what, "reason", s.Reason)
	} else {
		what = append(what, "leader", s.Leader)
	}
	l.p.log.Info("state of the member", what...)
	if s.State == zab.Looking {
		return
	}
	early := l.early
	l.early = nil
	for _, e := range early {
		if s.State != zab.Leading {
			e.turnAway()
			continue
		}
		l.accept(e.conn)
		l.goOn(e.conn)
	}
}

// findMembers keeps the directory in step with the configurations. Members that are in none any more are forgotten.
func (l *loop) findMembers() {
	was, active, lastSeen := l.p.members.Load(), l.p.zab.Active(), l.p.zab.LastSeen()
	if was.active == active && was.lastSeen == lastSeen {
		return
	}
	dir, err := newDirectory(l.p.cfg.MultiAddress, active, lastSeen)
	if err != nil {
		l.fail(err) // it was read before
		return
	}
	l.p.members.Store(dir)
	for sid := range was.election {
		if _, ok := dir.election[sid]; !ok {
			l.p.mesh.Forget(sid)
		}
	}
	if was.active != active {
		l.movePorts(was, dir)
	}
}

// movePorts has this member listen where the configuration in force says.
func (l *loop) movePorts(was, dir *directory) {
	before, after := was.own[l.p.cfg.ID], dir.own[l.p.cfg.ID]
	if len(after.election) == 0 {
		return // it has left
	}
	if !slices.Equal(before.election, after.election) {
		l.p.ports.election.move(after.election)
	}
	if !slices.Equal(before.quorum, after.quorum) {
		l.p.ports.quorum.move(after.quorum)
	}
}
