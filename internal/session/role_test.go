package session

import (
	"slices"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// TestKeep has a server that does not decide look at sessions that are overdue.
func TestKeep(t *testing.T) {
	tr := NewTracker(1000, 0)
	kept := tr.Commit(1, 4000, 0)
	lost, _ := tr.Track(2, 4000, 0)
	before := kept.Deadline()
	for now := int64(0); now <= 100_000; now += 500 {
		tr.Keep(now, func(s *Session) { t.Errorf("session %s is no local one", s) })
	}
	if tr.Get(1) != kept || kept.Closing() || kept.Deadline() != before {
		t.Error("a session ended, or was touched, without the leader's word")
	}
	if tr.Get(2) != nil || !lost.Closing() {
		t.Error("a session that was never created stays")
	}
	if !tr.Touch(kept, 4000, 100_000) {
		t.Error("a kept session cannot be touched")
	}
	tr.Renew(200_000, nil)
	if got := due(tr, 204_000); got != nil {
		t.Errorf("expired early: %v", got)
	}
	if got := due(tr, 205_000); !slices.Equal(got, []int64{1}) {
		t.Errorf("expired %v", got)
	}
}

func TestRenew(t *testing.T) {
	tr := NewTracker(1000, 0)
	s := tr.Commit(1, 4000, 0)
	s.SetOwner(5)
	open, _ := tr.Track(2, 4000, 0)
	if got := due(tr, 50_000); len(got) != 2 {
		t.Fatalf("expired %v", got)
	}
	tr.Renew(50_000, nil)
	if s.Closing() || s.Check(6) != proto.OK {
		t.Error("a session is closing, or somebody's, for a new leader")
	}
	if tr.Get(2) != nil || !open.Closing() {
		t.Error("a session that was never created stays")
	}
	if got := due(tr, 55_000); !slices.Equal(got, []int64{1}) {
		t.Errorf("expired %v", got)
	}
}

// TestLocal has the server on which a local session lives decide about it, whoever leads.
func TestLocal(t *testing.T) {
	tr := NewTracker(1000, 0)
	tr.Commit(1, 4000, 0)
	s, other := tr.TrackLocal(3, 4000, 0), tr.TrackLocal(2, 4000, 0)
	if !s.Local() || tr.Len() != 3 || tr.LenLocal() != 2 {
		t.Fatalf("%d sessions, %d local ones", tr.Len(), tr.LenLocal())
	}
	var expired []int64
	keep := func(now int64) { tr.Keep(now, func(s *Session) { expired = append(expired, s.ID()) }) }
	for now := int64(0); now <= 4000; now += 500 {
		keep(now)
	}
	tr.Touch(s, 4000, 4000)
	for now := int64(4000); now <= 8000; now += 500 {
		keep(now)
	}
	if !slices.Equal(expired, []int64{2}) || !other.Closing() || s.Closing() {
		t.Errorf("expired: %v", expired)
	}
	if !s.Globalize() || s.Globalize() || s.Local() {
		t.Error("a session becomes global once")
	}
	tr.Commit(3, 4000, 8000)
	last := tr.TrackLocal(4, 4000, 8000)
	tr.Renew(9000, nil)
	if tr.Get(3) != s || tr.Get(4) != nil || !last.Closing() {
		t.Error("local sessions end with the role, and no others")
	}
}
