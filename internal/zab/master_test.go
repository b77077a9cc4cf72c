package zab

import (
	"testing"
	"time"
)

// masterOf3 makes server 2 of three a follower of server 3 in epoch 1, on link 3, that feeds observers.
func masterOf3(t *testing.T, o Options, configs ...*Membership) *host {
	t.Helper()
	o.ID, o.FeedObservers = 2, true
	h := newHost(t, o, append(configs, o.Active)...)
	h.vote(Notification{Sid: 1, State: Following, Leader: 3, Round: 9, PeerEpoch: 1})
	h.vote(Notification{Sid: 3, State: Leading, Leader: 3, Round: 9, PeerEpoch: 1})
	h.p.Connected(3)
	h.step(3, &Message{Type: LeaderInfo, Zxid: EpochStart(1)})
	h.step(3, &Message{Type: Diff, Zxid: o.Last})
	h.step(3, &Message{Type: NewLeader, Zxid: EpochStart(1), Data: o.Active.Text})
	h.step(3, &Message{Type: UpToDate, Zxid: -1})
	if !h.p.Feeds() {
		t.Fatalf("server 2 is %+v and feeds nobody", h.p.Status())
	}
	return h
}

// propose has the leader of masterOf3 propose a transaction.
func (h *host) propose(zxid int64) {
	h.step(3, &Message{Type: Proposal, Zxid: zxid, Entry: Entry{Zxid: zxid}})
}

func (h *host) commit(zxid int64) { h.step(3, &Message{Type: Commit, Zxid: zxid}) }

// comes has an observer come on the link with its number.
func (h *host) comes(sid, last int64, info *Message) {
	h.p.LinkUp(Link(sid))
	info.Learner.Sid, info.Learner.ProtocolVersion = sid, ProtocolVersion
	h.step(Link(sid), info)
	if h.p.feed().find(Link(sid)) != nil {
		h.step(Link(sid), &Message{Type: AckEpoch, Zxid: last})
	}
}

// types are the messages to a link, in order.
func (h *host) types(link Link) string {
	s := ""
	for _, o := range h.sends {
		if o.Link == link && o.Msg != nil {
			s += o.Msg.Type.String() + " "
		}
	}
	return s
}

func TestFollowerFeedsAnObserver(t *testing.T) {
	first := EpochStart(1) + 1
	h := masterOf3(t, Options{Active: members(t, 5, 1, 2, 3, -4)})
	h.propose(first)
	h.propose(first + 1)
	h.commit(first)
	h.comes(4, 0, &Message{Type: ObserverInfo})
	h.step(4, &Message{Type: Ack, Zxid: EpochStart(1)})
	h.commit(first + 1)
	if got, want := h.types(4), "LEADERINFO DIFF PROPOSAL COMMIT NEWLEADER UPTODATE INFORM "; got != want {
		t.Errorf("it is sent %s, want %s", got, want)
	}
	if err := h.p.Step(4, &Message{Type: Request}); err != nil {
		t.Fatal(err)
	}
	if r := h.p.Ready(); len(r.Upcalls) != 1 || r.Upcalls[0].Link != 4 {
		t.Errorf("a request came to %+v", r.Upcalls)
	}
	if !h.p.Reply(4, &Message{Type: Sync}) || h.p.Reply(5, &Message{Type: Sync}) {
		t.Error("observers that are there cannot be told from others")
	}
	if err := h.p.Step(4, &Message{Type: Ack, Zxid: first}); err == nil {
		t.Error("an observer acknowledges a transaction, and nothing comes of it")
	}
	if r := h.p.Ready(); len(r.Close) != 1 || r.Close[0] != 4 {
		t.Errorf("it closes %v", r.Close)
	}
}

// What an observer has of an earlier epoch and this server has not was never committed.
func TestMasterCutsWhatWasNeverCommitted(t *testing.T) {
	first := EpochStart(1) + 1
	h := masterOf3(t, Options{Active: members(t, 5, 1, 2, 3, -4), Last: 7, Applied: 7, Recent: []Entry{{Zxid: 6}, {Zxid: 7}}, RecentAfter: 5})
	h.comes(4, 9, &Message{Type: ObserverInfo})
	h.propose(first)
	h.commit(first)
	if got, want := h.types(4), "LEADERINFO TRUNC NEWLEADER INFORM "; got != want {
		t.Errorf("it is sent %s, want %s", got, want)
	}
}

// What an observer has of the present epoch is committed, although this server has not heard of that.
func TestObserverAheadOfItsMaster(t *testing.T) {
	first := EpochStart(1) + 1
	h := masterOf3(t, Options{Active: members(t, 5, 1, 2, 3, -4)})
	h.propose(first)
	h.propose(first + 1)
	h.commit(first)
	h.comes(4, first+1, &Message{Type: ObserverInfo})
	if got, want := h.types(4), "LEADERINFO "; got != want {
		t.Errorf("it is sent %s, want %s", got, want)
	}
	h.commit(first + 1)
	if got, want := h.types(4), "LEADERINFO DIFF NEWLEADER "; got != want {
		t.Errorf("it is sent %s, want %s", got, want)
	}
}

func TestMasterLetsOthersGo(t *testing.T) {
	for what, info := range map[string]*Message{
		"a follower":                                {Type: FollowerInfo},
		"an observer of a later configuration":      {Type: ObserverInfo, Learner: LearnerInfo{ConfigVersion: 6}},
		"an observer that has promised a later one": {Type: ObserverInfo, Zxid: EpochStart(2)},
	} {
		h := masterOf3(t, Options{Active: members(t, 5, 1, 2, 3, -4)})
		if h.comes(4, 0, info); h.p.feed().find(4) != nil || len(h.sends) > 0 && h.types(4) != "" {
			t.Errorf("%s is fed: %s", what, h.types(4))
		}
	}
}

func TestMasterPassesAReconfigurationOn(t *testing.T) {
	for _, removed := range []bool{false, true} {
		now, next := members(t, 5, 1, 2, 3, -4), members(t, EpochStart(1)+1, 1, 2, 3, -4, -5)
		if removed {
			next = members(t, EpochStart(1)+1, 1, 3, -4)
		}
		again := members(t, EpochStart(1)+2, 1, 2, 3, -4)
		h := masterOf3(t, Options{Active: now}, now, next, again)
		h.comes(4, 0, &Message{Type: ObserverInfo})
		h.step(4, &Message{Type: Ack, Zxid: EpochStart(1)})
		h.step(3, &Message{Type: Proposal, Zxid: next.Version, Entry: Entry{Zxid: next.Version, Config: next.Text}})
		h.step(3, &Message{Type: CommitAndActivate, Zxid: next.Version, Designated: 3})
		if got, want := h.types(4), "LEADERINFO DIFF NEWLEADER UPTODATE INFORMANDACTIVATE "; got != want {
			t.Errorf("it is sent %s, want %s", got, want)
		}
		if h.p.Feeds() == removed {
			t.Errorf("removed %v, and feeds %v", removed, h.p.Feeds())
		}
		if !removed {
			continue
		}
		h.step(3, &Message{Type: Proposal, Zxid: again.Version, Entry: Entry{Zxid: again.Version, Config: again.Text}})
		h.step(3, &Message{Type: CommitAndActivate, Zxid: again.Version, Designated: 3})
		if !h.p.Feeds() {
			t.Error("it feeds nobody when it has a vote again")
		}
	}
}

// An observer that is silent is given up, and all are when the leader is.
func TestMasterGivesObserversUp(t *testing.T) {
	h := masterOf3(t, Options{Active: members(t, 5, 1, 2, 3, -4, -6), Tick: time.Second, SyncLimit: 5})
	for _, sid := range []int64{4, 6} {
		h.comes(sid, 0, &Message{Type: ObserverInfo})
		h.step(Link(sid), &Message{Type: Ack, Zxid: EpochStart(1)})
	}
	for range 6 {
		h.now += time.Second
		h.p.Tick(h.now)
		h.step(3, &Message{Type: Ping})
		h.step(4, &Message{Type: Ping})
	}
	if h.sent(4, Ping) == 0 || h.p.feed().find(4) == nil || h.p.feed().find(6) != nil {
		t.Errorf("%d pings to the one that answers, fed are %+v", h.sent(4, Ping), h.p.feed().learners)
	}
	h.p.LinkDown(3)
	if r := h.p.Ready(); h.p.Feeds() || len(r.Close) != 1 || r.Close[0] != 4 {
		t.Errorf("without a leader it feeds %v and closes %v", h.p.Feeds(), r.Close)
	}
}
