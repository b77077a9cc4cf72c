package request

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/arena"
	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// members is an ensemble that a test plays.
type members struct {
	mu        sync.Mutex
	configs   [][]byte // of the batches that brought one
	proposals [][]byte // transactions, without frames
	rooms     []int    // capacities of the batches
	batches   [][]byte // their records
	filled    [][]byte // memory that came with them
	forwarded []Forwarded
	more      chan struct{}
	gate      chan error    // if set, each Propose takes one
	proposing chan struct{} // if set, each Propose puts one in before
	token     atomic.Uint64 // of the last Confirm
	confirms  atomic.Int64
}

var errOver = errors.New("the term is over")

func (m *members) Reconfigure(r *proto.ReconfigRequest, zxid int64) ([]byte, proto.Code) {
	if r.Version != -1 {
		return nil, proto.BadVersion
	}
	return fmt.Appendf(nil, "%s version=%x", r.Joining, zxid), proto.OK
}

func (m *members) Propose(p Proposal) error {
	records, config := p.Records, p.Config
	if m.proposing != nil {
		m.proposing <- struct{}{}
	}
	if m.gate != nil {
		if err := <-m.gate; err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rooms = append(m.rooms, cap(records))
	m.batches = append(m.batches, records)
	if p.Filled != nil {
		m.filled = append(m.filled, p.Filled)
	}
	if config != nil {
		m.configs = append(m.configs, config)
	}
	for at := 0; at < len(records); {
		entry := storage.Entry(records, at)
		m.proposals = append(m.proposals, entry)
		at += storage.RecordLen(len(entry))
	}
	select {
	case m.more <- struct{}{}:
	default:
	}
	return nil
}

func (m *members) Forward(list []Forwarded) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forwarded = append(m.forwarded, list...)
}

func (m *members) Confirm(token uint64)    { m.token.Store(token); m.confirms.Add(1) }
func (m *members) Revalidate(int64, int32) {}
func (m *members) Roll()                   {}

// take waits for n proposals, and takes them.
func (m *members) take(t *testing.T, n int) [][]byte {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		m.mu.Lock()
		if len(m.proposals) >= n {
			defer m.mu.Unlock()
			list := m.proposals[:n]
			m.proposals = m.proposals[n:]
			return list
		}
		m.mu.Unlock()
		select {
		case <-m.more:
		case <-deadline:
			t.Fatalf("waited in vain for %d proposals", n)
		}
	}
}

// seat is a member of an ensemble.
type seat struct {
	*world
	others *members
}

func newSeat(t *testing.T, edit func(*Options)) *seat {
	s := &seat{others: &members{more: make(chan struct{}, 1)}}
	s.world = newWorld(t, func(o *Options) {
		o.Ensemble, o.Clock = s.others, func() int64 { return 0 }
		if edit != nil {
			edit(o)
		}
	})
	return s
}

// enter lets a client in whose session the ensemble has.
func (s *seat) enter(id int64) (*Client, *memConn) {
	s.t.Helper()
	c := &Client{}
	m := &memConn{c: c, more: make(chan struct{}, 1)}
	c.Conn = m
	if !s.Enter(c) {
		s.t.Fatal("nobody is served")
	}
	c.Session = s.Sessions.Commit(id, 30000, 0)
	s.Attach(c)
	return c, m
}

// owns tells whether a session that a learner's client brings along is that learner's now.
func (s *seat) owns(owner session.Owner, id int64) (valid bool) {
	s.Own(owner, id, 30000, func(v bool) { valid = v })
	return valid
}

// commit has the ensemble agree upon transactions.
func (s *seat) commit(list ...[]byte) {
	s.t.Helper()
	if err := s.Commit(len(list), func(i int) []byte { return list[i] }); err != nil {
		s.t.Fatal(s.Err())
	}
}

// refusal is a transaction that only says why.
func refusal(session int64, cxid int32, zxid int64, code proto.Code) []byte {
	h := txn.Header{ClientID: session, Cxid: cxid, Zxid: zxid, Type: proto.OpError}
	b := h.Append(nil)
	return (&txn.Body{Type: proto.OpError, Err: code}).Append(b)
}

func create(xid int32, path string) Request {
	return Request{Xid: xid, Op: proto.OpCreate, Body: createBody(path, "", 0)}
}

func TestLeaderProposes(t *testing.T) {
	s := newSeat(t, nil)
	if s.Enter(&Client{}) {
		t.Error("a member that rests lets clients in")
	}
	s.Lead(1<<32 + 1)
	c, m := s.enter(7)
	s.submit(c, create(1, "/a"), create(2, "/a"), Request{Xid: 3, Op: proto.OpCreate, Body: []byte{0, 0}})
	s.commit(s.others.take(t, 3)...)
	for i, want := range []proto.Code{0, proto.NodeExists, proto.MarshallingError} {
		if h, _ := m.next(t); h.Err != want || h.Xid != int32(i+1) || h.Zxid != 1<<32+int64(i+1) {
			t.Errorf("reply %d: %+v, want code %d", i, h, want)
		}
	}
	if n := s.InFlight(); n != 0 {
		t.Errorf("%d writes in flight", n)
	}
}

// TestReconfig makes a transaction of a change of the members, the last of its
// batch, if the client may write there.
func TestReconfig(t *testing.T) {
	for _, may := range []bool{false, true} {
		reg, err := auth.New(auth.Options{SkipACL: may})
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer // the writer's, until the last reply
		s := newSeat(t, func(o *Options) {
			o.ReconfigEnabled, o.Auth, o.Logger = true, reg, slog.New(slog.NewTextHandler(&log, nil))
		})
		s.Lead(1<<32 + 1)
		c, m := s.enter(7)
		reconfig := func(xid int32, version int64) Request {
			b := jute.AppendBuffer(jute.AppendBuffer(jute.AppendString(nil, "more"), nil), nil)
			return Request{Xid: xid, Op: proto.OpReconfig, Body: jute.AppendLong(b, version)}
		}
		s.submit(c, create(1, "/a"), reconfig(2, 5), reconfig(3, -1), create(4, "/b"))
		if may { // what comes behind waits: the lead may be given away
			s.commit(s.others.take(t, 3)...)
			s.ConfigSettled()
			s.commit(s.others.take(t, 1)...)
		} else {
			s.commit(s.others.take(t, 4)...)
		}
		want := []proto.Code{proto.OK, proto.BadVersion, proto.NoAuth, proto.OK}
		text := fmt.Sprintf("more version=%x", 1<<32+3)
		if may {
			want[2] = proto.OK
		}
		for i, code := range want {
			h, d := m.next(t)
			if h.Err != code || h.Xid != int32(i+1) {
				t.Errorf("reply %d: %+v, want code %d", i, h, code)
			}
			if i != 2 || !may {
				continue
			}
			var stat proto.Stat
			if got := d.String(); got != text {
				t.Errorf("the configuration is %q", got)
			}
			if stat.Decode(&d); stat.Mzxid != 1<<32+3 || stat.Version != -1 || d.Err() != nil {
				t.Errorf("%+v, %v", stat, d.Err())
			}
		}
		for told, want := range map[string]bool{"a reconfiguration is proposed": may, "the client may not write /zookeeper/config": !may} {
			if strings.Contains(log.String(), told) != want {
				t.Errorf("%q was logged, want %v: %s", told, want, log.String())
			}
		}
		s.others.mu.Lock()
		if n := len(s.others.configs); may && (n != 1 || string(s.others.configs[0]) != text || len(s.others.rooms) < 2) || !may && n != 0 {
			t.Errorf("%d batches, of which these bring a configuration: %q", len(s.others.rooms), s.others.configs)
		}
		s.others.mu.Unlock()
	}
}

// TestEarlierRole has a client go on whose connection is about to end, because
// the member's role has changed: what it sent last may not be done without what
// it sent before.
func TestEarlierRole(t *testing.T) {
	s := newSeat(t, nil)
	roles := map[string]func(){"lead": func() { s.Lead(1<<32 + 1) }, "follow": s.Follow}
	for before, first := range roles {
		for after, second := range roles {
			first()
			c, _ := s.enter(7)
			s.Rest()
			second()
			if err := s.Submit(c, []Request{create(1, "/a")}); !errors.Is(err, ErrNotServing) {
				t.Errorf("%s, then %s: a write: %v", before, after, err)
			}
			if err := s.CreateSession(c); !errors.Is(err, ErrNotServing) {
				t.Errorf("%s, then %s: a session: %v", before, after, err)
			}
			if err := s.Present(c, nil); !errors.Is(err, ErrNotServing) {
				t.Errorf("%s, then %s: a sync: %v", before, after, err)
			}
			s.Closing(c)
			if c.Session.Closing() {
				t.Errorf("%s, then %s: a session never ends", before, after)
			}
			if n := s.InFlight(); n != 0 {
				t.Errorf("%s, then %s: %d writes in flight", before, after, n)
			}
			s.Rest()
		}
	}
}

// TestLostTerm ends a leader's term while a proposal waits and more is queued.
func TestLostTerm(t *testing.T) {
	s := newSeat(t, nil)
	s.others.gate, s.others.proposing = make(chan error), make(chan struct{}, 100)
	s.Lead(1<<32 + 1)
	c, _ := s.enter(7)
	s.submit(c, create(1, "/a"))
	<-s.others.proposing
	for i := range 10 {
		s.submit(c, create(int32(i+2), fmt.Sprint("/a", i)))
	}
	rested := make(chan struct{})
	go func() { s.Rest(); close(rested) }()
	for open := true; open; {
		select {
		case s.others.gate <- errOver:
		case <-rested:
			open = false
		}
	}
	if n := s.InFlight(); n != 0 {
		t.Errorf("%d writes in flight", n)
	}
	s.others.gate, s.others.proposing = nil, nil
	s.Lead(2<<32 + 1)
	c, m := s.enter(7)
	s.submit(c, create(1, "/b"))
	list := s.others.take(t, 1)
	if got := storage.Zxid(list[0]); got != 2<<32+1 {
		t.Errorf("the first proposal is 0x%x", got)
	}
	s.commit(list...)
	if h, d := m.next(t); h.Err != 0 || d.String() != "/b" {
		t.Errorf("reply %+v", h)
	}
}

// TestRolesChangeUnderClients has clients write and ask while a member leads,
// follows and rests in turn.
func TestRolesChangeUnderClients(t *testing.T) {
	s := newSeat(t, nil)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := int32(0); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				c := &Client{}
				c.Conn = &memConn{c: c, more: make(chan struct{}, 1)}
				if !s.Enter(c) {
					time.Sleep(time.Millisecond)
					continue
				}
				c.Session = s.Sessions.Commit(int64(i+1), 30000, 0)
				s.Attach(c)
				for range 3 {
					if s.Submit(c, []Request{create(n, fmt.Sprintf("/%d-%d", i, n)), {Xid: n + 1, Op: proto.OpSetData}}) != nil || s.Present(c, nil) != nil {
						break
					}
				}
				s.Closing(&Client{Session: c.Session})
				s.Detach(c)
				time.Sleep(time.Millisecond)
			}
		}()
	}
	for epoch := int64(1); epoch <= 20; epoch++ {
		s.Lead(epoch<<32 + 1)
		for range 5 {
			for _, p := range s.others.take(t, 1) {
				if storage.Zxid(p)>>32 == epoch {
					s.commit(p)
				}
			}
			s.Confirmed(s.others.token.Load())
		}
		s.Rest()
		s.Follow()
		s.Touched(func(int64, int32) {})
		s.commit(refusal(1, 0, s.Zxid()+1, proto.NoNode))
		s.Synced()
		s.Rest()
	}
	close(stop)
	wg.Wait()
	if n := s.InFlight(); n != 0 {
		t.Errorf("%d writes in flight", n)
	}
}

// TestFollowerKeepsOrder mixes writes that are refused here with others.
func TestFollowerKeepsOrder(t *testing.T) {
	s := newSeat(t, nil)
	s.Follow()
	c, m := s.enter(7)
	torn := func(xid int32) Request { return Request{Xid: xid, Op: proto.OpSetData, Body: []byte{0, 0, 0}} }
	s.submit(c, torn(1), create(2, "/a"), torn(3), torn(4), create(5, "/b"), torn(6))
	if n := len(s.others.forwarded); n != 2 {
		t.Fatalf("%d requests were forwarded", n)
	}
	if h, _ := m.next(t); h.Xid != 1 || h.Err != proto.MarshallingError {
		t.Errorf("first reply %+v", h)
	}
	s.commit(refusal(8, 2, 1, proto.NoAuth), refusal(7, 2, 2, proto.NoAuth), refusal(7, 5, 3, proto.NoNode))
	for i, want := range []proto.Code{proto.NoAuth, proto.MarshallingError, proto.MarshallingError, proto.NoNode, proto.MarshallingError} {
		if h, _ := m.next(t); h.Xid != int32(i+2) || h.Err != want {
			t.Errorf("reply %+v, want %d of %d", h, want, i+2)
		}
	}
	if s.InFlight() != 0 || c.Pending() != 0 || len(s.pipe.flight.local) != 0 {
		t.Errorf("%d in flight, %d of the client's, %d sessions", s.InFlight(), c.Pending(), len(s.pipe.flight.local))
	}
}

// TestRefusedWhileApplied answers a write that is refused where it arrives behind the one before
// it of its session, also if it arrives while that is being applied.
func TestRefusedWhileApplied(t *testing.T) {
	s := newSeat(t, nil)
	s.Follow()
	c, m := s.enter(7)
	s.submit(c, create(1, "/a"))
	list := [][]byte{refusal(7, 1, 1, proto.NoAuth)}
	torn := []Request{{Xid: 2, Op: proto.OpSetData, Body: []byte{0, 0, 0}}}
	err := s.Commit(1, func(i int) []byte {
		f := &s.pipe.flight
		if torn == nil || !f.mu.TryLock() {
			return list[i] // who applies is looking for who waits
		}
		w := f.local[7]
		taken := w != nil && w.taken == 1
		f.mu.Unlock()
		if taken {
			s.submit(c, torn...)
			torn = nil
		}
		return list[i]
	})
	if err != nil || torn != nil {
		t.Fatalf("%v, and the write that is refused was sent: %v", err, torn == nil)
	}
	for i, want := range []proto.Code{proto.NoAuth, proto.MarshallingError} {
		if h, _ := m.next(t); h.Xid != int32(i+1) || h.Err != want || h.Zxid != 1 {
			t.Errorf("reply %d: %+v, want %d of %d", i, h, want, i+1)
		}
	}
	if s.InFlight() != 0 || c.Pending() != 0 || len(s.pipe.flight.local) != 0 {
		t.Errorf("%d in flight, %d of the client's, %d sessions", s.InFlight(), c.Pending(), len(s.pipe.flight.local))
	}
}

// TestMovedSession ends the connection, as Apache's servers do: the client may be
// here again by a later one.
func TestMovedSession(t *testing.T) {
	s := newSeat(t, nil)
	s.Follow()
	c, _ := s.enter(7)
	s.submit(c, create(1, "/a"))
	s.commit(refusal(7, 1, 1, proto.SessionMoved))
	if frames, last := c.Take(); len(frames) != 0 || !last || c.Pending() != 0 {
		t.Errorf("a write: frames %x, last %v", frames, last)
	}
	s.Rest()
	s.Lead(1<<32 + 1)
	c, _ = s.enter(7)
	if !s.owns(9, 7) {
		t.Fatal("the session has ended")
	}
	s.Read(c, []Request{{Xid: 1, Op: proto.OpExists, Body: readBody("/", false)}}, time.Now())
	if frames, last := c.Take(); len(frames) != 0 || !last {
		t.Errorf("a read: frames %x, last %v", frames, last)
	}
}

// TestRefusedAfterAMove answers a multi that is refused where it arrives, whatever became of the
// multi that was applied last.
func TestRefusedAfterAMove(t *testing.T) {
	s := newSeat(t, nil)
	s.Follow()
	c, m := s.enter(7)
	c.add(1)
	w := &s.pipe.commit
	w.begin()
	s.Tree.Lock()
	w.res.Multi = []tree.Outcome{{Code: proto.SessionMoved}}
	w.refused([]item{{client: c, session: c.Session, xid: 1, op: proto.OpMulti, code: proto.MarshallingError}})
	w.turn(1)
	w.flush()
	if h, _ := m.next(t); h.Xid != 1 || h.Err != proto.MarshallingError {
		t.Errorf("reply %+v", h)
	}
}

// TestDifferenceEndsAChunk counts what was answered before it, and puts no snapshot off.
func TestDifferenceEndsAChunk(t *testing.T) {
	s := newSeat(t, func(o *Options) {
		o.SnapCount, o.Snapshots = 2, &dueCounter{size: 60}
		o.Differs = func(*Difference) bool { return true }
	})
	s.Follow()
	c, m := s.enter(7)
	s.submit(c, create(1, "/a"), create(2, "/b"), create(3, "/c"))
	s.commit(refusal(8, 1, 1, proto.NoAuth), refusal(8, 2, 2, proto.NoAuth))
	if s.pipe.putOff.Load() != putOff {
		t.Fatal("no snapshot is put off")
	}
	wrong := txn.Txn{
		Header:    txn.Header{ClientID: 8, Cxid: 3, Zxid: 5, Type: proto.OpSetData},
		Body:      txn.Body{Type: proto.OpSetData, Path: "/", Data: []byte("x"), Version: 1},
		HasDigest: true, TreeDigest: 1,
	}
	list := [][]byte{refusal(7, 1, 3, proto.NoAuth), refusal(7, 2, 4, proto.NoNode), wrong.Append(nil)}
	err := s.Commit(len(list), func(i int) []byte { return list[i] })
	if d := (*Difference)(nil); !errors.As(err, &d) || d.Zxid != 5 {
		t.Fatalf("%v", err)
	}
	for i, want := range []proto.Code{proto.NoAuth, proto.NoNode} {
		if h, _ := m.next(t); h.Xid != int32(i+1) || h.Err != want {
			t.Errorf("reply %d: %+v", i, h)
		}
	}
	if n := s.Metrics.DigestMismatches.Swap(0); n != 1 {
		t.Errorf("%d differences are counted", n)
	}
	if n := s.InFlight(); n != 1 {
		t.Errorf("%d writes in flight, want the one that was not answered", n)
	}
	if _, ok := s.freezePutOff(); ok {
		t.Error("a state that differs is to be a snapshot")
	}
}

// TestTouched tells the leader of those who were heard of, and of nobody else:
// else a session whose client is cut off would never end.
func TestTouched(t *testing.T) {
	s := newSeat(t, nil)
	s.Follow()
	c, _ := s.enter(7)
	c.Opened(5000, 0)
	touched := func() (list []string) {
		s.Touched(func(id int64, timeout int32) { list = append(list, fmt.Sprint(id, " ", timeout)) })
		return list
	}
	c.Stats.Received.Add(1)
	if got := touched(); len(got) != 1 || got[0] != "7 5000" {
		t.Errorf("after a request: %v", got)
	}
	c.Stats.Received.Add(1) // within the same tick
	if got := touched(); len(got) != 1 {
		t.Errorf("after another: %v", got)
	}
	s.Sessions.Keep(1_000_000, nil)
	if got := touched(); len(got) != 0 {
		t.Errorf("after none: %v", got)
	}
	c.Stats.Received.Add(1)
	s.Detach(c)
	if got := touched(); len(got) != 1 || got[0] != "7 5000" {
		t.Errorf("after the client has left: %v", got)
	}
	if got := touched(); len(got) != 0 {
		t.Errorf("and again: %v", got)
	}
}

// TestRemoteDoesNotWait takes requests of learners while the leader's own clients
// have to wait: who brings them applies what makes room.
func TestRemoteDoesNotWait(t *testing.T) {
	s := newSeat(t, func(o *Options) { o.MaxInFlight = 100 })
	s.others.gate = make(chan error)
	s.Lead(1<<32 + 1)
	s.Sessions.Commit(8, 30000, 0)
	c, _ := s.enter(7)
	for i := range 2 {
		s.submit(c, Request{Xid: int32(i + 1), Op: proto.OpCreate, Body: createBody(fmt.Sprint("/b", i), string(make([]byte, 200)), 0)})
	}
	for i := range 10 {
		s.Remote(9, 1, slices.Values([]Forwarded{{Session: 8, Xid: int32(i + 1), Op: proto.OpCreate, Body: createBody(fmt.Sprint("/a", i), "", 0)}}))
	}
	close(s.others.gate)
	s.commit(s.others.take(t, 12)...)
	if n := s.InFlight(); n != 0 {
		t.Errorf("%d writes in flight", n)
	}
}

// TestRemoteSync has a learner forward syncs between its writes: each is asked for behind the writes before it, and those behind
// one that holds wait for its answer. Other learners do not.
func TestRemoteSync(t *testing.T) {
	s := newSeat(t, nil)
	s.others.gate, s.others.proposing = make(chan error), make(chan struct{}, 10)
	s.Lead(1<<32 + 1)
	s.Sessions.Commit(8, 30000, 0)
	asked := make(chan string, 10)
	sync := func(owner session.Owner, holds bool, name string) {
		s.RemoteSync(owner, s.term(), holds, func() { asked <- name })
	}
	xid := int32(0)
	write := func() {
		xid++
		s.Remote(9, 1, slices.Values([]Forwarded{{Session: 8, Xid: xid, Op: proto.OpCreate, Body: createBody(fmt.Sprint("/a", xid), "", 0)}}))
	}
	next := func(want string) {
		t.Helper()
		if got := <-asked; got != want {
			t.Errorf("%s is asked for, want %s", got, want)
		}
	}
	waiting := func(steps int) {
		t.Helper()
		s.pipe.queue.mu.Lock()
		defer s.pipe.queue.mu.Unlock()
		n := 0
		for _, l := range s.pipe.queue.lines {
			n += len(l.steps)
		}
		if n != steps || len(asked) > 0 {
			t.Errorf("%d steps wait, want %d; %d syncs are asked for", n, steps, len(asked))
		}
	}
	propose := func() {
		t.Helper()
		<-s.others.proposing
		s.others.gate <- nil
		s.commit(s.others.take(t, 1)...)
	}
	sync(9, false, "with nothing before")
	next("with nothing before")
	s.Answered(9)
	write()
	<-s.others.proposing
	sync(9, true, "behind one")
	write()
	sync(9, false, "behind two")
	waiting(3)
	sync(10, true, "of another")
	next("of another")
	s.others.gate <- nil
	next("behind one")
	s.commit(s.others.take(t, 1)...)
	waiting(2)
	s.Answered(9)
	propose()
	next("behind two")
	write() // it does not hold
	propose()
	sync(9, true, "of one that leaves")
	next("of one that leaves")
	write()
	waiting(1)
	s.Left(9)
	s.Left(10)
	waiting(0)
	write()
	<-s.others.proposing
	sync(9, true, "of a term that is over")
	s.others.gate <- errOver
	s.Rest()
	s.Lead(2<<32 + 1)
	sync(9, true, "of the next term")
	next("of the next term")
	s.Answered(9)
	if n := len(s.pipe.queue.lines); n > 0 || len(asked) > 0 {
		t.Errorf("%d learners are kept in mind, %d syncs", n, len(asked))
	}
}

// TestRenewEnds has a client leave, and the leader, while it is asked.
func TestRenewEnds(t *testing.T) {
	s := newSeat(t, nil)
	s.Follow()
	gone := make(chan struct{})
	close(gone)
	if _, err := s.Renew(gone, 7, 30000, 0); !errors.Is(err, ErrNotServing) {
		t.Errorf("the client has left: %v", err)
	}
	asked := make(chan error)
	go func() {
		_, err := s.Renew(make(chan struct{}), 8, 30000, 0)
		asked <- err
	}()
	for s.Serving() {
		s.pipe.flight.mu.Lock()
		n := len(s.pipe.flight.renews[8])
		s.pipe.flight.mu.Unlock()
		if n > 0 {
			s.Rest()
		}
	}
	if err := <-asked; !errors.Is(err, ErrNotServing) {
		t.Errorf("the leader has gone: %v", err)
	}
}

// TestBatchesTakeWhatTheyNeed proposes a large transaction and small ones after
// it. The ensemble keeps hundreds of batches.
func TestBatchesTakeWhatTheyNeed(t *testing.T) {
	s := newSeat(t, nil)
	s.Lead(1<<32 + 1)
	c, _ := s.enter(7)
	for i := range 4 {
		data := ""
		if i == 0 {
			data = string(make([]byte, 900<<10))
		}
		s.submit(c, Request{Xid: int32(i + 1), Op: proto.OpCreate, Body: createBody(fmt.Sprint("/a", i), data, 0)})
		s.commit(s.others.take(t, 1)...)
	}
	if last := s.others.rooms[3]; last > 64<<10 {
		t.Errorf("a transaction of some bytes takes %d", last)
	}
}

// TestMemoryOfProposals gives back what earlier proposals lie in: later ones lie there, and all hold what was asked for.
func TestMemoryOfProposals(t *testing.T) {
	s := newSeat(t, nil)
	s.Lead(1<<32 + 1)
	s.Sessions.Commit(8, 30000, 0)
	data := strings.Repeat("x", 1000)
	n := 0
	write := func(times int) {
		t.Helper()
		for range times {
			n++
			s.Remote(9, 1, slices.Values([]Forwarded{{Session: 8, Xid: int32(n), Op: proto.OpCreate, Body: createBody(fmt.Sprint("/a", n), data, 0)}}))
			s.commit(s.others.take(t, 1)...)
			if got := s.Tree.Find(fmt.Sprint("/a", n)); got == 0 || string(s.Tree.Data(got)) != data {
				t.Fatalf("write %d left other data", n)
			}
		}
	}
	write(3 * arena.Piece / len(data))
	s.others.mu.Lock()
	filled := s.others.filled
	s.others.batches = nil
	s.others.mu.Unlock()
	if len(filled) < 2 {
		t.Fatalf("%d pieces of memory were filled", len(filled))
	}
	s.Free(filled[0])
	write(3 * arena.Piece / len(data))
	s.others.mu.Lock()
	again := slices.ContainsFunc(s.others.batches, func(b []byte) bool { return &b[0] == &filled[0][0] })
	s.others.mu.Unlock()
	if !again {
		t.Error("memory that came back is not used")
	}
}

// TestBatchesWaitForThoseUnderWay has a leader gather writes while the members
// are at work on others: until those are committed, or until three quarters as many wait.
func TestBatchesWaitForThoseUnderWay(t *testing.T) {
	s := newSeat(t, nil)
	s.Lead(1<<32 + 1)
	write := func(from, n int) {
		list := make([]Forwarded, n)
		for i := range list {
			list[i] = Forwarded{Session: 8, Xid: int32(from + i), Op: proto.OpCreate, Body: createBody(fmt.Sprint("/a", from+i), "", 0)}
		}
		s.Remote(9, 1, slices.Values(list))
	}
	write(0, 4)
	first := s.others.take(t, 4)
	write(4, 2)
	s.pipe.queue.mu.Lock()
	ripe := s.pipe.queue.ripe()
	s.pipe.queue.mu.Unlock()
	if ripe {
		t.Fatal("two writes leave although the members are at work on four")
	}
	write(6, 1)
	second := s.others.take(t, 3)
	write(7, 2)
	s.commit(first...)
	s.commit(second...)
	s.commit(s.others.take(t, 2)...)
}

// TestLinedUpForTheLastLeader has a role end between a write's getting on the list
// and the list's being sent: the next leader does not get it like that.
func TestLinedUpForTheLastLeader(t *testing.T) {
	s := newSeat(t, nil)
	s.Follow()
	c, _ := s.enter(7)
	if !s.pipe.lineUp(c, []Request{create(1, "/a")}, time.Now()) {
		t.Fatal("refused")
	}
	s.Rest()
	s.Follow()
	s.pipe.flight.mu.Lock()
	s.pipe.sendLine()
	s.pipe.flight.mu.Unlock()
	if n := len(s.others.forwarded); n != 0 {
		t.Errorf("%d requests were forwarded", n)
	}
}

// TestNotForwarded are writes that leaders may not survive.
func TestNotForwarded(t *testing.T) {
	whole := createBody("/a", "data", 0)
	acls := jute.AppendInt(jute.AppendBuffer(jute.AppendString(nil, "/a"), nil), -1)
	for name, r := range map[string]Request{
		"create":                    {Op: proto.OpCreate, Body: whole[:len(whole)-1]},
		"create of null":            {Op: proto.OpCreate, Body: append([]byte{255, 255, 255, 255}, whole[6:]...)},
		"create of nothing":         {Op: proto.OpCreate},
		"create2":                   {Op: proto.OpCreate2, Body: whole[:9]},
		"create with TTL":           {Op: proto.OpCreateTTL, Body: whole},
		"set":                       {Op: proto.OpSetData, Body: setBody("/a", "x", 1)[:10]},
		"set with a length":         {Op: proto.OpSetData, Body: []byte{0x7f, 255, 255, 255, '/'}},
		"delete":                    {Op: proto.OpDelete, Body: deleteBody("/a", 1)[:7]},
		"set ACL":                   {Op: proto.OpSetACL, Body: []byte{0, 0, 0, 1, '/', 0x7f, 0, 0, 0}},
		"reconfiguration":           {Op: proto.OpReconfig, Body: []byte{0, 0, 0, 0}},
		"multi of nothing":          {Op: proto.OpMulti},
		"multi with reads":          {Op: proto.OpMulti, Body: multiBody(Request{Op: proto.OpGetData, Body: readBody("/a", false)})},
		"multi with half":           {Op: proto.OpMulti, Body: multiBody(create(0, "/a"))[:20]},
		"multi with an ACL of null": {Op: proto.OpMulti, Body: multiBody(Request{Op: proto.OpCreate, Body: jute.AppendInt(acls, 0)})},
	} {
		if got := decodable(&r); got != proto.MarshallingError {
			t.Errorf("%s: %v", name, got)
		}
	}
	for name, r := range map[string]Request{
		"create": create(1, "/a"),
		"close":  {Op: proto.OpCloseSession},
		"multi":  {Op: proto.OpMulti, Body: multiBody(create(0, "/a"), Request{Op: proto.OpDelete, Body: deleteBody("/a", 0)})},
	} {
		if got := decodable(&r); got != proto.OK {
			t.Errorf("%s is refused: %v", name, got)
		}
	}
}
