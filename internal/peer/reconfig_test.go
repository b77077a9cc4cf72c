package peer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/peertest"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/internal/zab"
)

// reconfigurable lets configurations of the ensemble change.
func (e *ensemble) reconfigurable() {
	listen := func(_ context.Context, at []wire.Address) (net.Listener, error) {
		return net.Listen("tcp", peertest.Address(int(at[0].Port)))
	}
	for _, m := range e.members {
		m.Configure = func(c *peer.Config) {
			c.Reconfig, c.ListenElection, c.ListenQuorum = true, listen, listen
			c.SaveConfig = func(bool, *zab.Membership) error { return nil }
		}
	}
}

// reconfigure has the leader propose two znodes and a configuration in one batch, and waits until it is in force.
func (e *ensemble) reconfigure(leader *peertest.Member, members ...config.Member) {
	e.t.Helper()
	next := max(leader.Role.NextZxid, leader.Zxid+1)
	b := peertest.Creates(next, 2, []byte("data"))
	version := next + 2
	c := config.Membership{Version: version, Members: members}
	err := leader.Peer.Reconfigure(context.Background(), func(active *zab.Membership) (*zab.Membership, error) {
		if active.Version >= version {
			return nil, fmt.Errorf("version %x is in force", active.Version)
		}
		return peer.Membership(c)
	})
	if err != nil {
		e.t.Fatal(err)
	}
	tx := txn.Txn{Header: txn.Header{Zxid: version, Time: version, Type: proto.OpReconfig}}
	tx.Body = txn.Body{Type: proto.OpReconfig, Path: "/zookeeper/config", Data: []byte(c.String()), Version: -1}
	records, mark := storage.BeginRecord(b.Records)
	b.Records, b.Config = storage.EndRecord(tx.Append(records), mark), tx.Data
	if err := leader.Peer.Propose(context.Background(), b); err != nil {
		e.t.Fatal(err)
	}
	e.Await(fmt.Sprintf("configuration %x", version), func() bool {
		return e.all(func(m *peertest.Member) bool { return m.Configuration >= version })
	})
}

// TestReconfigure moves a member to other ports, takes one out, and lets the leader leave.
func TestReconfigure(t *testing.T) {
	e := newEnsemble(t, 4, 0)
	e.reconfigurable()
	e.start(1, 2, 3, 4)
	l := e.leader()
	e.propose(l, 10)
	members := slices.Clone(e.config.Members)

	ports := peertest.FreePorts(t, 2)
	moved := &e.members[0]
	if l == *moved {
		moved = &e.members[1]
	}
	i := (*moved).ID - 1
	members[i].Addrs = []config.PeerAddr{{Host: "127.0.0.1", Election: ports[0], Quorum: ports[1]}}
	e.reconfigure(l, members...)
	(*moved).Election, (*moved).Quorum = peertest.Address(ports[0]), peertest.Address(ports[1])
	for _, at := range []string{(*moved).Election, (*moved).Quorum} {
		for { // it listens there soon
			if conn, err := net.Dial("tcp", at); err == nil {
				conn.Close()
				break
			}
		}
	}
	err := l.Peer.Reconfigure(context.Background(), func(*zab.Membership) (*zab.Membership, error) {
		return peer.Membership(config.Membership{Members: append(slices.Clone(members[:1]), config.Member{ID: 8, Addrs: members[0].Addrs}, config.Member{ID: 9, Addrs: members[1].Addrs})})
	})
	if !errors.Is(err, zab.ErrNoQuorum) {
		t.Errorf("members that nobody has seen: %v", err)
	}

	e.reconfigure(l, slices.DeleteFunc(slices.Clone(members), func(m config.Member) bool { return m.ID == l.ID })...)
	l.Stop() // it follows, or looks for whom to follow
	next := e.leader()
	if next == l {
		t.Fatal("it left and leads")
	}
	e.propose(next, 10)
	e.agree()
	for _, m := range e.members {
		if m.Running() {
			m.Stop()
		}
	}
}
