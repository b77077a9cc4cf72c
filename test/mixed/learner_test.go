package mixed

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// The test follows Apache's server twice: the second time it is sent a state. What it makes of that state and of the
// transactions that follow has the digest that the leader says.
func TestApacheLeads(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	for name, s := range securities(t) {
		t.Run(name, func(t *testing.T) {
			m := enter(t, s, 1, map[string]string{"zookeeper.forceSnapshotSync": "true"})
			m.ensemble.Server(2).Launch()
			first := m.follow(0)
			first.create(0, 300)
			first.conn.Close() // the leader has no quorum any more, and there is another election
			for a := m.next(); a.err == nil; a = m.next() {
			}
			first.tree.Close()
			second := m.follow(1)
			if n := second.tree.NodeCount(); n < 300 {
				t.Errorf("a state of %d znodes", n)
			}
			second.create(300, 330)
			second.tree.Close()
		})
	}
}

// follower is the test as it follows.
type follower struct {
	*member
	conn *link.Conn
	tree *tree.Tree
	last int64
}

// follow lets the server lead, and joins it. accepted is the epoch before.
func (m *member) follow(accepted int64) *follower {
	m.Helper()
	vote := func(heard wire.Notification) wire.Notification {
		heard.State, heard.Leader, heard.Version = wire.Looking, int64(m.server), 2
		return heard
	}
	// Until the server has noticed that it has no quorum, it leads in the epoch before.
	m.vote(vote, func(n wire.Notification) bool { return n.State == wire.Looking && n.PeerEpoch == accepted })
	m.vote(vote, func(n wire.Notification) bool { return n.State == wire.Leading && n.PeerEpoch == accepted })
	f := &follower{member: m, conn: m.dial()}
	say(f.conn, func(b []byte) []byte {
		return wire.AppendLearnerInfo(b, wire.LearnerInfo{SID: int64(m.self), AcceptedEpoch: accepted, Version: wire.ProtocolVersion})
	})
	info := m.want(wire.LeaderInfo)
	epoch, _, err := wire.DecodeLeaderInfo(&info.Packet.Packet)
	if err != nil || epoch != accepted+1 {
		m.Fatalf("epoch %d, %v", epoch, err)
	}
	say(f.conn, func(b []byte) []byte { return wire.AppendEpochAck(b, wire.EpochAck{CurrentEpoch: accepted}) })
	snap := m.want(wire.Snap)
	f.tree, f.last = snap.Snapshot.(*state).tree, snap.Zxid
	m.want(wire.NewLeader)
	say(f.conn, func(b []byte) []byte { return wire.AppendNewLeaderAck(b, epoch) })
	m.want(wire.UpToDate)
	say(f.conn, func(b []byte) []byte { return wire.AppendNewLeaderAck(b, epoch) })
	return f
}

// dial connects with the leader, which may not listen so far.
func (m *member) dial() *link.Conn {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), patience)
	defer cancel()
	for {
		c, err := m.links.Dial(ctx, []wire.Address{address(m.T, m.ensemble.QuorumAddr(m.server))})
		if err == nil {
			return c
		}
		select {
		case <-ctx.Done():
			m.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// create lets a client of the leader create znodes, while the test acknowledges and applies.
func (f *follower) create(from, to int) {
	f.Helper()
	created := within(func(ctx context.Context) error {
		cl, err := client.Dial(ctx, f.ensemble.Server(f.server).Addr())
		if err != nil {
			return err
		}
		defer cl.Close()
		for i := from; i < to; i++ {
			if _, err := cl.Create(ctx, fmt.Sprintf("/made-%d", i), fmt.Appendf(nil, "data %d", i)); err != nil {
				return err
			}
		}
		return nil
	})
	var r tree.Result
	for open := true; open; { // the session begins and ends
		a := f.next()
		switch {
		case a.err != nil:
			f.Fatal(a.err)
		case a.Type == wire.Commit:
			continue
		case a.Type != wire.Proposal:
			f.Fatalf("%v with zxid 0x%x", a.Type, a.Zxid)
		}
		var tx txn.Txn
		if err := txn.Decode(a.Data, &tx); err != nil || tx.Zxid != a.Zxid {
			f.Fatalf("%+v, %v", tx, err)
		}
		f.tree.Lock()
		f.tree.Apply(&tx, &r)
		f.tree.Unlock()
		if r.Mismatch {
			f.Fatalf("after %v with zxid 0x%x the digest is %x, and the leader has %x", tx.Header.Type, tx.Zxid, r.Digest, r.Want)
		}
		say(f.conn, func(b []byte) []byte { return wire.AppendAck(b, tx.Zxid) })
		open = tx.Header.Type != proto.OpCloseSession
	}
	if err := created(); err != nil {
		f.Error(err)
	}
}
