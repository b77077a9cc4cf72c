package request

import (
	"slices"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

// newLocalSeat is a member with local sessions, number 3.
func newLocalSeat(t *testing.T, upgrading bool) *seat {
	return newSeat(t, func(o *Options) { o.LocalSessions = LocalSessions{Enabled: true, Upgrading: upgrading, Server: 3} })
}

// enterLocal lets a client in and opens a local session for it.
func (s *seat) enterLocal(id int64) (*Client, *memConn) {
	s.t.Helper()
	c := &Client{}
	m := &memConn{c: c, more: make(chan struct{}, 1)}
	c.Conn = m
	if !s.Enter(c) || !s.OpensLocal(c) {
		s.t.Fatal("no local session is opened")
	}
	s.OpenLocal(c, id, 30000)
	return c, m
}

func ephemeralCreate(xid int32, path string) Request {
	return Request{Xid: xid, Op: proto.OpCreate, Body: createBody(path, "", proto.FlagEphemeral)}
}

// multiOf is a multi of one create.
func multiOf(xid int32, path string, flags int32) Request {
	b := proto.MultiHeader{Type: proto.OpCreate, Err: -1}.Append(nil)
	return Request{Xid: xid, Op: proto.OpMulti, Body: proto.AppendMultiEnd(append(b, createBody(path, "", flags)...))}
}

// wants fails the test unless the next replies have these codes.
func (m *memConn) wants(t *testing.T, codes ...proto.Code) {
	t.Helper()
	for _, want := range codes {
		if h, _ := m.next(t); h.Err != want {
			t.Errorf("reply to %d: %v, want %v", h.Xid, h.Err, want)
		}
	}
}

// TestLocalSessionOfLearner becomes global before its first ephemeral.
func TestLocalSessionOfLearner(t *testing.T) {
	s := newLocalSeat(t, true)
	s.Follow()
	const id = 3<<56 + 1
	c, m := s.enterLocal(id)
	c.Opened(30000, 0)
	c.Stats.Received.Add(1)
	s.Touched(func(id int64, _ int32) { t.Errorf("the leader is told of the local session 0x%x", id) })
	s.submit(c, create(1, "/a"), multiOf(2, "/m", 0))
	if n := len(s.others.forwarded); n != 2 || !c.Session.Local() {
		t.Fatalf("%d requests were forwarded", n)
	}
	s.submit(c, multiOf(3, "/n", proto.FlagEphemeralSequential), ephemeralCreate(4, "/e"))
	if n := len(s.others.forwarded); n != 5 || c.Session.Local() {
		t.Fatalf("%d requests were forwarded", n)
	}
	f := s.others.forwarded[2]
	d := jute.NewDecoder(f.Body)
	if f.Op != proto.OpCreateSession || f.Session != id || f.Xid != 0 || d.Int() != 30000 {
		t.Errorf("before the ephemeral, %+v is forwarded", f)
	}
	opened := (&txn.Txn{Header: txn.Header{ClientID: id, Zxid: 3, Type: proto.OpCreateSession}, Body: txn.Body{Type: proto.OpCreateSession, TimeOut: 30000}}).Append(nil)
	s.commit(refusal(id, 1, 1, proto.NoAuth), refusal(id, 2, 2, proto.NoAuth), opened, refusal(id, 3, 4, proto.NoNode), refusal(id, 4, 5, proto.NoAuth))
	m.wants(t, proto.NoAuth, proto.NoAuth, proto.NoNode, proto.NoAuth)
	if s.Live[id] != 30000 || s.InFlight() != 0 {
		t.Errorf("the session is not part of the state; %d in flight", s.InFlight())
	}
	c.Stats.Received.Add(1)
	told := 0
	s.Touched(func(int64, int32) { told++ })
	if told != 1 || s.CloseLocal(c) {
		t.Error("the leader does not know of the session")
	}
}

// TestLocalSessionStaysLocal has ephemerals refused: the leader says why in its way, the client is told in this one.
func TestLocalSessionStaysLocal(t *testing.T) {
	s := newLocalSeat(t, false)
	s.Follow()
	const id = 3<<56 + 1
	c, m := s.enterLocal(id)
	s.submit(c, ephemeralCreate(1, "/e"))
	if n := len(s.others.forwarded); n != 1 {
		t.Fatalf("%d requests were forwarded", n)
	}
	s.commit(refusal(id, 1, 1, proto.SessionExpired))
	m.wants(t, proto.EphemeralOnLocalSession)
	s.Rest()
	s.Lead(1<<32 + 1)
	c, m = s.enterLocal(id)
	s.submit(c, ephemeralCreate(1, "/e"), create(2, "/a"))
	s.commit(s.others.take(t, 2)...)
	m.wants(t, proto.EphemeralOnLocalSession, proto.OK)
	if len(s.Live) != 0 || !s.CloseLocal(c) || s.Sessions.Get(id) != nil {
		t.Error("the session is not local")
	}
}

// TestLocalSessionOfLeader becomes global before its first ephemeral.
func TestLocalSessionOfLeader(t *testing.T) {
	s := newLocalSeat(t, true)
	s.Lead(1<<32 + 1)
	const id = 3<<56 + 1
	c, m := s.enterLocal(id)
	s.submit(c, create(1, "/a"), ephemeralCreate(2, "/e"), multiOf(3, "/n", proto.FlagEphemeral))
	s.commit(s.others.take(t, 4)...)
	m.wants(t, proto.OK, proto.OK, proto.OK)
	if s.Live[id] != 30000 || c.Session.Local() || s.InFlight() != 0 {
		t.Errorf("sessions %v, %d in flight", s.Live, s.InFlight())
	}
	n := 0
	for range s.Tree.Ephemerals(id) {
		n++
	}
	if n != 2 {
		t.Errorf("%d ephemerals", n)
	}
}

// TestLocalSessionsElsewhere lets unknown sessions of other members write, and own nothing.
func TestLocalSessionsElsewhere(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		s := newSeat(t, func(o *Options) { o.LocalSessions = LocalSessions{Enabled: enabled, Server: 3} })
		s.Lead(1<<32 + 1)
		const theirs, ours = 2<<56 + 1, 3<<56 + 1
		request := func(id int64, r Request) proto.Code {
			t.Helper()
			s.Remote(9, 1, slices.Values([]Forwarded{{Session: id, Xid: r.Xid, Op: r.Op, Body: r.Body}}))
			p := s.others.take(t, 1)[0]
			s.commit(p)
			var tx txn.Txn
			if err := txn.Decode(p, &tx); err != nil {
				t.Fatal(err)
			}
			return tx.Err
		}
		want := proto.SessionExpired
		if enabled {
			want = proto.OK
		}
		if code := request(theirs, create(1, "/a")); code != want {
			t.Errorf("enabled %v: %v", enabled, code)
		}
		if code := request(theirs, ephemeralCreate(2, "/e")); code != proto.SessionExpired {
			t.Errorf("enabled %v: an ephemeral of nobody: %v", enabled, code)
		}
		if code := request(ours, create(1, "/b")); code != proto.SessionExpired {
			t.Errorf("enabled %v: a session that has ended here: %v", enabled, code)
		}
		if s.owns(9, theirs) {
			t.Error("a session that nobody knows is a learner's")
		}
		if enabled {
			s.enterLocal(ours)
			if s.owns(9, ours) {
				t.Error("a local session is a learner's")
			}
		}
	}
}

// TestLocalSessionExpires ends where it lives.
func TestLocalSessionExpires(t *testing.T) {
	ended := int64(0)
	s := newSeat(t, func(o *Options) {
		o.LocalSessions.Enabled = true
		o.SessionClosed = func(id int64) { ended = id }
	})
	s.Follow()
	c, _ := s.enterLocal(5)
	s.expire(c.Session)
	if ended != 5 || s.Sessions.Get(5) != nil || len(s.others.forwarded) != 0 {
		t.Errorf("session %d ended, %d requests were forwarded", ended, len(s.others.forwarded))
	}
}

// TestReadOnly has a member without a quorum answer reads.
func TestReadOnly(t *testing.T) {
	s := newSeat(t, nil)
	s.ReadOnly()
	c, m := s.enterLocal(5)
	if !c.ReadOnly || !s.ReadsOnly() || !s.Serving() || s.Leads() {
		t.Fatal("it is not read-only")
	}
	s.submit(c, create(1, "/a"), Request{Xid: 2, Op: proto.OpMulti}, Request{Xid: 3, Op: proto.OpSync})
	m.Flush()
	m.wants(t, proto.NotReadOnly, proto.NotReadOnly, proto.NotReadOnly)
	reads := []Request{{Xid: 4, Op: proto.OpExists, Body: append(jute.AppendString(nil, "/zookeeper"), 0)}}
	if n := s.Read(c, reads, s.Now()); n != 1 {
		t.Fatalf("%d reads are answered", n)
	}
	m.Flush()
	m.wants(t, proto.OK)
	s.Sessions.Commit(6, 30000, 0)
	for _, id := range []int64{6, 1<<56 + 6} {
		if _, err := s.Renew(nil, id, 30000, 0); err != ErrNotServing {
			t.Errorf("session 0x%x, which may be one of the ensemble: %v", id, err)
		}
	}
	if got, err := s.Renew(nil, 7, 30000, 0); got != nil || err != nil {
		t.Errorf("a session that was local here: %v, %v", got, err)
	}
	if got, err := s.Renew(nil, 5, 30000, 0); err != nil || got != c.Session {
		t.Errorf("the session comes back: %v, %v", got, err)
	}
	s.Rest()
	s.Follow()
	if s.Enter(c); c.ReadOnly || s.Sessions.Get(5) != nil {
		t.Error("it is read-only still")
	}
}
