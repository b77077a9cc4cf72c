package peer

import (
	"fmt"
	"iter"
	"slices"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/internal/zab"
)

// encode appends a message as it travels.
func (l *loop) encode(b []byte, c *link.Conn, m *zab.Message) []byte {
	switch m.Type {
	case zab.Proposal:
		return wire.AppendProposal(b, m.Zxid, m.Entry.Data)
	case zab.Inform:
		return wire.AppendInform(b, m.Zxid, m.Entry.Data)
	case zab.CommitAndActivate:
		return wire.AppendCommitAndActivate(b, m.Zxid, m.Designated)
	case zab.InformAndActivate:
		return wire.AppendInformAndActivate(b, m.Zxid, m.Designated, m.Entry.Data)
	case zab.FollowerInfo, zab.ObserverInfo:
		return wire.AppendLearnerInfo(b, wire.LearnerInfo{Observer: m.Type == zab.ObserverInfo, AcceptedEpoch: zab.EpochOf(m.Zxid),
			SID: m.Learner.Sid, Version: m.Learner.ProtocolVersion, ConfigVersion: m.Learner.ConfigVersion})
	case zab.LeaderInfo:
		return wire.AppendLeaderInfo(b, zab.EpochOf(m.Zxid))
	case zab.AckEpoch:
		return wire.AppendEpochAck(b, wire.EpochAck{LastZxid: m.Zxid, CurrentEpoch: m.Epoch, NoVote: m.Epoch == -1})
	case zab.NewLeader:
		return wire.AppendNewLeader(b, zab.EpochOf(m.Zxid), m.Data)
	case zab.Ping:
		if c.Dialled() {
			return wire.AppendPong(b, m.Zxid, l.p.cfg.Machine.Touched())
		}
	}
	return wire.AppendPacket(b, packet(m))
}

// passing tells of messages that the agreement looks at and does not keep.
func passing(t wire.Type) bool {
	return t == wire.Proposal || t == wire.Commit || t == wire.Ack || t == wire.Inform
}

// decode reads a packet into m, which is empty, or has been used for passing messages only
// and is again: so many of those come that clearing all of it each time would be felt. The
// message aliases the packet.
func decode(c *link.Conn, p *link.Packet, m *zab.Message) error {
	m.Type, m.Zxid, m.Run, m.Entry = zab.Type(p.Type), p.Zxid, p.Run, zab.Entry{}
	var err error
	switch m.Type {
	case zab.Proposal, zab.Inform:
		err = readEntry(p.Zxid, p.Data, &m.Entry)
	case zab.CommitAndActivate, zab.InformAndActivate:
		var data []byte
		m.Designated, data, err = wire.DecodeActivate(&p.Packet)
		if err == nil && m.Type == zab.InformAndActivate {
			err = readEntry(p.Zxid, data, &m.Entry)
		}
	case zab.FollowerInfo, zab.ObserverInfo:
		var info wire.LearnerInfo
		info, err = wire.DecodeLearnerInfo(&p.Packet)
		m.Learner = zab.LearnerInfo{Sid: info.SID, ProtocolVersion: info.Version, ConfigVersion: info.ConfigVersion}
		if info.Anonymous {
			m.Learner.Sid = -1 - int64(c.ID()) // a number that no other learner has
			m.Learner.ProtocolVersion = wire.ProtocolVersion
		}
	case zab.AckEpoch:
		var ack wire.EpochAck
		ack, err = wire.DecodeEpochAck(&p.Packet)
		if m.Epoch = ack.CurrentEpoch; ack.NoVote {
			m.Epoch = -1
		}
	case zab.NewLeader:
		_, m.Data, err = wire.DecodeNewLeader(&p.Packet)
	case zab.Snap:
		m.Snapshot = p.Snapshot
	case zab.Revalidate, zab.Ping, zab.Sync, zab.Farewell:
		m.Data = p.Data
	}
	return err
}

// readEntry reads a transaction into e, which is empty.
func readEntry(zxid int64, data []byte, e *zab.Entry) error {
	if len(data) < txn.HeaderLen {
		return fmt.Errorf("transaction %s has %d bytes, want at least %d", hex(zxid), len(data), txn.HeaderLen)
	}
	setEntry(e, data)
	if e.Zxid != zxid {
		return fmt.Errorf("transaction %s came as %s", hex(e.Zxid), hex(zxid))
	}
	return nil
}

// Touches reads a learner's PING: the sessions that were heard of there.
func Touches(m *zab.Message) (iter.Seq[wire.Touch], error) { return wire.DecodePong(packet(m)) }

// Revalidation reads a learner's REVALIDATE.
func Revalidation(m *zab.Message) (wire.Touch, error) { return wire.DecodeRevalidate(packet(m)) }

// Farewell are the bodies of the messages by which a leader leaves a learner: the sessions whose clients are connected there.
func Farewell(sessions []int64) (bodies [][]byte) {
	for part := range slices.Chunk(sessions, farewellSessions) {
		bodies = append(bodies, wire.AppendSessions(nil, part))
	}
	if bodies == nil {
		bodies = [][]byte{wire.AppendSessions(nil, nil)}
	}
	return bodies
}

// farewellSessions is how many sessions one message names.
const farewellSessions = 1 << 14

// FarewellSessions reads a leader's FAREWELL.
func FarewellSessions(m *zab.Message) ([]int64, error) { return wire.DecodeFarewell(packet(m)) }

// RevalidatedMessage is the answer to a learner's REVALIDATE.
func RevalidatedMessage(session int64, valid bool) *zab.Message {
	return &zab.Message{Type: zab.Revalidate, Zxid: -1, Data: jute.AppendBool(jute.AppendLong(nil, session), valid)}
}

// RevalidateMessage is a learner's question whether a session lives; timeout is in milliseconds.
func RevalidateMessage(session int64, timeout int32) *zab.Message {
	return &zab.Message{Type: zab.Revalidate, Zxid: -1, Data: jute.AppendInt(jute.AppendLong(nil, session), timeout)}
}

// Revalidated reads the leader's answer.
func Revalidated(m *zab.Message) (session int64, valid bool, err error) {
	return wire.DecodeRevalidated(packet(m))
}

func packet(m *zab.Message) *wire.Packet {
	return &wire.Packet{Type: wire.Type(m.Type), Zxid: m.Zxid, Data: m.Data}
}
