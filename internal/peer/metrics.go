package peer

import (
	"maps"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/tally"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/internal/zab"
)

// Metrics are counters of what a member did in its ensemble, read at any time. Ages are from the moment at which the
// leader made a transaction: by its clock in whole milliseconds, and by that of this member.
type Metrics struct {
	// Synced are the transactions that shared a sync of the log.
	Synced tally.Sizes
	// ProposalAge is that of proposals which a follower has received, AckAge that of transactions of which this member's
	// disk has told, CommitAge that of those which a learner has heard to be committed, QuorumAge that of those which a
	// quorum has on disk, for a leader.
	ProposalAge, AckAge, CommitAge, QuorumAge tally.Latency
	// ProposalsReceived and CommitsReceived are those of a learner that serves, Commits what a member that serves had to apply.
	ProposalsReceived, CommitsReceived, Commits atomic.Int64

	// Elections counts those that this member has begun, ElectionTime is how long they took until it knew its leader.
	Elections    atomic.Int64
	ElectionTime tally.Latency
	// Unavailable is how long the member did not serve until it did, LeaderUnavailable the same of what became the leader.
	Unavailable, LeaderUnavailable tally.Latency
	// FollowerSync and ObserverSync are how long it took to bring this learner in line with its leader.
	FollowerSync, ObserverSync tally.Latency

	// Diffs and States count the learners that were brought in line by transactions or by the whole state. DiffsAtATime
	// and StatesAtATime are how many were at it whenever one began or ended.
	Diffs, States               atomic.Int64
	DiffsAtATime, StatesAtATime tally.Sizes
	Revalidations               atomic.Int64 // sessions that learners have asked about

	proposals sizes
	mu        sync.Mutex
	acks      map[int64]*tally.Latency
}

// Reset starts anew what the command srst resets.
func (m *Metrics) Reset() {
	for _, l := range []*tally.Latency{&m.ProposalAge, &m.AckAge, &m.CommitAge, &m.QuorumAge, &m.ElectionTime, &m.Unavailable,
		&m.LeaderUnavailable, &m.FollowerSync, &m.ObserverSync} {
		l.Reset()
	}
	for _, s := range []*tally.Sizes{&m.Synced, &m.DiffsAtATime, &m.StatesAtATime} {
		s.Reset()
	}
	for _, n := range []*atomic.Int64{&m.ProposalsReceived, &m.CommitsReceived, &m.Commits, &m.Elections, &m.Diffs, &m.States, &m.Revalidations} {
		n.Store(0)
	}
	for _, l := range m.AckAges() {
		l.Reset()
	}
}

// AckAges are, by voter, the ages of the last transactions of batches when this leader has heard that the voter has them
// on disk.
func (m *Metrics) AckAges() map[int64]*tally.Latency {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.acks)
}

func (m *Metrics) acksOf(sid int64) *tally.Latency {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.acks == nil {
		m.acks = map[int64]*tally.Latency{}
	}
	if m.acks[sid] == nil {
		m.acks[sid] = new(tally.Latency)
	}
	return m.acks[sid]
}

// sizes are those of what this leader has proposed.
type sizes struct {
	spread tally.Spread
	last   atomic.Int64
}

// ProposalSizes are the lengths of the last, the shortest and the longest proposal of the present term, or of the last one,
// in bytes; -1 each while there was none.
func (m *Metrics) ProposalSizes() (last, shortest, longest int64) {
	if last = m.proposals.last.Load(); last == 0 {
		return -1, -1, -1
	}
	shortest, longest = m.proposals.spread.View()
	return last, shortest, longest
}

// proposed notes what this leader has proposed.
func (s *sizes) proposed(entries []zab.Entry) {
	low, high := len(entries[0].Data), 0
	for i := range entries {
		n := len(entries[i].Data)
		low, high = min(low, n), max(high, n)
	}
	s.spread.Note(int64(low), int64(high))
	s.last.Store(int64(len(entries[len(entries)-1].Data)))
}

func (s *sizes) reset() {
	s.spread.Reset()
	s.last.Store(0)
}

// ages adds those of transactions, which one leader has made in order: so their times need
// not all be looked at, which may not be in the processor's cache any more.
func ages(to *tally.Latency, now int64, entries []zab.Entry) {
	a := tally.AgesTo(to, now)
	for len(entries) > 0 {
		at := txn.Time(entries[0].Data)
		n := sort.Search(len(entries), func(i int) bool { return txn.Time(entries[i].Data) != at })
		a.Add(at, n)
		entries = entries[n:]
	}
	a.Flush()
}

// wallClock is what transactions have as their time.
func wallClock() int64 { return time.Now().UnixMilli() }

// marks are transactions whose acknowledgements are measured: the last of each batch that this leader has proposed. Older
// ones than there is room for are forgotten.
type marks struct {
	ring [256]mark
	n    uint64 // how many there were
}

type mark struct{ zxid, made int64 }

func (m *marks) add(e *zab.Entry) {
	m.ring[m.n%uint64(len(m.ring))] = mark{e.Zxid, txn.Time(e.Data)}
	m.n++
}

// acked is how far a voter has acknowledged marks.
type acked struct {
	next uint64
	ages *tally.Latency // nil while nothing is to be measured
}

// begin measures what is marked from now on.
func (m *marks) begin(ages *tally.Latency) acked { return acked{next: m.n, ages: ages} }

// reach adds the ages of the marks up to zxid that the voter has now.
func (m *marks) reach(a *acked, zxid int64) {
	if a.ages == nil || a.next == m.n {
		return
	}
	if room := uint64(len(m.ring)); m.n-a.next > room {
		a.next = m.n - room
	}
	to := tally.AgesTo(a.ages, wallClock())
	for ; a.next < m.n && m.ring[a.next%uint64(len(m.ring))].zxid <= zxid; a.next++ {
		to.Add(m.ring[a.next%uint64(len(m.ring))].made, 1)
	}
	to.Flush()
}

// serves tells whether the member served when the present round began, in that role.
func (l *loop) serves(as zab.State) bool { return l.status.Serving() && l.status.State == as }

// countReceived counts what a learner that serves has heard on a connection, and what learners ask.
func (l *loop) countReceived(c *link.Conn, batch []link.Packet) {
	m := &l.p.Metrics
	follows, observes := l.serves(zab.Following) && c.Dialled(), l.serves(zab.Observing)
	var proposed tally.Ages
	proposals, commits := int64(0), int64(0)
	for i := range batch {
		switch p := &batch[i]; {
		case follows && zab.Type(p.Type) == zab.Proposal && len(p.Data) >= txn.HeaderLen:
			if proposals++; proposals == 1 {
				proposed = tally.AgesTo(&m.ProposalAge, wallClock())
			}
			proposed.Add(txn.Time(p.Data), 1)
		case follows && zab.Type(p.Type) == zab.Commit:
			commits += 1 + p.Run
		case observes && zab.Type(p.Type) == zab.Inform:
			commits++
		case zab.Type(p.Type) == zab.Revalidate && !c.Dialled():
			m.Revalidations.Add(1)
		}
	}
	if proposals > 0 {
		proposed.Flush()
		m.ProposalsReceived.Add(proposals)
	}
	if commits > 0 {
		m.CommitsReceived.Add(commits)
	}
}

// countCommits counts what is committed.
func (l *loop) countCommits(entries []zab.Entry) {
	if len(entries) == 0 || !l.status.Serving() {
		return
	}
	m := &l.p.Metrics
	m.Commits.Add(int64(len(entries)))
	to := &m.CommitAge
	if l.status.State == zab.Leading {
		to = &m.QuorumAge
	}
	ages(to, wallClock(), entries)
}

// countStored counts what is on the disk by now.
func (l *loop) countStored(jobs []write) {
	if !l.status.Serving() {
		return // what this learner is brought in line with may be old
	}
	now := int64(0)
	for i := range jobs {
		entries := jobs[i].Entries
		if jobs[i].Kind != zab.WriteAppend || len(entries) == 0 {
			continue
		}
		if now == 0 {
			now = wallClock()
		}
		ages(&l.p.Metrics.AckAge, now, entries)
		l.marks.reach(&l.ownAcks, entries[len(entries)-1].Zxid)
	}
}

// countStatus takes what the member becomes, before it is that.
func (l *loop) countStatus(is zab.Status) {
	m, was, now := &l.p.Metrics, l.status, l.p.cfg.Now()
	if is.State == zab.Looking && was.State != zab.Looking {
		m.Elections.Add(1)
		l.since.looking = now
	}
	if was.State == zab.Looking && is.State != zab.Looking {
		m.ElectionTime.Add(1, now-l.since.looking)
	}
	if is.Phase == zab.Synchronization && was.Phase != zab.Synchronization {
		l.since.syncing = now
	}
	if is.Phase != zab.Broadcast || was.Phase == zab.Broadcast {
		return
	}
	m.Unavailable.Add(1, now-l.alone.since)
	switch {
	case is.State == zab.Leading:
		m.LeaderUnavailable.Add(1, now-l.alone.since)
	case was.Phase != zab.Synchronization:
	case is.State == zab.Following:
		m.FollowerSync.Add(1, now-l.since.syncing)
	case is.State == zab.Observing:
		m.ObserverSync.Add(1, now-l.since.syncing)
	}
}

// beganSync counts a learner that this member begins to bring in line, by t.
func (l *loop) beganSync(t zab.Type) {
	if t == zab.Snap {
		l.p.Metrics.States.Add(1)
	} else {
		l.p.Metrics.Diffs.Add(1)
	}
	l.syncing(t, 1)
}

// endedSync counts a learner that is in line, or has gone.
func (l *loop) endedSync(k *contact) {
	if k.syncs {
		k.syncs = false
		l.syncing(k.how, -1)
	}
}

func (l *loop) syncing(t zab.Type, by int64) {
	n, to := &l.diffs, &l.p.Metrics.DiffsAtATime
	if t == zab.Snap {
		n, to = &l.snaps, &l.p.Metrics.StatesAtATime
	}
	*n += by
	to.Add(*n)
}
