package peerwire

import (
	"context"
	"math"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/test/harness"
)

// leader is the test as the leader of a learner, which is Apache's server in seat 1.
type leader struct {
	*quorum
	zxid     int64
	version  int32 // of the root
	observed bool  // it has an observer, which acknowledges nothing
}

const epoch = 1

// lead wins an election against the server and makes it follow.
func lead(t *testing.T, ensemble *harness.Ensemble, version harness.ApacheVersion) *leader {
	t.Helper()
	l, el := listen(t, ensemble.QuorumAddr(2)), listen(t, ensemble.ElectionAddr(2))
	ensemble.Server(1).Launch()
	e := meet(t, ensemble, version, el, 2, 1)
	first := e.next()
	e.vote(wire.Notification{State: wire.Looking, Leader: 2, Round: first.Round, Version: first.Version, Config: first.Config})
	e.until(func(n wire.Notification) bool { return n.Leader == 2 })
	le := &leader{quorum: newQuorum(t, accept(t, l)), zxid: epoch << 32}
	le.synchronise(le.want(wire.FollowerInfo), first.Config)
	return le
}

// leadObserver answers the server's search for a leader as a leader and its only follower do, and makes it observe.
func leadObserver(t *testing.T, ensemble *harness.Ensemble, version harness.ApacheVersion) *leader {
	t.Helper()
	l, el2, el3 := listen(t, ensemble.QuorumAddr(3)), listen(t, ensemble.ElectionAddr(2)), listen(t, ensemble.ElectionAddr(3))
	ensemble.Server(1).Launch()
	follows, leads := meet(t, ensemble, version, el2, 2, 1), meet(t, ensemble, version, el3, 3, 1)
	asked := leads.next()
	if asked.State != wire.Looking || asked.Leader != math.MinInt64 || asked.Zxid != math.MinInt64 || asked.PeerEpoch != math.MinInt64 {
		t.Errorf("an observer's notification: %+v", asked)
	}
	vote := wire.Notification{Leader: 3, Round: 1, PeerEpoch: epoch, Version: asked.Version, Config: asked.Config}
	vote.State = wire.Following
	follows.vote(vote)
	vote.State = wire.Leading
	leads.vote(vote)
	leads.check(version, "election-observer", false)
	le := &leader{quorum: newQuorum(t, accept(t, l)), zxid: epoch << 32, observed: true}
	le.synchronise(le.want(wire.ObserverInfo), asked.Config)
	return le
}

// synchronise goes on from the learner's first packet to the point where it serves clients.
func (l *leader) synchronise(first *wire.Packet, config []byte) {
	l.t.Helper()
	info, err := wire.DecodeLearnerInfo(first)
	if err != nil || info.SID != 1 || info.Version < wire.ProtocolVersion || info.AcceptedEpoch != 0 || info.Observer != l.observed {
		l.t.Fatalf("%+v, %v", info, err)
	}
	l.send(wire.AppendLeaderInfo(nil, epoch))
	if ack, err := wire.DecodeEpochAck(l.want(wire.AckEpoch)); err != nil || ack != (wire.EpochAck{}) {
		l.t.Errorf("%+v, %v", ack, err)
	}
	l.send(wire.AppendNewLeader(wire.AppendDiff(nil, 0), epoch, config))
	l.wantAck(epoch << 32)
	l.send(wire.AppendUpToDate(nil))
	l.wantAck(epoch << 32)
}

func (l *leader) wantAck(zxid int64) {
	l.t.Helper()
	if p := l.want(wire.Ack); p.Zxid != zxid {
		l.t.Fatalf("ACK of 0x%x, want 0x%x", p.Zxid, zxid)
	}
}

// commit makes a transaction of the follower's next request and commits it.
func (l *leader) commit(op proto.Op) wire.ClientRequest {
	l.t.Helper()
	r := l.request(op)
	l.zxid++
	tx := txn.Txn{Header: txn.Header{ClientID: r.Session, Cxid: r.Cxid, Zxid: l.zxid, Time: 1_700_000_000_000, Type: op}}
	tx.Body.Type = op
	switch op {
	case proto.OpCreateSession:
		d := jute.NewDecoder(r.Body)
		tx.TimeOut = d.Int()
	case proto.OpSetData:
		d := jute.NewDecoder(r.Body)
		l.version++
		tx.Path, tx.Data, tx.Body.Version = d.String(), d.Buffer(), l.version
	case proto.OpCloseSession:
	}
	if l.observed {
		l.send(wire.AppendInform(nil, l.zxid, tx.Append(nil)))
		return r
	}
	l.send(wire.AppendProposal(nil, l.zxid, tx.Append(nil)))
	l.wantAck(l.zxid)
	l.send(wire.AppendCommit(nil, l.zxid))
	return r
}

// request returns the follower's next request, which must be of this kind.
func (l *leader) request(op proto.Op) wire.ClientRequest {
	l.t.Helper()
	r, err := wire.DecodeRequest(l.want(wire.Request))
	if err != nil || proto.Op(r.Op) != op {
		l.t.Fatalf("%+v, %v; want %v", r, err, op)
	}
	return r
}

// A follower of the test serves clients: it forwards their requests, acknowledges proposals, applies what is committed,
// and asks for sessions that come back.
func TestFollower(t *testing.T) {
	for _, version := range versions(t) {
		t.Run(string(version), func(t *testing.T) {
			ensemble := harness.NewEnsemble(t, harness.EnsembleConfig{Seats: []harness.Seat{{Subject: version}, {}}})
			lead(t, ensemble, version).serve(ensemble.Server(1), version, "learner-follower")
		})
	}
}

// An observer does the same, but gets committed transactions only.
func TestObserver(t *testing.T) {
	for _, version := range versions(t) {
		t.Run(string(version), func(t *testing.T) {
			ensemble := harness.NewEnsemble(t, harness.EnsembleConfig{Seats: []harness.Seat{{Subject: version, Observer: true}, {}, {}}})
			leadObserver(t, ensemble, version).serve(ensemble.Server(1), version, "learner-observer")
		})
	}
}

// serve lets a client of the learner write, sync, lose its connection, and end its session.
func (l *leader) serve(server *harness.Server, version harness.ApacheVersion, who string) {
	t := l.t
	proxy := harness.NewProxy(t, server.Addr())

	wait := newClient(t, proxy.Addr())
	l.commit(proto.OpCreateSession)
	c := wait()
	set := background(func(ctx context.Context) error {
		_, err := c.Set(ctx, "/", []byte("data"), client.AnyVersion)
		return err
	})
	if r := l.commit(proto.OpSetData); r.Session != c.Session().ID() || len(r.Auth) != 1 || r.Auth[0].Scheme != "ip" {
		t.Errorf("%+v", r)
	}
	if err := set(); err != nil {
		t.Fatal(err)
	}
	sync := background(func(ctx context.Context) error { return c.Sync(ctx, "/") })
	l.request(proto.OpSync)
	l.send(wire.AppendSync(nil))
	if err := sync(); err != nil {
		t.Fatal(err)
	}
	l.ping(c.Session().ID())

	proxy.Cut()
	proxy.Heal()
	get := background(func(ctx context.Context) error {
		data, _, err := c.Get(ctx, "/")
		if string(data) != "data" {
			t.Errorf("the root has %q", data)
		}
		return err
	})
	touch, err := wire.DecodeRevalidate(l.want(wire.Revalidate))
	if err != nil || touch.Session != c.Session().ID() {
		t.Errorf("%+v, %v", touch, err)
	}
	l.send(wire.AppendRevalidated(nil, touch.Session, true))
	if err := get(); err != nil {
		t.Fatal(err)
	}

	shut := background(func(context.Context) error { return c.Close() })
	l.commit(proto.OpCloseSession)
	if err := shut(); err != nil {
		t.Error(err)
	}
	l.check(version, who)
}

// ping asks until the follower has heard of the session.
func (l *leader) ping(session int64) {
	l.t.Helper()
	for {
		l.send(wire.AppendPing(nil, l.zxid))
		touches, err := wire.DecodePong(l.want(wire.Ping))
		if err != nil {
			l.t.Fatal(err)
		}
		for touch := range touches {
			if touch.Session == session {
				return
			}
		}
	}
}
