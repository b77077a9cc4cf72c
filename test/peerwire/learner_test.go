package peerwire

import (
	"context"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/test/harness"
)

// join connects the test to a leader up to the way of synchronisation that it chooses.
func join(t *testing.T, addr string, info wire.LearnerInfo, ack wire.EpochAck) (*quorum, *wire.Packet) {
	t.Helper()
	q := newQuorum(t, dial(t, addr))
	info.Version = wire.ProtocolVersion
	q.send(wire.AppendLearnerInfo(nil, info))
	epoch, version, err := wire.DecodeLeaderInfo(q.want(wire.LeaderInfo))
	if err != nil || epoch < 1 || version != wire.ProtocolVersion {
		t.Fatalf("LEADERINFO of epoch %d, version %x, %v", epoch, version, err)
	}
	if ack.LastZxid != 0 {
		ack.LastZxid |= epoch << 32
	}
	q.send(wire.AppendEpochAck(nil, ack))
	return q, q.next()
}

// synced goes on until the leader lets the test take part.
func (q *quorum) synced(version harness.ApacheVersion) {
	q.t.Helper()
	epoch, config, err := wire.DecodeNewLeader(q.until(wire.NewLeader))
	if err != nil || !old(version) && !strings.Contains(string(config), "server.1=") {
		q.t.Fatalf("NEWLEADER of epoch %d with %q, %v", epoch, config, err)
	}
	q.send(wire.AppendNewLeaderAck(nil, epoch))
	q.until(wire.UpToDate)
	q.send(wire.AppendNewLeaderAck(nil, epoch))
}

const (
	follower = 3
	observer = 4
)

// The test follows and observes a leader: it is synchronised in every way, gets what clients write, and has requests of
// its own.
func TestLearners(t *testing.T) {
	for _, version := range versions(t) {
		t.Run(string(version), func(t *testing.T) { testLearners(t, version) })
	}
}

func testLearners(t *testing.T, version harness.ApacheVersion) {
	keys := map[string]string{"skipACL": "yes"}
	if !old(version) {
		keys["reconfigEnabled"] = "true"
	}
	ensemble := harness.NewEnsemble(t, harness.EnsembleConfig{
		Seats: []harness.Seat{{Subject: version}, {Subject: version}, {}, {Observer: true}},
		Keys:  keys,
		// Learners get nothing from the files of the log, but a snapshot.
		Properties: map[string]string{"zookeeper.snapshotSizeFactor": "-1"},
	})
	ensemble.Start()
	leads := ensemble.Leader()
	c := newClient(t, ensemble.Server(leads).Addr())()
	t.Cleanup(func() { c.Close() })
	write(t, c, "first")
	addr := ensemble.QuorumAddr(leads)

	t.Run("truncated", func(t *testing.T) {
		q, p := join(t, addr, wire.LearnerInfo{SID: follower}, wire.EpochAck{LastZxid: 1 << 20, CurrentEpoch: 1})
		if p.Type != wire.Trunc || p.Zxid&0xffffffff == 0 {
			t.Fatalf("%v to 0x%x", p.Type, p.Zxid)
		}
		q.synced(version)
		q.check(version, "leader-trunc")
	})
	t.Run("follower", func(t *testing.T) {
		q, p := join(t, addr, wire.LearnerInfo{SID: follower}, wire.EpochAck{LastZxid: 1, CurrentEpoch: 1})
		if p.Type != wire.Diff {
			t.Fatalf("%v to 0x%x", p.Type, p.Zxid)
		}
		q.synced(version)
		done := background(func(ctx context.Context) error {
			_, err := c.Set(ctx, "/", []byte("second"), client.AnyVersion)
			return err
		})
		var tx txn.Txn
		if err := txn.Decode(q.until(wire.Proposal).Data, &tx); err != nil || tx.Body.Type != proto.OpSetData || string(tx.Data) != "second" {
			t.Errorf("%+v, %v", tx, err)
		}
		q.send(wire.AppendAck(nil, tx.Zxid))
		if p := q.until(wire.Commit); p.Zxid != tx.Zxid {
			t.Errorf("COMMIT of 0x%x, want 0x%x", p.Zxid, tx.Zxid)
		}
		if err := done(); err != nil {
			t.Fatal(err)
		}
		q.check(version, "leader-follower")
	})
	t.Run("requests", func(t *testing.T) { testRequests(t, version, addr, ensemble.Server(3-leads).Addr()) })
	if !old(version) {
		t.Run("reconfiguration", func(t *testing.T) { testReconfiguration(t, version, ensemble, c, addr) })
	}
	t.Run("observer", func(t *testing.T) { testObserver(t, version, c, addr) })
}

func write(t *testing.T, c *client.Client, data string) {
	t.Helper()
	if _, err := c.Set(t.Context(), "/", []byte(data), client.AnyVersion); err != nil {
		t.Fatal(err)
	}
}

// testRequests takes over a session, as if its client had come to the test's server, and writes on its behalf.
func testRequests(t *testing.T, version harness.ApacheVersion, addr, clients string) {
	c := newClient(t, clients)()
	defer c.Close()
	session := c.Session().ID()
	q, _ := join(t, addr, wire.LearnerInfo{SID: follower}, wire.EpochAck{LastZxid: 1, CurrentEpoch: 1})
	q.synced(version)
	q.send(wire.AppendRevalidate(nil, session, 4000))
	if got, valid, err := wire.DecodeRevalidated(q.until(wire.Revalidate)); got != session || !valid || err != nil {
		t.Errorf("REVALIDATE of 0x%x: 0x%x %v %v", session, got, valid, err)
	}
	q.send(wire.AppendRevalidate(nil, 77, 4000))
	if got, valid, err := wire.DecodeRevalidated(q.until(wire.Revalidate)); got != 77 || valid || err != nil {
		t.Errorf("REVALIDATE of a session that does not live: 0x%x %v %v", got, valid, err)
	}
	body := jute.AppendInt(jute.AppendBuffer(jute.AppendString(nil, "/"), []byte("third")), -1)
	q.send(wire.AppendRequest(nil, &wire.ClientRequest{
		Session: session, Cxid: 1001, Op: int32(proto.OpSetData), Body: body, Auth: []wire.Identity{{Scheme: "ip", ID: "127.0.0.1"}},
	}))
	var tx txn.Txn
	if err := txn.Decode(q.until(wire.Proposal).Data, &tx); err != nil || tx.ClientID != session || tx.Cxid != 1001 || string(tx.Data) != "third" {
		t.Errorf("%+v, %v", tx, err)
	}
	q.send(wire.AppendAck(nil, tx.Zxid))
	q.send(wire.AppendRequest(nil, &wire.ClientRequest{
		Session: session, Cxid: 1002, Op: int32(proto.OpSync), Body: jute.AppendString(nil, "/"), Auth: []wire.Identity{},
	}))
	q.until(wire.Sync)
	q.check(version, "leader-requests")
}

// testReconfiguration removes and adds an observer while the test follows and observes.
func testReconfiguration(t *testing.T, version harness.ApacheVersion, ensemble *harness.Ensemble, c *client.Client, addr string) {
	f, _ := join(t, addr, wire.LearnerInfo{SID: follower}, wire.EpochAck{LastZxid: 1, CurrentEpoch: 1})
	f.synced(version)
	o, _ := join(t, addr, wire.LearnerInfo{Observer: true, SID: observer}, wire.EpochAck{LastZxid: 1, CurrentEpoch: 1})
	o.synced(version)
	done := background(func(ctx context.Context) error {
		_, _, err := c.Reconfigure(ctx, client.Reconfiguration{Leaving: strconv.Itoa(observer), Version: -1})
		return err
	})
	f.send(wire.AppendAck(nil, f.until(wire.Proposal).Zxid))
	p := f.until(wire.CommitAndActivate)
	designated, _, err := wire.DecodeActivate(p)
	if err != nil || designated < 1 || designated > 2 {
		t.Errorf("COMMITANDACTIVATE with leader %d, %v", designated, err)
	}
	committed := p.Zxid
	p = o.until(wire.InformAndActivate)
	designated, entry, err := wire.DecodeActivate(p)
	if err != nil || designated < 1 || designated > 2 || p.Zxid != committed {
		t.Errorf("INFORMANDACTIVATE of 0x%x with leader %d, %v", p.Zxid, designated, err)
	}
	var tx txn.Txn
	if err := txn.Decode(entry, &tx); err != nil || tx.Body.Type != proto.OpReconfig || strings.Contains(string(tx.Data), "server.4") {
		t.Errorf("%+v, %v", tx, err)
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	f.check(version, "leader-reconfiguration")
	o.check(version, "leader-reconfiguration-observer")
}

// testObserver has no log so far; enough has happened that it gets a snapshot.
func testObserver(t *testing.T, version harness.ApacheVersion, c *client.Client, addr string) {
	const kept = 500 // transactions that a leader keeps for learners to come
	for range kept {
		write(t, c, "one of many")
	}
	q, p := join(t, addr, wire.LearnerInfo{Observer: true, SID: observer}, wire.EpochAck{LastZxid: 1, CurrentEpoch: 1})
	if p.Type != wire.Snap {
		t.Fatalf("%v to 0x%x", p.Type, p.Zxid)
	}
	if n, err := io.Copy(io.Discard, q.r.Snapshot()); n == 0 || err != nil {
		t.Fatalf("snapshot of %d bytes: %v", n, err)
	}
	q.synced(version)
	write(t, c, "last")
	var tx txn.Txn
	if err := txn.Decode(q.until(wire.Inform).Data, &tx); err != nil || string(tx.Data) != "last" {
		t.Errorf("%+v, %v", tx, err)
	}
	q.check(version, "leader-observer")
}
