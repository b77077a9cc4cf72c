package wire

import (
	"strconv"

	"github.com/quollhq/quoll/internal/jute"
)

// Type says what a packet of the quorum protocol is.
type Type int32

// The types of packets. L is a learner (follower or observer), F a follower, O an observer.
const (
	Request           Type = 1  // L to leader: a client's request
	Proposal          Type = 2  // leader to F: write this transaction to disk
	Ack               Type = 3  // F to leader: it is on disk
	Commit            Type = 4  // leader to F: apply it
	Ping              Type = 5  // leader to L, and back with the sessions that were heard of
	Revalidate        Type = 6  // L to leader, and back: does this session live?
	Sync              Type = 7  // leader to L: all that a sync waited for has been sent
	Inform            Type = 8  // leader to O: a committed transaction
	CommitAndActivate Type = 9  // leader to F: apply this reconfiguration
	NewLeader         Type = 10 // leader to L: you have all of it, make it durable
	FollowerInfo      Type = 11 // F to leader: the first packet
	UpToDate          Type = 12 // leader to L: serve clients
	Diff              Type = 13 // leader to L: what follows continues your log
	Trunc             Type = 14 // leader to L: cut your log after this zxid
	Snap              Type = 15 // leader to L: a snapshot follows
	ObserverInfo      Type = 16 // O to leader: the first packet
	LeaderInfo        Type = 17 // leader to L: the epoch to come
	AckEpoch          Type = 18 // L to leader: the epoch is accepted
	InformAndActivate Type = 19 // leader to O: a committed reconfiguration
	Farewell          Type = 20 // leader to L, quoll's own: it steps down, and these are the sessions that L has
)

var typeNames = [...]string{
	Request: "REQUEST", Proposal: "PROPOSAL", Ack: "ACK", Commit: "COMMIT", Ping: "PING", Revalidate: "REVALIDATE",
	Sync: "SYNC", Inform: "INFORM", CommitAndActivate: "COMMITANDACTIVATE", NewLeader: "NEWLEADER",
	FollowerInfo: "FOLLOWERINFO", UpToDate: "UPTODATE", Diff: "DIFF", Trunc: "TRUNC", Snap: "SNAP",
	ObserverInfo: "OBSERVERINFO", LeaderInfo: "LEADERINFO", AckEpoch: "ACKEPOCH", InformAndActivate: "INFORMANDACTIVATE",
	Farewell: "FAREWELL",
}

// String is the name that Apache's logs have for the type.
func (t Type) String() string {
	if t > 0 && int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "UNKNOWN(" + strconv.Itoa(int(t)) + ")"
}

// Identity is what a client has proven to be, as it travels with its request.
type Identity struct{ Scheme, ID string }

// Packet is one record of the quorum protocol. Data that is nil travels as null, Auth likewise.
type Packet struct {
	Type Type
	Zxid int64
	Data []byte
	Auth []Identity
}

// Sizes of the parts of a packet in bytes.
const (
	packetHead = 4 + 8 + 4 // type, zxid, length of data
	minPacket  = packetHead + 4
	minAuth    = 4 + 4 // an identity of two empty strings
)

// AppendPacket appends any packet. For the common ones there are functions that need no Packet.
func AppendPacket(b []byte, p *Packet) []byte {
	b = jute.AppendInt(b, int32(p.Type))
	b = jute.AppendLong(b, p.Zxid)
	b = jute.AppendBuffer(b, p.Data)
	return appendAuth(b, p.Auth)
}

func appendAuth(b []byte, auth []Identity) []byte {
	if auth == nil {
		return jute.AppendInt(b, -1)
	}
	b = jute.AppendInt(b, int32(len(auth)))
	for _, id := range auth {
		b = jute.AppendString(b, id.Scheme)
		b = jute.AppendString(b, id.ID)
	}
	return b
}

// appendBare appends a packet without data.
func appendBare(b []byte, t Type, zxid int64) []byte {
	b = jute.AppendInt(b, int32(t))
	b = jute.AppendLong(b, zxid)
	return append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // data and authinfo are null
}

// appendHead appends a packet up to its data of size bytes, which the caller appends, and then appendTail.
func appendHead(b []byte, t Type, zxid int64, size int) []byte {
	b = jute.AppendInt(b, int32(t))
	b = jute.AppendLong(b, zxid)
	return jute.AppendInt(b, int32(size))
}

func appendTail(b []byte) []byte { return jute.AppendInt(b, -1) }

// epochStart is the zxid that stands for an epoch as a whole.
func epochStart(epoch int64) int64 { return epoch << 32 }
