package zab

import "strconv"

// Type says what a message between a learner and its leader is. The numbers
// are those of the quorum protocol.
type Type int32

// The messages of the quorum protocol. L is a learner: a follower F or an observer O.
const (
	Request           Type = 1  // L to leader: a client's request
	Proposal          Type = 2  // leader to F: make this transaction durable
	Ack               Type = 3  // L to leader: it is durable
	Commit            Type = 4  // leader to F: apply it
	Ping              Type = 5  // leader to L, and back
	Revalidate        Type = 6  // L to leader, and back: does this session live?
	Sync              Type = 7  // leader to L: everything from before the sync was asked for has been sent
	Inform            Type = 8  // leader to O: a committed transaction
	CommitAndActivate Type = 9  // leader to F: apply this reconfiguration
	NewLeader         Type = 10 // leader to L: that was all, make it durable
	FollowerInfo      Type = 11 // F to leader: the first message
	UpToDate          Type = 12 // leader to L: serve
	Diff              Type = 13 // leader to L: what comes continues your log
	Trunc             Type = 14 // leader to L: cut your log after this zxid
	Snap              Type = 15 // leader to L: take this state instead of yours
	ObserverInfo      Type = 16 // O to leader: the first message
	LeaderInfo        Type = 17 // leader to L: the epoch to come
	AckEpoch          Type = 18 // L to leader: the epoch is accepted
	InformAndActivate Type = 19 // leader to O: a committed reconfiguration

	// Farewell is quoll's own, to learners that say that they know it: what was not
	// committed before is not, and never will be by this leader, which steps down, or
	// has a COMMITANDACTIVATE behind it that gives the lead away.
	Farewell Type = 20
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

// Entry is a transaction. zab looks at its number alone.
type Entry struct {
	Zxid int64
	// Data is what goes into the log and over the wire. Nobody changes it.
	Data []byte
	// Config is the text of the configuration that the transaction brings, nil
	// for all transactions but reconfigurations. Who decodes the message or makes
	// the transaction fills it in.
	Config []byte
}

// Message is one packet between a learner and a leader. Which fields count
// follows from Type; a message is not changed once it was sent or received.
type Message struct {
	Type Type
	// Zxid is the packet's: of the transaction, of an epoch's start, of a state.
	Zxid int64
	// Run is how many more a COMMIT or an ACK stands for: those of the numbers right
	// before Zxid.
	Run int64
	// Entry is of PROPOSAL, INFORM and INFORMANDACTIVATE; its Zxid equals the packet's.
	Entry Entry
	// Data is the text of the configuration in NEWLEADER, and the body of
	// REVALIDATE, PING and FAREWELL, which zab hands on. (Requests of learners in sync do
	// not come this way: the owner of the peer takes them itself.)
	Data []byte
	// Learner is of FOLLOWERINFO and OBSERVERINFO.
	Learner LearnerInfo
	// Epoch is the current epoch in ACKEPOCH, or -1 if the leader's epoch had
	// been accepted before.
	Epoch int64
	// Designated is the next leader, in COMMITANDACTIVATE and INFORMANDACTIVATE.
	Designated int64
	// Snapshot is of SNAP: the state itself, however the owner of the peer passes
	// it. A sender leaves it nil: the state is streamed behind the message.
	Snapshot any
}

// LearnerInfo is what a learner says of itself.
type LearnerInfo struct {
	Sid             int64
	ProtocolVersion int32
	ConfigVersion   int64
}

// ProtocolVersion is the version of the protocol that is spoken here. Older
// ones, of before ZooKeeper 3.4, know no epochs and are refused.
const ProtocolVersion = 0x10000

// FarewellVersion is the version that learners say they speak which know FAREWELL.
// To Apache's leaders it is as good as ProtocolVersion.
const FarewellVersion = ProtocolVersion + 1

// State is what a server does, as it says in its notifications.
type State int32

// The states of a server.
const (
	Looking State = iota
	Following
	Leading
	Observing
)

// String is the name that Apache's logs have for the state.
func (s State) String() string {
	if s < Looking || s > Observing {
		return "UNKNOWN(" + strconv.Itoa(int(s)) + ")"
	}
	return [...]string{"LOOKING", "FOLLOWING", "LEADING", "OBSERVING"}[s]
}

// NotificationVersion is the version of the notifications that are sent here:
// those with a configuration.
const NotificationVersion = 2

// Notification is a server's vote, as it travels in elections.
type Notification struct {
	// Sid is the server that sent it.
	Sid   int64
	State State
	// Leader, Zxid and PeerEpoch are the vote: who shall lead, the end of its log
	// and its current epoch. One that is not looking tells of its leader.
	Leader    int64
	Zxid      int64
	PeerEpoch int64
	// Round is the number of the election, a logical clock.
	Round int64
	// Version is the version of the format.
	Version int32
	// Config is the text of the sender's configuration; empty in old formats.
	Config []byte
}

// Link is a connection between a learner and a leader. The owner of the peer
// numbers them and never uses a number twice.
type Link uint64

// Outgoing is a message and where it goes.
type Outgoing struct {
	Link Link
	Msg  *Message
}

// Ballot is a notification and whom it goes to.
type Ballot struct {
	To int64
	Notification
}
