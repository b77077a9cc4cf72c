package zab

import "testing"

// Learners that know the message are told, behind all commits, that nothing else comes; those of Apache's are not.
func TestFarewell(t *testing.T) {
	h := leads(t, Options{Active: members(t, 1, 1, 2, 3)})
	h.p.LinkUp(1)
	h.step(1, &Message{Type: FollowerInfo, Learner: LearnerInfo{Sid: 1, ProtocolVersion: FarewellVersion}})
	h.step(1, &Message{Type: AckEpoch})
	h.step(1, &Message{Type: Ack, Zxid: EpochStart(1)})
	if _, err := h.p.Propose(Entry{Zxid: EpochStart(1) + 1}); err != nil {
		t.Fatal(err)
	}
	say := func(l Link) [][]byte { return [][]byte{{byte(l)}, {0}} }
	if err := h.p.HandOver(say, false); err != nil {
		t.Fatal(err)
	}
	h.drain()
	if h.sent(0, Farewell) != 0 {
		t.Fatal("it takes leave before all is committed")
	}
	h.sends = nil
	h.step(1, &Message{Type: Ack, Zxid: EpochStart(1) + 1})
	var got []Type
	for _, s := range h.sends {
		if s.Link == 1 && s.Msg != nil {
			got = append(got, s.Msg.Type)
		}
	}
	if len(got) != 3 || got[0] != Commit || got[1] != Farewell || got[2] != Farewell || h.sent(2, Farewell) != 0 {
		t.Fatalf("sent %v, and %d to one that does not know it", got, h.sent(2, Farewell))
	}
	if h.p.Status().State == Leading {
		t.Fatal("it still leads")
	}
}

// What was called off is not said later.
func TestCalledOff(t *testing.T) {
	h := leads(t, Options{Active: members(t, 1, 1, 2, 3)})
	if _, err := h.p.Propose(Entry{Zxid: EpochStart(1) + 1}); err != nil {
		t.Fatal(err)
	}
	if err := h.p.HandOver(func(Link) [][]byte { return [][]byte{nil} }, true); err != nil {
		t.Fatal(err)
	}
	h.p.CallOff()
	h.drain()
	h.step(2, &Message{Type: Ack, Zxid: EpochStart(1) + 1})
	if h.p.Status().State != Leading || h.p.NextZxid() != EpochStart(1)+2 || h.sent(0, Farewell) != 0 {
		t.Fatalf("%+v, %d farewells", h.p.Status(), h.sent(0, Farewell))
	}
}

// Who is about to end follows without a vote.
func TestLeaves(t *testing.T) {
	h := leads(t, Options{Active: members(t, 1, 1, 2, 3)})
	if err := h.p.HandOver(nil, true); err != nil {
		t.Fatal(err)
	}
	h.drain()
	for _, sid := range []int64{1, 2} {
		h.vote(Notification{Sid: sid, Leader: 2, Zxid: h.p.Last(), PeerEpoch: 1, Round: h.p.election.round})
	}
	if s := h.p.Status(); s.State != Observing || s.Leader != 2 {
		t.Fatalf("%+v", s)
	}
	h.p.Connected(9)
	h.drain()
	if h.sent(9, ObserverInfo) != 1 || h.sent(9, FollowerInfo) != 0 {
		t.Fatal("it says that it has a vote")
	}
}

// A leader that hands over does not stand itself, though the others are in a later round.
func TestHeirInALaterRound(t *testing.T) {
	h := leads(t, Options{Active: members(t, 1, 1, 2, 3)})
	if err := h.p.HandOver(nil, true); err != nil {
		t.Fatal(err)
	}
	h.drain()
	h.vote(Notification{Sid: 1, Leader: 1, Zxid: h.p.Last(), PeerEpoch: 1, Round: h.p.election.round + 5})
	if got := h.p.election.mine.leader; got != 2 {
		t.Fatalf("it votes for %d", got)
	}
}
