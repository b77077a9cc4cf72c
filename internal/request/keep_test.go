package request

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/txn"
)

// everybody says that all clients are known to be here.
func everybody(int64) bool { return true }

// askedFor is what was forwarded since the last time, as session/xid.
func (s *seat) askedFor() (list []string) {
	s.others.mu.Lock()
	defer s.others.mu.Unlock()
	for _, f := range s.others.forwarded {
		list = append(list, fmt.Sprintf("%d/%d", f.Session, f.Xid))
	}
	s.others.forwarded = nil
	return list
}

// expect reads replies with these xids, all of which are refusals.
func expect(t *testing.T, m *memConn, xids ...int32) {
	t.Helper()
	for _, want := range xids {
		if h, _ := m.next(t); h.Xid != want || h.Err != proto.NoNode {
			t.Fatalf("reply %+v, want %d", h, want)
		}
	}
}

// TestForwardedAgain changes the leader of a follower: what was not answered is asked for again, once and in order.
func TestForwardedAgain(t *testing.T) {
	s := newSeat(t, nil)
	s.Follow()
	c, m := s.enter(7)
	gone, g := s.enter(8)
	s.submit(c, create(1, "/a"), create(2, "/b"), create(3, "/c"))
	s.submit(gone, create(1, "/d"))
	s.askedFor()
	s.commit(refusal(7, 1, 1, proto.NoNode))
	if !s.Pause(everybody) || s.Serving() || s.Enter(&Client{}) || !s.Kept(c) {
		t.Fatal("the clients are not kept, or others are let in")
	}
	g.Close("it has left")
	later := make(chan error)
	go func() { later <- s.Submit(c, []Request{create(4, "/e")}) }()
	s.Follow()
	if err := <-later; err != nil {
		t.Fatal(err)
	}
	if got := s.askedFor(); !slices.Equal(got, []string{"7/2", "7/3", "7/4"}) {
		t.Errorf("forwarded again: %v", got)
	}
	s.commit(refusal(7, 2, 2, proto.NoNode), refusal(7, 3, 3, proto.NoNode), refusal(7, 4, 4, proto.NoNode))
	expect(t, m, 1, 2, 3, 4)
	if s.InFlight() != 0 || c.Pending() != 0 || s.pipe.flight.bytes != 0 {
		t.Errorf("%d writes in flight, %d of the client's, %d bytes", s.InFlight(), c.Pending(), s.pipe.flight.bytes)
	}
}

// TestKeptByNewLeader has a follower lead: what its clients have waited for is proposed.
func TestKeptByNewLeader(t *testing.T) {
	s := newSeat(t, nil)
	s.Follow()
	c, m := s.enter(7)
	s.submit(c, create(1, "/a"), create(2, "/b"))
	s.Pause(everybody)
	s.Lead(1<<32 + 1)
	s.submit(c, create(3, "/c"))
	if c.Session.Owner() != LocalOwner {
		t.Error("the session is nobody's")
	}
	for range 3 { // the last one may wait for those before it
		s.commit(s.others.take(t, 1)...)
	}
	for i, path := range []string{"/a", "/b", "/c"} {
		if h, d := m.next(t); h.Xid != int32(i+1) || h.Err != proto.OK || d.String() != path {
			t.Errorf("reply %+v, want %s", h, path)
		}
	}
	if s.InFlight() != 0 || c.Pending() != 0 {
		t.Errorf("%d writes in flight, %d of the client's", s.InFlight(), c.Pending())
	}
}

// TestHold has a leader decide nothing new, go on, hold again, and follow: nothing is lost, done twice, or out of order.
func TestHold(t *testing.T) {
	s := newSeat(t, nil)
	s.Lead(1<<32 + 1)
	c, m := s.enter(7)
	c.Session.SetOwner(LocalOwner)
	s.submit(c, create(1, "/a"))
	s.commit(s.others.take(t, 1)...)
	term, ok := s.Hold()
	if !ok {
		t.Fatal("it leads")
	}
	s.submit(c, create(2, "/b"))
	moved := make(chan bool, 1)
	s.Sessions.Commit(8, 30000, 0)
	s.Own(9, 8, 30000, func(valid bool) { moved <- valid })
	renewed := make(chan error, 1)
	go func() {
		_, err := s.Renew(make(chan struct{}), 8, 30000, 0)
		renewed <- err
	}()
	s.Remote(9, 1, slices.Values([]Forwarded{{Session: 8, Xid: 5, Op: proto.OpCreate, Body: createBody("/r", "", 0)}}))
	if s.others.count() != 0 || len(moved) != 0 {
		t.Fatal("something was decided")
	}
	s.Proceed(term)
	s.Proceed(term + 1) // of another term
	if !<-moved || <-renewed != nil {
		t.Error("what waited for the end was not answered")
	}
	s.commit(s.others.take(t, 2)...)
	for i, path := range []string{"/a", "/b"} {
		if h, d := m.next(t); h.Xid != int32(i+1) || h.Err != proto.OK || d.String() != path {
			t.Errorf("reply %+v, want %s", h, path)
		}
	}
	s.Hold()
	s.submit(c, create(3, "/c"), create(4, "/d"))
	s.Remote(9, 1, slices.Values([]Forwarded{{Session: 8, Xid: 6, Op: proto.OpCreate, Body: createBody("/r2", "", 0)}}))
	if !s.Pause(nil) {
		t.Fatal("the clients are not kept")
	}
	s.Follow()
	if got := s.askedFor(); !slices.Equal(got, []string{"7/3", "7/4"}) {
		t.Errorf("forwarded: %v", got)
	}
	s.commit(refusal(7, 3, 2<<32+1, proto.NoNode), refusal(7, 4, 2<<32+2, proto.NoNode))
	expect(t, m, 3, 4)
	if s.InFlight() != 0 || c.Pending() != 0 || s.others.count() != 0 {
		t.Errorf("%d writes in flight, %d of the client's, %d proposals", s.InFlight(), c.Pending(), s.others.count())
	}
}

// count is how many proposals were not taken.
func (m *members) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.proposals)
}

// TestNotKept lets those go of whom something is not known.
func TestNotKept(t *testing.T) {
	s := newSeat(t, func(o *Options) { o.MaxInFlight = 64 })
	s.Lead(1<<32 + 1)
	if s.Pause(nil) {
		t.Error("a leader that did not hold has kept clients")
	}
	c, _ := s.enter(7)
	s.submit(c, create(1, "/a"))
	s.others.take(t, 1)
	s.Hold()
	if s.Pause(nil) {
		t.Error("what was proposed may still be done")
	}
	s.Rest()
	s.Follow()
	if s.Pause(nil) {
		t.Error("the leader has said nothing")
	}
	owned, _ := s.enter(1)
	other, _ := s.enter(2)
	large, _ := s.enter(3)
	for _, c := range []*Client{owned, other, large} {
		s.Live[c.Session.ID()] = 30000
		c.Opened(30000, 0)
	}
	s.submit(large, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/large", string(make([]byte, 100)), 0)})
	s.submit(owned, create(1, "/a"))
	if !s.Pause(func(id int64) bool { return id != 2 }) {
		t.Fatal("nobody was kept")
	}
	if !s.Kept(owned) || s.Kept(other) || s.Kept(large) {
		t.Errorf("kept: %v, one who went elsewhere: %v, one whose write cannot be forwarded again: %v", s.Kept(owned), s.Kept(other), s.Kept(large))
	}
	s.askedFor()
	s.Follow()
	if err := s.Submit(other, []Request{create(2, "/b")}); err != ErrNotServing {
		t.Errorf("one who went elsewhere: %v", err)
	}
	if got := s.askedFor(); !slices.Equal(got, []string{"1/1"}) {
		t.Errorf("forwarded again: %v", got)
	}
	if n := s.InFlight(); n != 1 {
		t.Errorf("%d writes in flight", n)
	}
}

// TestNoLeaderComes lets kept clients go in the end.
func TestNoLeaderComes(t *testing.T) {
	s := newSeat(t, nil)
	s.Follow()
	c, _ := s.enter(7)
	s.submit(c, create(1, "/a"))
	s.Pause(everybody)
	outcomes := make(chan error, 3)
	go func() { outcomes <- s.Submit(c, []Request{create(2, "/b")}) }()
	go func() { outcomes <- s.Present(c, nil) }()
	go func() { outcomes <- s.CreateSession(c) }()
	s.Rest()
	for range 3 {
		if err := <-outcomes; err != ErrNotServing {
			t.Errorf("got %v", err)
		}
	}
	if n := s.InFlight(); n != 0 {
		t.Errorf("%d writes in flight", n)
	}
}

// TestPresentUnderTwoLeaders asks the next leader what the last one did not answer.
func TestPresentUnderTwoLeaders(t *testing.T) {
	s := newSeat(t, nil)
	s.Follow()
	c, _ := s.enter(7)
	asked := make(chan error)
	go func() { asked <- s.Present(c, nil) }()
	for len(s.askedFor()) == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Pause(everybody)
	s.Follow()
	for len(s.askedFor()) == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Synced()
	if err := <-asked; err != nil {
		t.Error(err)
	}
}

// TestSessionOpensUnderTwoLeaders opens a session that the last leader did not open.
func TestSessionOpensUnderTwoLeaders(t *testing.T) {
	for _, leads := range []bool{false, true} {
		s := newSeat(t, nil)
		s.Follow()
		c, _ := s.enter(7)
		s.Sessions.Remove(7)
		c.Session, _ = s.Sessions.Track(7, 30000, 0)
		if err := s.CreateSession(c); err != nil {
			t.Fatal(err)
		}
		s.Pause(func(int64) bool { return false })
		h := txn.Header{ClientID: 7, Zxid: 1<<32 + 1, Type: proto.OpCreateSession}
		created := jute.AppendInt(h.Append(nil), 30000)
		if leads {
			s.Lead(1<<32 + 1)
			created = s.others.take(t, 1)[0]
		} else {
			s.Follow()
			if got := s.askedFor(); !slices.Equal(got, []string{"7/0", "7/0"}) {
				t.Errorf("forwarded: %v", got)
			}
		}
		s.commit(created)
		if !c.Drain() || c.Session.Closing() || s.Sessions.Get(7) != c.Session {
			t.Errorf("leads %v: the session is not open", leads)
		}
	}
}

// TestRequestsBeforeTheTerm takes what learners ask of a leader that has not heard so far that it leads, and nothing of
// an earlier term.
func TestRequestsBeforeTheTerm(t *testing.T) {
	s := newSeat(t, nil)
	ask := func(epoch int64, xid int32) {
		s.Sessions.Commit(8, 30000, 0)
		s.Remote(9, epoch, slices.Values([]Forwarded{{Session: 8, Xid: xid, Op: proto.OpCreate, Body: createBody(fmt.Sprint("/", xid), "", 0)}}))
	}
	ask(2, 1)
	ask(1, 2)
	s.Lead(2<<32 + 1)
	ask(1, 3)
	ask(2, 4)
	list := s.others.take(t, 2)
	for i, want := range []int32{1, 4} {
		var tx txn.Txn
		if err := txn.Decode(list[i], &tx); err != nil || tx.Cxid != want {
			t.Errorf("proposal %d is of request %d, want %d, %v", i, tx.Cxid, want, err)
		}
	}
	s.commit(list...)
	if n := s.InFlight(); n != 0 {
		t.Errorf("%d writes in flight", n)
	}
}

// TestKeptUnderLoad changes roles again and again while clients write: each write is answered once, in order.
func TestKeptUnderLoad(t *testing.T) {
	s := newSeat(t, nil)
	s.Lead(1<<32 + 1)
	const clients, each = 4, 50
	var wg sync.WaitGroup
	for id := range int64(clients) {
		c, m := s.enter(id + 1)
		c.Session.SetOwner(LocalOwner)
		wg.Go(func() {
			for xid := int32(1); xid <= each; xid++ {
				if err := s.Submit(c, []Request{create(xid, fmt.Sprintf("/%d-%d", id, xid))}); err != nil {
					t.Error(err)
					return
				}
				if h, _ := m.next(t); h.Xid != xid {
					t.Errorf("reply %+v, want %d", h, xid)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	next := int64(1<<32 + 1)
	leads, term := true, uint64(0)
	for turn := 0; ; turn++ {
		for _, p := range s.others.rest() {
			s.commit(p)
			next = storage.Zxid(p) + 1
		}
		s.others.mu.Lock()
		asked := s.others.forwarded
		s.others.forwarded = nil
		s.others.mu.Unlock()
		for _, f := range asked {
			s.commit(refusal(f.Session, f.Xid, next, proto.NoNode))
			next++
		}
		select {
		case <-done:
			if n := s.InFlight(); n != 0 {
				t.Errorf("%d writes in flight", n)
			}
			return
		default:
		}
		if turn%3 != 0 {
			continue
		}
		if leads {
			term, _ = s.Hold()
			for _, p := range s.others.rest() {
				s.commit(p)
				next = storage.Zxid(p) + 1
			}
			if turn%2 == 0 {
				s.Proceed(term)
				continue
			}
			if !s.Pause(nil) {
				t.Fatal("clients are not kept")
			}
		} else if !s.Pause(everybody) {
			t.Fatal("clients are not kept")
		}
		s.askedFor() // the last leader does none of it
		leads = !leads
		next = (next>>32+1)<<32 + 1
		if leads {
			s.Lead(next)
		} else {
			s.Follow()
		}
	}
}

// rest takes the proposals that are there.
func (m *members) rest() [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.proposals
	m.proposals = nil
	return list
}

// term is the epoch that this member leads.
func (s *seat) term() int64 {
	s.pipe.queue.mu.Lock()
	defer s.pipe.queue.mu.Unlock()
	return s.pipe.queue.epoch
}
