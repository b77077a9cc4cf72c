package mixed

import (
	"context"
	"fmt"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

const (
	epoch  = 1
	znodes = 20_000
)

// The test leads Apache's server, which takes the state that it is sent, and serves it.
func TestApacheFollows(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	for name, s := range securities(t) {
		t.Run(name, func(t *testing.T) {
			m := enter(t, s, 2, nil)
			m.ensemble.Server(1).Launch()
			var config []byte
			m.vote(func(heard wire.Notification) wire.Notification {
				config = heard.Config
				return wire.Notification{State: wire.Looking, Leader: 2, Round: heard.Round, Version: 2, Config: heard.Config}
			}, func(n wire.Notification) bool { return n.Leader == 2 })
			c := m.lead(config)
			m.serve(c)
		})
	}
}

// lead brings the follower to the point where it serves.
func (m *member) lead(config []byte) *link.Conn {
	m.Helper()
	first := m.want(wire.FollowerInfo)
	if info, err := wire.DecodeLearnerInfo(&first.Packet.Packet); err != nil || info.SID != 1 {
		m.Fatalf("%+v, %v", info, err)
	}
	c := first.conn
	say(c, func(b []byte) []byte { return wire.AppendLeaderInfo(b, epoch) })
	m.want(wire.AckEpoch)
	c.Append(1, func(b []byte) []byte { return wire.AppendSnap(b, forestZxid) })
	c.Stream(forest{znodes})
	say(c, func(b []byte) []byte { return wire.AppendNewLeader(b, epoch, config) })
	m.wantAck(epoch << 32)
	say(c, wire.AppendUpToDate)
	m.wantAck(epoch << 32)
	return c
}

// serve lets a client of the follower read the state.
func (m *member) serve(c *link.Conn) {
	m.Helper()
	read := within(func(ctx context.Context) error {
		cl, err := client.Dial(ctx, m.ensemble.Server(1).Addr())
		if err != nil {
			return err
		}
		defer cl.Close()
		for _, i := range []int{0, znodes / 2, znodes - 1} {
			data, st, err := cl.Get(ctx, forestPath(i))
			if err != nil {
				return err
			}
			if string(data) != forestPath(i) || st.Mzxid != forestZxid {
				return fmt.Errorf("%s has %q, %+v", forestPath(i), data, st)
			}
		}
		children, _, err := cl.Children(ctx, "/forest")
		if err == nil && len(children) != znodes {
			err = fmt.Errorf("%d children", len(children))
		}
		return err
	})
	zxid := int64(epoch << 32)
	for open := true; open; { // the session begins and ends
		request := m.want(wire.Request)
		r, err := wire.DecodeRequest(&request.Packet.Packet)
		if err != nil {
			m.Fatal(err)
		}
		zxid++
		op := proto.Op(r.Op)
		open = op != proto.OpCloseSession
		tx := txn.Txn{Header: txn.Header{ClientID: r.Session, Cxid: r.Cxid, Zxid: zxid, Time: 1_700_000_000_000, Type: op}}
		tx.Body.Type = op
		if op == proto.OpCreateSession {
			d := jute.NewDecoder(r.Body)
			tx.TimeOut = d.Int()
		}
		say(c, func(b []byte) []byte { return wire.AppendProposal(b, zxid, tx.Append(nil)) })
		m.wantAck(zxid)
		say(c, func(b []byte) []byte { return wire.AppendCommit(b, zxid) })
	}
	if err := read(); err != nil {
		m.Error(err)
	}
}
