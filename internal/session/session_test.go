package session

import "testing"

func TestExpiresAtEndOfInterval(t *testing.T) {
	tr := NewTracker(2000, 500)
	s, added := tr.Track(7, 4000, 500)
	if !added {
		t.Fatal("new session was there already")
	}
	tr.Touch(s, 4000, 1999) // 5999: still the interval that ends at 6000
	var got []int64
	expire := func(s *Session) { got = append(got, s.ID()) }
	tr.Due(5999, expire)
	if len(got) != 0 {
		t.Fatalf("expired early: %v", got)
	}
	tr.Due(6000, expire)
	if len(got) != 1 || !s.Closing() {
		t.Fatalf("expired %v, closing %v", got, s.Closing())
	}
	if tr.Touch(s, 4000, 6000) {
		t.Error("touched a closing session")
	}
}
