package zab

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/zab/quorum"
)

// members is a configuration: voters, then observers as negative numbers.
func members(t *testing.T, version int64, ids ...int64) *Membership {
	t.Helper()
	m := &Membership{Version: version, Text: fmt.Appendf(nil, "%d %v", version, ids)}
	var voters []int64
	for _, id := range ids {
		if id < 0 {
			m.Members = append(m.Members, Member{ID: -id, Observer: true})
			continue
		}
		m.Members = append(m.Members, Member{ID: id})
		voters = append(voters, id)
	}
	q, err := quorum.Majority(voters...)
	if err != nil {
		t.Fatal(err)
	}
	m.Quorum = q
	return m
}

// host is a peer whose writes are durable at once.
type host struct {
	t     *testing.T
	p     *Peer
	now   time.Duration
	sends []Send
	last  Ready
}

func newHost(t *testing.T, o Options, configs ...*Membership) *host {
	t.Helper()
	o.Reconfig = true
	o.Parse = func(text []byte) (*Membership, error) {
		for _, m := range configs {
			if string(m.Text) == string(text) {
				return m, nil
			}
		}
		return nil, fmt.Errorf("no configuration %q", text)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, p: p}
	h.drain()
	return h
}

// drain does what there is to do until there is nothing left.
func (h *host) drain() {
	for {
		r := h.p.Ready()
		for _, s := range r.Sends {
			if s.Replay != nil {
				h.sends = append(h.sends, s)
				continue
			}
			s.Messages(func(m *Message) { h.sends = append(h.sends, Send{Link: s.Link, Msg: m}) })
		}
		if r.Status != nil || r.Connect != nil || len(r.Commit) > 0 {
			h.last = r
		}
		if len(r.Writes) == 0 {
			return
		}
		for _, w := range r.Writes {
			w.Acks(func(link Link, m *Message) { h.sends = append(h.sends, Send{Link: link, Msg: m}) })
			h.p.Stored(w.Seq)
		}
	}
}

func (h *host) step(link Link, m *Message) {
	h.t.Helper()
	if err := h.p.Step(link, m); err != nil {
		h.t.Fatal(err)
	}
	h.drain()
}

func (h *host) vote(n Notification) {
	n.Version = NotificationVersion
	h.p.Notify(n)
	h.drain()
}

// sent counts messages of a type to a link, 0 for any.
func (h *host) sent(link Link, typ Type) int {
	n := 0
	for _, s := range h.sends {
		if (link == 0 || s.Link == link) && s.Msg != nil && s.Msg.Type == typ {
			n++
		}
	}
	return n
}

// leads makes server 3 of three the leader of epoch 1 with server 2 as follower on link 2.
func leads(t *testing.T, o Options, configs ...*Membership) *host {
	t.Helper()
	o.ID = 3
	h := newHost(t, o, configs...)
	h.vote(Notification{Sid: 2, Leader: 3, Zxid: o.Last, Round: 1})
	h.now += o.FinalizeWait + time.Second
	h.p.Tick(h.now)
	h.drain()
	h.join(2, o.Last)
	if !h.p.Status().Serving() || h.p.Status().State != Leading {
		t.Fatalf("server 3 is %+v and does not lead", h.p.Status())
	}
	return h
}

// join makes a server a follower on the link with its number.
func (h *host) join(sid, last int64) {
	h.t.Helper()
	link := Link(sid)
	h.p.LinkUp(link)
	h.step(link, &Message{Type: FollowerInfo, Learner: LearnerInfo{Sid: sid, ProtocolVersion: ProtocolVersion}})
	h.step(link, &Message{Type: AckEpoch, Zxid: last})
	h.step(link, &Message{Type: Ack, Zxid: EpochStart(h.p.accepted)})
}

func TestLeaderServesWithAQuorum(t *testing.T) {
	h := leads(t, Options{Active: members(t, 5, 1, 2, 3)})
	if _, err := h.p.Propose(Entry{Zxid: h.p.NextZxid()}); err != nil {
		t.Fatal(err)
	}
	h.drain()
	if h.p.Applied() != 0 {
		t.Fatal("it commits alone")
	}
	h.step(2, &Message{Type: Ack, Zxid: EpochStart(1) + 1})
	if h.p.Applied() != EpochStart(1)+1 || h.sent(2, Commit) != 1 {
		t.Fatalf("applied %x, %d commits sent", h.p.Applied(), h.sent(2, Commit))
	}
}

// A reconfiguration that was never committed asks for a vote of the server itself.
// It must find its way back to a leader that knows nothing of it.
func TestFollowsInSpiteOfAPendingReconfiguration(t *testing.T) {
	h := newHost(t, Options{ID: 2, Active: members(t, 1, 1, 2, 3), LastSeen: members(t, 2, 2, 3)})
	h.vote(Notification{Sid: 1, State: Following, Leader: 3, Round: 9, PeerEpoch: 4})
	h.vote(Notification{Sid: 3, State: Leading, Leader: 3, Round: 9, PeerEpoch: 4})
	if s := h.p.Status(); s.State != Following || s.Leader != 3 {
		t.Fatalf("server 2 is %+v", s)
	}
}

// Apache's leaders send the configuration that they have seen last with NEWLEADER.
func TestConfigurationOfNewLeaderWaitsForItsCommit(t *testing.T) {
	now, next := members(t, 1, 1, 2, 3), members(t, EpochStart(1)+1, 2, 3)
	h := newHost(t, Options{ID: 2, Active: now}, now, next)
	h.vote(Notification{Sid: 1, State: Following, Leader: 3, Round: 9, PeerEpoch: 1})
	h.vote(Notification{Sid: 3, State: Leading, Leader: 3, Round: 9, PeerEpoch: 1})
	h.p.Connected(7)
	h.step(7, &Message{Type: LeaderInfo, Zxid: EpochStart(1)})
	h.step(7, &Message{Type: Diff})
	h.step(7, &Message{Type: Proposal, Zxid: next.Version, Entry: Entry{Zxid: next.Version, Config: next.Text}})
	h.step(7, &Message{Type: NewLeader, Zxid: EpochStart(1), Data: next.Text})
	h.step(7, &Message{Type: UpToDate, Zxid: -1})
	if !h.p.Status().Serving() || h.p.Active() != now || h.p.LastSeen() != next {
		t.Fatalf("%+v: configuration %d in force, %d seen last", h.p.Status(), h.p.Active().Version, h.p.LastSeen().Version)
	}
	h.step(7, &Message{Type: CommitAndActivate, Zxid: next.Version, Designated: 3})
	if h.p.Active() != next {
		t.Fatal("the committed configuration is not in force")
	}
}

// Others may believe what a server said before its log was cut.
func TestVoteForWhatIsCut(t *testing.T) {
	h := newHost(t, Options{ID: 3, Active: members(t, 1, 1, 2, 3), Last: 5, Applied: 5})
	h.vote(Notification{Sid: 2, Leader: 3, Zxid: 7, Round: 1})
	if s := h.p.Status(); s.State != Looking || h.p.election.mine.zxid != 5 || h.p.election.round != 2 {
		t.Fatalf("%+v, votes %+v", s, h.p.election)
	}
}

func TestLeaderOfOldVotesGivesUp(t *testing.T) {
	h := newHost(t, Options{ID: 3, Active: members(t, 1, 1, 2, 3)})
	h.vote(Notification{Sid: 2, Leader: 3, Round: 1})
	h.now = time.Second
	h.p.Tick(h.now)
	h.drain()
	if s := h.p.Status(); s.State != Leading {
		t.Fatalf("%+v", s)
	}
	h.p.LinkUp(1)
	h.step(1, &Message{Type: FollowerInfo, Learner: LearnerInfo{Sid: 1, ProtocolVersion: ProtocolVersion, ConfigVersion: 2}})
	if s := h.p.Status(); s.State != Looking {
		t.Fatalf("%+v", s)
	}
}

// An observer that heard of a leader of whom nothing came follows the one that leads.
func TestObserverPromisesNothing(t *testing.T) {
	h := newHost(t, Options{ID: 4, Active: members(t, 1, 1, 2, 3, -4), Accepted: 2, Current: 2})
	follow := func(leader, other int64, link Link) {
		t.Helper()
		h.vote(Notification{Sid: other, State: Following, Leader: leader, Round: 9, PeerEpoch: 2})
		h.vote(Notification{Sid: leader, State: Leading, Leader: leader, Round: 9, PeerEpoch: 2})
		h.now += time.Second // who was refused waits
		h.p.Tick(h.now)
		h.p.Connected(link)
		h.drain()
	}
	follow(3, 1, 7)
	h.step(7, &Message{Type: LeaderInfo, Zxid: EpochStart(9)})
	if h.sent(7, AckEpoch) != 1 {
		t.Fatal("it says nothing")
	}
	h.p.LinkDown(7)
	follow(2, 1, 8)
	h.step(8, &Message{Type: LeaderInfo, Zxid: EpochStart(3)})
	h.step(8, &Message{Type: Diff})
	h.step(8, &Message{Type: NewLeader, Zxid: EpochStart(3)})
	h.step(8, &Message{Type: UpToDate, Zxid: -1})
	if s := h.p.Status(); s.State != Observing || !s.Serving() || s.Epoch != 3 || h.p.accepted != 3 {
		t.Fatalf("%+v, and epoch %d is accepted", s, h.p.accepted)
	}
}

// leadsPending makes server 3 the leader of a term that begins with a reconfiguration under way, 6, in its log.
func leadsPending(t *testing.T, now, next *Membership, voters ...int64) *host {
	t.Helper()
	h := newHost(t, Options{ID: 3, Active: now, LastSeen: next, Last: 6, Applied: 5})
	for _, id := range voters {
		h.vote(Notification{Sid: id, Leader: 3, Zxid: 6, Round: 1})
	}
	h.now = time.Second
	h.p.Tick(h.now)
	h.drain()
	if s := h.p.Status(); s.State != Leading {
		t.Fatalf("%+v", s)
	}
	return h
}

// greet connects a learner on a link.
func (h *host) greet(link Link, typ Type, sid int64) {
	h.t.Helper()
	h.p.LinkUp(link)
	h.step(link, &Message{Type: typ, Learner: LearnerInfo{Sid: sid, ProtocolVersion: ProtocolVersion}})
}

// promise takes a learner's promise, of one whose log ends with last.
func (h *host) promise(link Link, last int64) {
	h.t.Helper()
	h.step(link, &Message{Type: AckEpoch, Zxid: last})
}

// A state takes the place of a learner's log. If there may be transactions in that which a quorum has, and this leader,
// who has not applied them so far, then it is made anew first, and they do not come behind it.
func TestStateHoldsWhatTheLearnerMayHave(t *testing.T) {
	zxid := func(epoch, counter int64) int64 { return EpochStart(epoch) + counter }
	recent := []Entry{{Zxid: zxid(1, 1)}, {Zxid: zxid(1, 2)}, {Zxid: zxid(3, 1)}, {Zxid: zxid(3, 2)}}
	for name, tc := range map[string]struct{ last, state int64 }{
		"an end of its own behind what is applied": {zxid(2, 1), zxid(3, 2)},
		"an end of its own before what is applied": {zxid(0, 9), zxid(1, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, Options{ID: 3, Active: members(t, 5, 1, 2, 3), Accepted: 3, Current: 3, Last: zxid(3, 2),
				Applied: zxid(1, 2), Recent: recent, RecentAfter: zxid(1, 0)})
			h.vote(Notification{Sid: 2, Leader: 3, Zxid: zxid(3, 2), PeerEpoch: 3, Round: 1})
			h.now = time.Second
			h.p.Tick(h.now)
			h.drain()
			h.p.LinkUp(7)
			h.p.Step(7, &Message{Type: FollowerInfo, Learner: LearnerInfo{Sid: 2, ProtocolVersion: ProtocolVersion}})
			h.drain()
			h.p.Step(7, &Message{Type: AckEpoch, Epoch: 2, Zxid: tc.last})
			reload := h.p.Ready()
			var wait []Write
			for _, w := range reload.Writes {
				if w.Reload || len(wait) > 0 {
					wait = append(wait, w)
				} else {
					h.p.Stored(w.Seq)
				}
			}
			h.p.LinkUp(8)
			for _, m := range []*Message{
				{Type: FollowerInfo, Learner: LearnerInfo{Sid: 1, ProtocolVersion: ProtocolVersion}},
				{Type: AckEpoch, Epoch: 3, Zxid: zxid(3, 2)},
				{Type: Ack, Zxid: EpochStart(4)},
			} {
				if err := h.p.Step(8, m); err != nil {
					t.Fatal(err)
				}
			}
			if got := h.p.Status().Serving(); got != (len(wait) == 0) {
				t.Fatalf("it serves %v, while it waits for %+v", got, wait)
			}
			for _, w := range wait {
				h.p.Stored(w.Seq)
			}
			if !h.p.Status().Serving() {
				t.Fatal("it does not serve, though a quorum has its log")
			}
			early := slices.ContainsFunc(reload.Sends, func(s Send) bool { return s.Msg != nil && s.Msg.Type == Snap })
			h.drain()
			h.sends = append(h.sends, reload.Sends...)
			i := slices.IndexFunc(h.sends, func(s Send) bool { return s.Msg != nil && s.Msg.Type == Snap })
			if i < 0 || h.sends[i].Msg.Zxid != tc.state {
				t.Fatalf("no state as of %x is sent: %+v", tc.state, h.sends)
			}
			if anew := tc.state == zxid(3, 2); anew == early || anew != slices.ContainsFunc(reload.Writes, func(w Write) bool { return w.Reload }) {
				t.Fatalf("sent at once %v, writes %+v", early, reload.Writes)
			}
		})
	}
}

// A server that gets its vote by a reconfiguration under way may have what those committed who get theirs by that, as
// long as the reconfiguration itself may have been committed: by a quorum of the voters of before,
func TestLongerLogOfAVoterToBe(t *testing.T) {
	h := leadsPending(t, members(t, 5, 1, 2, 3), members(t, 6, 3, 4), 2, 4)
	h.greet(7, FollowerInfo, 2)
	h.greet(8, FollowerInfo, 4)
	h.promise(7, 5)
	h.promise(8, 8)
	if n := h.sent(0, Trunc); n != 0 || h.p.leader.epochAgreed {
		t.Fatalf("servers 1 and 3 may have committed it: %d TRUNC", n)
	}
	h.greet(9, FollowerInfo, 1)
	h.promise(9, 5)
	if n := h.sent(8, Trunc); n != 1 {
		t.Fatalf("nobody can have committed it: %d TRUNC", n)
	}
}

// and by one of the voters after it, of whom some observe so far.
func TestLongerLogOfAVoterToBeAndObservers(t *testing.T) {
	h := leadsPending(t, members(t, 5, 1, 2, 3, -5), members(t, 6, 3, 4, 5, 6), 2, 4, 6)
	h.greet(7, FollowerInfo, 2)
	h.greet(8, FollowerInfo, 4)
	h.greet(9, FollowerInfo, 6)
	h.promise(7, 6)
	h.promise(9, 5)
	h.promise(8, 8)
	if n := h.sent(0, Trunc); n != 0 || h.p.leader.epochAgreed {
		t.Fatalf("server 5 may have it: %d TRUNC", n)
	}
	h.greet(10, ObserverInfo, 5)
	h.promise(10, 5)
	if n := h.sent(8, Trunc); n != 1 {
		t.Fatalf("nobody can have committed it: %d TRUNC", n)
	}
}

// If a quorum has the reconfiguration, a voter to be with the longest log has to lead, and the one that leads says so.
func TestVoterToBeIsProposed(t *testing.T) {
	lead := func(version int32) *host {
		h := leadsPending(t, members(t, 5, 2, 3), members(t, 6, 3, 4), 2, 4)
		for _, sid := range []int64{2, 4} {
			h.p.LinkUp(Link(sid))
			h.step(Link(sid), &Message{Type: FollowerInfo, Learner: LearnerInfo{Sid: sid, ProtocolVersion: version}})
		}
		h.promise(4, 8)
		if s := h.p.Status(); s.State != Leading {
			t.Fatalf("nobody knows what server 2 has, and it is %+v", s)
		}
		h.promise(2, 6)
		return h
	}
	h := lead(FarewellVersion)
	if got, want := h.p.election.mine, (vote{leader: 4, zxid: 8}); h.p.Status().State != Looking || got != want {
		t.Fatalf("%+v votes %+v, want %+v", h.p.Status(), got, want)
	}
	for range 10 { // nobody answers
		h.now += time.Second
		h.p.Tick(h.now)
	}
	if got := h.p.election.mine.leader; got != 3 {
		t.Fatalf("it goes on voting for %d", got)
	}
	// Apache's servers would not follow it.
	if h := lead(ProtocolVersion); h.p.Status().State != Leading || h.sent(0, Trunc) != 0 {
		t.Fatalf("%+v, and %d TRUNC", h.p.Status(), h.sent(0, Trunc))
	}
}

// A voter to be does not propose itself, and leads if others want that.
func TestVoterToBeLeads(t *testing.T) {
	h := newHost(t, Options{ID: 4, Active: members(t, 5, 2, 3), LastSeen: members(t, 6, 3, 4), Last: 8, Applied: 5})
	h.vote(Notification{Sid: 3, Leader: 3, Zxid: 6, Round: 1})
	if got := h.p.election.mine.leader; got != 3 {
		t.Fatalf("it votes for %d", got)
	}
	h.vote(Notification{Sid: 3, Leader: 4, Zxid: 8, Round: 1})
	h.vote(Notification{Sid: 2, Leader: 4, Zxid: 8, Round: 1})
	if s := h.p.Status(); s.State != Leading {
		t.Fatalf("%+v, votes %+v", s, h.p.election)
	}
}

func TestDeposedLeaderIsGone(t *testing.T) {
	now, next := members(t, 1, 1, 2, 3), members(t, EpochStart(1)+1, 1, 2)
	h := leads(t, Options{Active: now}, now, next)
	h.join(1, 0)
	if _, err := h.p.Propose(Entry{Zxid: next.Version, Config: next.Text}); err != nil {
		t.Fatal(err)
	}
	h.drain()
	h.step(1, &Message{Type: Ack, Zxid: next.Version})
	h.step(2, &Message{Type: Ack, Zxid: next.Version})
	if s := h.p.Status(); s.State == Leading || h.sent(2, CommitAndActivate) != 1 {
		t.Fatalf("%+v, and %d COMMITANDACTIVATE", s, h.sent(2, CommitAndActivate))
	}
}

// A server that is an observer by now can still be connected as a follower.
func TestObserverIsNoQuorumForAReconfiguration(t *testing.T) {
	now, next := members(t, 1, 1, -2, 3, 4), members(t, EpochStart(1)+1, 2, 3)
	h := newHost(t, Options{ID: 3, Active: now}, now, next)
	h.vote(Notification{Sid: 1, Leader: 3, Round: 1})
	h.now = time.Second
	h.p.Tick(h.now)
	h.drain()
	h.join(1, 0)
	h.join(2, 0)
	if _, err := h.p.Propose(Entry{Zxid: next.Version, Config: next.Text}); err != ErrNoQuorum {
		t.Fatalf("got %v, want %v", err, ErrNoQuorum)
	}
}

// Syncs are answered once a quorum has said that the leader leads; a follower says so by asking, an observer does not.
func TestSyncAsksAQuorum(t *testing.T) {
	h := leads(t, Options{Active: members(t, 1, 1, 2, 3, -4)})
	h.p.LinkUp(4)
	h.step(4, &Message{Type: ObserverInfo, Learner: LearnerInfo{Sid: 4, ProtocolVersion: ProtocolVersion}})
	h.step(4, &Message{Type: AckEpoch})
	h.step(4, &Message{Type: Ack, Zxid: EpochStart(h.p.accepted)})
	h.p.Sync(2, &Message{Type: Sync})
	h.drain()
	if h.sent(2, Sync) != 1 || h.sent(2, Ping) != 0 {
		t.Fatalf("the follower gets %d answers and %d questions", h.sent(2, Sync), h.sent(2, Ping))
	}
	h.p.Sync(4, &Message{Type: Sync})
	h.p.Sync(4, &Message{Type: Sync})
	h.p.ConfirmRead(1)
	h.drain()
	if h.sent(4, Sync) != 0 || h.sent(2, Ping) != 1 {
		t.Fatalf("the observer gets %d answers, and %d questions are asked at once", h.sent(4, Sync), h.sent(2, Ping))
	}
	h.p.Sync(4, &Message{Type: Sync}) // asked after the first question left
	h.step(2, &Message{Type: Ping})
	if h.sent(4, Sync) != 2 || h.sent(2, Ping) != 2 {
		t.Fatalf("the observer gets %d answers to two questions, and %d were asked", h.sent(4, Sync), h.sent(2, Ping))
	}
	h.step(2, &Message{Type: Ping})
	if h.sent(4, Sync) != 3 {
		t.Fatalf("the observer gets %d answers", h.sent(4, Sync))
	}
}

func TestHandOver(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		h := leads(t, Options{Active: members(t, 1, 1, 2, 3)})
		if err := h.p.HandOver(nil, false); err != nil {
			t.Fatal(err)
		}
		if h.p.Status().State == Leading {
			t.Fatal("it still leads")
		}
	})
	t.Run("to one that has come back with everything", func(t *testing.T) {
		h := leads(t, Options{Active: members(t, 1, 1, 2, 3)})
		if _, err := h.p.Propose(Entry{Zxid: EpochStart(1) + 1}); err != nil {
			t.Fatal(err)
		}
		h.drain()
		h.step(2, &Message{Type: Ack, Zxid: EpochStart(1) + 1})
		h.join(1, EpochStart(1)+1)
		h.p.LinkDown(2)
		if err := h.p.HandOver(nil, false); err != nil {
			t.Fatal(err)
		}
		if s := h.p.Status(); s.State == Leading {
			t.Fatalf("%+v: it still leads", s)
		}
	})
	t.Run("to nobody", func(t *testing.T) {
		h := leads(t, Options{Active: members(t, 1, 1, 2, 3)})
		if _, err := h.p.Propose(Entry{Zxid: EpochStart(1) + 1}); err != nil {
			t.Fatal(err)
		}
		if err := h.p.HandOver(nil, false); err != nil {
			t.Fatal(err)
		}
		if _, err := h.p.Propose(Entry{Zxid: EpochStart(1) + 2}); err != ErrHandingOver {
			t.Fatalf("got %v, want %v", err, ErrHandingOver)
		}
		h.now += 3 * time.Second
		h.p.Tick(h.now)
		if h.p.NextZxid() != EpochStart(1)+2 {
			t.Fatal("it proposes nothing any more")
		}
	})
}

// Observers beyond the limit are refused, and come again a little later.
func TestSynchronizationsAreLimited(t *testing.T) {
	h := leads(t, Options{Active: members(t, 5, 1, 2, 3, -4, -5, -6), Last: 10, Applied: 10, RecentAfter: 10, MaxSnapSyncs: 1, MaxDiffSyncs: 2})
	observe := func(link Link, last int64) (refused bool) {
		h.p.LinkUp(link)
		h.step(link, &Message{Type: ObserverInfo, Learner: LearnerInfo{Sid: int64(link), ProtocolVersion: ProtocolVersion}})
		h.sends = nil
		if err := h.p.Step(link, &Message{Type: AckEpoch, Zxid: last}); err != nil {
			t.Fatal(err)
		}
		r := h.p.Ready()
		return len(r.Close) == 1 && r.Close[0] == link && len(r.Sends) == 0
	}
	const behind, there = 5, 10 // what is in the log, and not in memory
	for _, c := range []struct {
		link    Link
		last    int64
		refused bool
	}{{4, behind, false}, {5, behind, true}, {6, there, false}, {7, there, false}, {8, there, true}} {
		if got := observe(c.link, c.last); got != c.refused {
			t.Errorf("observer %d was refused: %v", c.link, got)
		}
	}
	h.step(4, &Message{Type: Ack, Zxid: EpochStart(1)})
	if observe(9, behind) {
		t.Error("an observer was refused when there was room")
	}
	h.join(1, behind) // voters are never refused
	if h.sent(1, NewLeader) != 1 {
		t.Error("a voter was not brought in line")
	}
}

// A refused observer waits before it connects again.
func TestRefusedObserverWaits(t *testing.T) {
	h := newHost(t, Options{ID: 4, Active: members(t, 5, 1, 2, 3, -4)})
	settled := func() {
		h.vote(Notification{Sid: 1, State: Following, Leader: 3, Round: 9, PeerEpoch: 1})
		h.vote(Notification{Sid: 3, State: Leading, Leader: 3, Round: 9, PeerEpoch: 1})
	}
	settled()
	if h.last.Connect == nil {
		t.Fatal("it does not connect")
	}
	h.p.Connected(7)
	h.step(7, &Message{Type: LeaderInfo, Zxid: EpochStart(1)})
	h.p.LinkDown(7)
	h.drain()
	h.last = Ready{}
	settled()
	if h.p.Status().State != Observing || h.last.Connect != nil {
		t.Fatalf("%+v, and connects at once", h.p.Status())
	}
	h.p.Tick(h.now + time.Second)
	h.drain()
	if h.last.Connect == nil {
		t.Fatal("it never connects")
	}
}
