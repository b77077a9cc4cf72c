package wire

import (
	"fmt"

	"github.com/quollhq/quoll/internal/jute"
)

// ProtocolVersion is what both sides say in the handshake since 3.4: the leader's epoch is agreed on before the
// learner is synchronised. A learner with a smaller version gets NEWLEADER without LEADERINFO.
const ProtocolVersion = 0x10000

// LearnerInfo is what a learner says of itself in its first packet.
type LearnerInfo struct {
	// Observer tells OBSERVERINFO from FOLLOWERINFO.
	Observer bool
	// AcceptedEpoch is the highest epoch that the learner has promised to follow.
	AcceptedEpoch int64
	// SID is the learner's number; Anonymous ones have none.
	SID       int64
	Anonymous bool
	// Version is its ProtocolVersion, 0 if it sent none.
	Version int32
	// ConfigVersion is the version of the configuration it has activated, 0 if it sent none. A leader refuses a
	// learner that is ahead of it.
	ConfigVersion int64
}

// AppendLearnerInfo appends FOLLOWERINFO or OBSERVERINFO.
func AppendLearnerInfo(b []byte, v LearnerInfo) []byte {
	t := FollowerInfo
	if v.Observer {
		t = ObserverInfo
	}
	if v.Anonymous {
		return appendBare(b, t, epochStart(v.AcceptedEpoch))
	}
	b = appendHead(b, t, epochStart(v.AcceptedEpoch), 8+4+8)
	b = jute.AppendLong(b, v.SID)
	b = jute.AppendInt(b, v.Version)
	b = jute.AppendLong(b, v.ConfigVersion)
	return appendTail(b)
}

// DecodeLearnerInfo reads a learner's first packet. Learners before 3.4 send only their number, those before 3.5 no
// version of the configuration.
func DecodeLearnerInfo(p *Packet) (LearnerInfo, error) {
	v := LearnerInfo{Observer: p.Type == ObserverInfo, AcceptedEpoch: p.Zxid >> 32}
	if p.Type != FollowerInfo && p.Type != ObserverInfo {
		return v, unexpected(p, FollowerInfo, ObserverInfo)
	}
	if p.Data == nil {
		v.Anonymous = true
		return v, nil
	}
	d := jute.NewDecoder(p.Data)
	v.SID = d.Long()
	if len(p.Data) >= 12 {
		v.Version = d.Int()
	}
	if len(p.Data) >= 20 {
		v.ConfigVersion = d.Long()
	}
	return v, bodyError(p, &d)
}

// AppendLeaderInfo appends the leader's answer: the epoch to come.
func AppendLeaderInfo(b []byte, epoch int64) []byte {
	b = appendHead(b, LeaderInfo, epochStart(epoch), 4)
	b = jute.AppendInt(b, ProtocolVersion)
	return appendTail(b)
}

// DecodeLeaderInfo reads the epoch to come and the leader's protocol version.
func DecodeLeaderInfo(p *Packet) (epoch int64, version int32, err error) {
	if p.Type != LeaderInfo {
		return 0, 0, unexpected(p, LeaderInfo)
	}
	d := jute.NewDecoder(p.Data)
	version = d.Int()
	return p.Zxid >> 32, version, bodyError(p, &d)
}

// EpochAck is a learner's answer to LEADERINFO.
type EpochAck struct {
	// LastZxid is where the learner's log ends.
	LastZxid int64
	// CurrentEpoch is the epoch of the leader that the learner followed last.
	CurrentEpoch int64
	// NoVote is set if the learner had accepted this very epoch before: it wants to be synchronised, but does not
	// count for the leader's quorum. CurrentEpoch is then unknown.
	NoVote bool
}

// AppendEpochAck appends ACKEPOCH.
func AppendEpochAck(b []byte, v EpochAck) []byte {
	epoch := int32(v.CurrentEpoch)
	if v.NoVote {
		epoch = -1
	}
	b = appendHead(b, AckEpoch, v.LastZxid, 4)
	b = jute.AppendInt(b, epoch)
	return appendTail(b)
}

// DecodeEpochAck reads ACKEPOCH.
func DecodeEpochAck(p *Packet) (EpochAck, error) {
	if p.Type != AckEpoch {
		return EpochAck{}, unexpected(p, AckEpoch)
	}
	d := jute.NewDecoder(p.Data)
	epoch := int64(d.Int())
	if epoch == -1 {
		return EpochAck{LastZxid: p.Zxid, NoVote: true}, bodyError(p, &d)
	}
	if epoch < 0 {
		d.Fail(fmt.Errorf("%w: epoch %d", jute.ErrMalformed, epoch))
	}
	return EpochAck{LastZxid: p.Zxid, CurrentEpoch: epoch}, bodyError(p, &d)
}

// AppendDiff appends DIFF; zxid is the last that the leader has committed.
func AppendDiff(b []byte, zxid int64) []byte { return appendBare(b, Diff, zxid) }

// AppendTrunc appends TRUNC; zxid is the last that the learner may keep.
func AppendTrunc(b []byte, zxid int64) []byte { return appendBare(b, Trunc, zxid) }

// AppendSnap appends SNAP; zxid is the last in the snapshot, which goes behind it, and AppendSignature behind that.
func AppendSnap(b []byte, zxid int64) []byte { return appendBare(b, Snap, zxid) }

// AppendNewLeader appends NEWLEADER. config is the text of the configuration that the leader has seen last; nil for
// learners below ProtocolVersion, who do not know it.
func AppendNewLeader(b []byte, epoch int64, config []byte) []byte {
	b = jute.AppendInt(b, int32(NewLeader))
	b = jute.AppendLong(b, epochStart(epoch))
	b = jute.AppendBuffer(b, config)
	return appendTail(b)
}

// DecodeNewLeader reads NEWLEADER. config aliases the packet and is empty if the leader sent none.
func DecodeNewLeader(p *Packet) (epoch int64, config []byte, err error) {
	if p.Type != NewLeader {
		return 0, nil, unexpected(p, NewLeader)
	}
	if len(p.Data) <= 1 { // Apache's learners take no shorter text
		return p.Zxid >> 32, nil, nil
	}
	return p.Zxid >> 32, p.Data, nil
}

// AppendUpToDate appends UPTODATE.
func AppendUpToDate(b []byte) []byte { return appendBare(b, UpToDate, -1) }

// unexpected is the error for a packet of another type than the protocol has at this place.
func unexpected(p *Packet, want ...Type) error {
	return fmt.Errorf("%w: %v in place of %v", jute.ErrMalformed, p.Type, want)
}

// bodyError names the packet whose data could not be decoded.
func bodyError(p *Packet, d *jute.Decoder) error {
	if err := d.Err(); err != nil {
		return fmt.Errorf("%v with zxid 0x%x: %w", p.Type, uint64(p.Zxid), err)
	}
	return nil
}
