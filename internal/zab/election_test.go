package zab

import (
	"testing"
	"time"
)

// followerOf3 makes server 2 of three a follower of server 3 in epoch 1, on link 3, as of round 1.
func followerOf3(t *testing.T) *host {
	t.Helper()
	m := members(t, 5, 1, 2, 3)
	h := newHost(t, Options{ID: 2, Active: m}, m)
	h.vote(Notification{Sid: 3, State: Looking, Leader: 3, Round: 1})
	h.p.Reachable(1, false)
	h.drain()
	h.p.Connected(3)
	h.step(3, &Message{Type: LeaderInfo, Zxid: EpochStart(1)})
	h.step(3, &Message{Type: Diff})
	h.step(3, &Message{Type: NewLeader, Zxid: EpochStart(1), Data: []byte(h.p.view.active.Text)})
	h.step(3, &Message{Type: UpToDate})
	h.p.Reachable(1, true)
	if s := h.p.Status(); s.State != Following || !s.Serving() {
		t.Fatalf("server 2 is %+v and does not follow", s)
	}
	return h
}

// TestVoteOfTheFirstToKnow is about a vote that came while this server still had the leader: it is not said again soon.
func TestVoteOfTheFirstToKnow(t *testing.T) {
	h := followerOf3(t)
	h.vote(Notification{Sid: 1, State: Looking, Leader: 1, PeerEpoch: 1, Round: 2})
	h.p.Reachable(3, false)
	h.p.LinkDown(3)
	h.drain()
	if s := h.p.Status(); s.State != Looking {
		t.Fatalf("server 2 is %+v and server 1 does not vote for it", s)
	}
	h.vote(Notification{Sid: 1, State: Looking, Leader: 2, PeerEpoch: 1, Round: 2})
	if s := h.p.Status(); s.State != Leading {
		t.Errorf("all votes are there, and server 2 is %+v", s)
	}

	h = followerOf3(t)
	h.vote(Notification{Sid: 1, State: Looking, Leader: 2, PeerEpoch: 1, Round: 2})
	h.p.Reachable(3, false)
	h.p.LinkDown(3)
	h.drain()
	if s := h.p.Status(); s.State != Leading {
		t.Errorf("the vote had come, and server 2 is %+v", s)
	}
}

// TestOldVoteDoesNotCount is about who looked for a leader, and said no more.
func TestOldVoteDoesNotCount(t *testing.T) {
	for name, later := range map[string]func(*host){
		"found one": func(h *host) { h.vote(Notification{Sid: 1, State: Following, Leader: 3, Round: 1}) },
		"long ago":  func(h *host) { h.p.Tick(time.Second) },
	} {
		h := followerOf3(t)
		h.vote(Notification{Sid: 1, State: Looking, Leader: 2, PeerEpoch: 1, Round: 2})
		later(h)
		h.p.Reachable(3, false)
		h.p.LinkDown(3)
		h.drain()
		if s := h.p.Status(); s.State != Looking {
			t.Errorf("%s: server 2 is %+v", name, s)
		}
	}
}

// TestLostLeaderIsNotWaitedFor is about a leader that stands still: its connections are there.
func TestLostLeaderIsNotWaitedFor(t *testing.T) {
	for _, speaks := range []bool{false, true} {
		h := followerOf3(t)
		h.p.Tick(time.Hour)
		h.drain()
		if speaks {
			h.vote(Notification{Sid: 3, State: Looking, Leader: 3, PeerEpoch: 0, Round: 2})
		}
		h.vote(Notification{Sid: 1, State: Looking, Leader: 2, PeerEpoch: 1, Round: 2})
		if got := h.p.Status().State == Leading; got == speaks {
			t.Errorf("the old leader speaks: %v, and server 2 is %+v", speaks, h.p.Status())
		}
	}
}
