package peer_test

import (
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/tally"
)

// TestMetrics has members agree, and compares what each has counted.
func TestMetrics(t *testing.T) {
	e := newEnsemble(t, 3, 1)
	e.start(1, 2, 3)
	leader := e.leader()
	e.start(4)
	e.leader()
	base := map[int64]figures{}
	for _, m := range e.members {
		base[m.ID] = e.figures(m.Peer)
	}
	const batches, each = 10, 7
	for range batches {
		e.propose(leader, each)
	}
	const n = batches * each
	for _, m := range e.members {
		want := figures{commits: n, synced: n, stored: n}
		switch {
		case m == leader:
			want.quorum = n
		case m.ID == 4:
			want.told, want.heard = n, n
		default:
			want.proposed, want.told, want.heard, want.proposals = n, n, n, n
		}
		e.eventually("its disk has told", func() bool { return e.figures(m.Peer).minus(base[m.ID]).stored == n })
		if got := e.figures(m.Peer).minus(base[m.ID]); got != want {
			t.Errorf("member %d counts %+v, want %+v", m.ID, got, want)
		}
		counted(t, m.ID, "election_time", &m.Peer.Metrics.ElectionTime)
		counted(t, m.ID, "unavailable_time", &m.Peer.Metrics.Unavailable)
		switch {
		case m == leader:
			counted(t, m.ID, "leader_unavailable_time", &m.Peer.Metrics.LeaderUnavailable)
		case m.ID == 4:
			counted(t, m.ID, "observer_sync_time", &m.Peer.Metrics.ObserverSync)
		default:
			counted(t, m.ID, "follower_sync_time", &m.Peer.Metrics.FollowerSync)
		}
	}
	l := &leader.Peer.Metrics
	if d, s := l.Diffs.Load(), l.States.Load(); d+s < 3 {
		t.Errorf("%d learners were brought in line by transactions, %d by the state", d, s)
	}
	if v, w := l.DiffsAtATime.View(), l.StatesAtATime.View(); v.Count+w.Count < 6 || v.Max > 3 || w.Max > 3 {
		t.Errorf("brought in line at a time: %+v, %+v", v, w)
	}
	if last, low, high := l.ProposalSizes(); last <= 0 || low > last || high < last {
		t.Errorf("proposals have %d bytes at the end, %d to %d", last, low, high)
	}
	acks := l.AckAges()
	if len(acks) != 3 {
		t.Fatalf("acknowledgements of %v", acks)
	}
	for sid, ages := range acks {
		// A voter's may come behind the quorum's.
		e.eventually("all batches are acknowledged", func() bool { return ages.View().Count >= batches })
		if v := ages.View(); v.Count != batches {
			t.Errorf("member %d has acknowledged %d batches", sid, v.Count)
		}
	}
	l.Reset()
	if got := e.figures(leader.Peer); got != (figures{}) || acks[leader.ID].View().Count != 0 {
		t.Errorf("after a reset: %+v, %+v", got, acks[leader.ID].View())
	}
}

// TestMetricsOfReturn has a member come back to another leader.
func TestMetricsOfReturn(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	e.start(1, 2, 3)
	first := e.leader()
	e.propose(first, 10)
	first.Stop()
	second := e.leader()
	m := &second.Peer.Metrics
	if m.Elections.Load() < 2 || m.Unavailable.View().Count < 2 || m.LeaderUnavailable.View().Count < 1 {
		t.Errorf("%d elections, without a leader %+v, until it led %+v", m.Elections.Load(), m.Unavailable.View(), m.LeaderUnavailable.View())
	}
	if last, low, high := m.ProposalSizes(); last != -1 || low != -1 || high != -1 {
		t.Errorf("before it proposes: %d, %d, %d", last, low, high)
	}
	before := m.Diffs.Load() + m.States.Load()
	e.start(first.ID)
	e.leader()
	if n := m.Diffs.Load() + m.States.Load() - before; n < 1 {
		t.Errorf("%d learners were brought in line", n)
	}
}

// eventually waits for what nobody tells of.
func (e *ensemble) eventually(what string, ok func() bool) {
	e.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			e.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// counted tells that something took its time, on a machine that stands still now and then more than once.
func counted(t *testing.T, id int64, name string, l *tally.Latency) {
	t.Helper()
	if v := l.View(); v.Count < 1 || v.Sum < 0 {
		t.Errorf("member %d: %s was counted %d times, %v", id, name, v.Count, v.Sum)
	}
}

// figures are some of a member's.
type figures struct{ proposals, proposed, told, heard, commits, quorum, stored, synced int64 }

func (e *ensemble) figures(p *peer.Peer) figures {
	m := &p.Metrics
	return figures{
		proposals: m.ProposalsReceived.Load(), proposed: m.ProposalAge.View().Count, told: m.CommitsReceived.Load(), heard: m.CommitAge.View().Count,
		commits: m.Commits.Load(), quorum: m.QuorumAge.View().Count, stored: m.AckAge.View().Count, synced: m.Synced.View().Sum,
	}
}

func (f figures) minus(g figures) figures {
	return figures{f.proposals - g.proposals, f.proposed - g.proposed, f.told - g.told, f.heard - g.heard, f.commits - g.commits, f.quorum - g.quorum,
		f.stored - g.stored, f.synced - g.synced}
}
