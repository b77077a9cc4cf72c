package peer

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/internal/zab"
)

// messages are one of each kind.
func messages() []zab.Message {
	tx := txn.Txn{Header: txn.Header{Zxid: 1<<32 | 7, Type: proto.OpReconfig}, Body: txn.Body{Type: proto.OpReconfig, Path: "/zookeeper/config", Data: []byte("config")}}
	entry := zab.Entry{Zxid: tx.Zxid, Data: tx.Append(nil), Config: []byte("config")}
	list := []zab.Message{
		{Type: zab.Proposal, Zxid: tx.Zxid, Entry: entry},
		{Type: zab.Inform, Zxid: tx.Zxid, Entry: entry},
		{Type: zab.CommitAndActivate, Zxid: tx.Zxid, Designated: 3},
		{Type: zab.InformAndActivate, Zxid: tx.Zxid, Entry: entry, Designated: 3},
		{Type: zab.AckEpoch, Zxid: 5, Epoch: 4}, {Type: zab.AckEpoch, Zxid: 5, Epoch: -1},
		{Type: zab.NewLeader, Zxid: 1 << 32, Data: []byte("config")},
		{Type: zab.LeaderInfo, Zxid: 1 << 32, Data: []byte{0, 1, 0, 0}},
		{Type: zab.Revalidate, Zxid: -1, Data: []byte("session")},
		{Type: zab.Farewell, Zxid: 9, Data: Farewell([]int64{1, -2})[0]},
	}
	for _, typ := range []zab.Type{zab.FollowerInfo, zab.ObserverInfo} {
		list = append(list, zab.Message{Type: typ, Zxid: 3 << 32, Learner: zab.LearnerInfo{Sid: 4, ProtocolVersion: zab.ProtocolVersion, ConfigVersion: 6}})
	}
	for _, typ := range []zab.Type{zab.Ack, zab.Commit, zab.Ping, zab.Sync, zab.UpToDate, zab.Diff, zab.Trunc, zab.Snap} {
		list = append(list, zab.Message{Type: typ, Zxid: 9})
	}
	return list
}

func TestPackets(t *testing.T) {
	l := &loop{}
	for _, m := range messages() {
		r := wire.NewReader(bytes.NewReader(l.encode(nil, &link.Conn{}, &m)), 1<<20)
		var p link.Packet
		if err := r.Next(&p.Packet); err != nil {
			t.Fatalf("%v: %v", m.Type, err)
		}
		got := &zab.Message{}
		if err := decode(&link.Conn{}, &p, got); err != nil {
			t.Fatalf("%v: %v", m.Type, err)
		}
		if m.Type == zab.LeaderInfo {
			got.Data = m.Data // the version, which there is one of
		}
		if !reflect.DeepEqual(*got, m) {
			t.Errorf("%v: got %+v, want %+v", m.Type, *got, m)
		}
	}
}

func FuzzDecode(f *testing.F) {
	l := &loop{}
	for _, m := range messages() {
		f.Add(l.encode(nil, &link.Conn{}, &m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(bytes.NewReader(b), 1<<16)
		var p link.Packet
		if r.Next(&p.Packet) != nil {
			return
		}
		var m zab.Message
		if decode(&link.Conn{}, &p, &m) != nil {
			return
		}
		if m.Zxid != p.Zxid || m.Entry.Data != nil && m.Entry.Zxid != m.Zxid {
			t.Fatalf("%+v of %+v", m, p)
		}
	})
}

// Requests that wait for the loop do not lie in what the connection is read into.
func TestRequestsOfNoFollower(t *testing.T) {
	batch := []link.Packet{{Packet: wire.Packet{Type: wire.Request, Data: []byte("request")}}, {Packet: wire.Packet{Type: wire.Ping, Data: []byte("ping")}}}
	forgetRequests(batch)
	if batch[0].Data != nil || string(batch[1].Data) != "ping" {
		t.Errorf("%q, %q", batch[0].Data, batch[1].Data)
	}
}
