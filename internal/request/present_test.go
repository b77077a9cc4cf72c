package request

import (
	"errors"
	"testing"
)

// asks has clients ask for the present, and waits until all of them wait for it.
func (s *seat) asks(n int) <-chan error {
	answers := make(chan error, n)
	for range n {
		c := &Client{}
		c.Conn = &memConn{c: c}
		if !s.Enter(c) {
			s.t.Fatal("nobody is served")
		}
		c.Session = s.Sessions.Commit(7, 30000, 0)
		m := s.joinMoment(c)
		go func() {
			<-m.over
			if m.come {
				answers <- nil
			} else {
				answers <- ErrNotServing
			}
		}()
	}
	return answers
}

// TestPresentIsShared has one question answered for all who asked before it left.
func TestPresentIsShared(t *testing.T) {
	s := newSeat(t, nil)
	for _, role := range []struct {
		name    string
		enter   func()
		asked   func() int
		answers func()
	}{
		{"leader", func() { s.Lead(1<<32 + 1) }, func() int { return int(s.others.confirms.Load()) }, func() { s.Confirmed(s.others.token.Load()) }},
		{"learner", s.Follow, func() int { return len(s.others.forwarded) }, s.Synced},
	} {
		role.enter()
		first := s.asks(1)
		more := s.asks(20)
		if n := role.asked(); n != 1 {
			t.Errorf("%s: %d questions", role.name, n)
		}
		role.answers()
		if err := <-first; err != nil {
			t.Errorf("%s: %v", role.name, err)
		}
		select {
		case err := <-more:
			t.Errorf("%s: who asked later is answered before the second question is: %v", role.name, err)
		default:
		}
		if n := role.asked(); n != 2 {
			t.Errorf("%s: %d questions", role.name, n)
		}
		role.answers()
		for range 20 {
			if err := <-more; err != nil {
				t.Errorf("%s: %v", role.name, err)
			}
		}
		role.answers() // to nobody
		late := s.asks(3)
		s.Rest()
		for range 3 {
			if err := <-late; !errors.Is(err, ErrNotServing) {
				t.Errorf("%s: after the end of the role: %v", role.name, err)
			}
		}
	}
}

// TestPresentOfEarlierLeader answers a leader by what it asked in an earlier term.
func TestPresentOfEarlierLeader(t *testing.T) {
	s := newSeat(t, nil)
	s.Lead(1<<32 + 1)
	s.asks(1)
	old := s.others.token.Load()
	s.Rest()
	s.Lead(2<<32 + 1)
	now := s.asks(1)
	s.Confirmed(old)
	s.Synced()
	select {
	case err := <-now:
		t.Fatalf("answered: %v", err)
	default:
	}
	s.Confirmed(s.others.token.Load())
	if err := <-now; err != nil {
		t.Error(err)
	}
}
