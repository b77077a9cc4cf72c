package failpoint

// Point is the name of a place.
type Point string

// The places, by what they belong to: the files of a server, the agreement of an ensemble, its state machine, clients.
const (
	LogCreate   Point = "log/create"
	LogWrite    Point = "log/write"
	LogSync     Point = "log/sync"
	LogRename   Point = "log/rename"
	LogAllocate Point = "log/allocate"
	LogTruncate Point = "log/truncate"
	LogRead     Point = "log/read"
	LogRemove   Point = "log/remove"

	SnapshotCreate Point = "snapshot/create"
	SnapshotWrite  Point = "snapshot/write"
	SnapshotSync   Point = "snapshot/sync"
	SnapshotRename Point = "snapshot/rename"
	SnapshotRead   Point = "snapshot/read"
	SnapshotRemove Point = "snapshot/remove"

	EpochCreate Point = "epoch/create"
	EpochWrite  Point = "epoch/write"
	EpochSync   Point = "epoch/sync"
	EpochRename Point = "epoch/rename"
	EpochRead   Point = "epoch/read"

	DirSync Point = "dir/sync"

	ElectionDial    Point = "election/dial"
	ElectionAccept  Point = "election/accept"
	ElectionSend    Point = "election/send"
	ElectionReceive Point = "election/receive"
	ElectionLooking Point = "election/looking"
	ElectionLeading Point = "election/leading"
	ElectionFollow  Point = "election/following"

	QuorumDial    Point = "quorum/dial"
	QuorumAccept  Point = "quorum/accept"
	QuorumSend    Point = "quorum/send"
	QuorumReceive Point = "quorum/receive"

	SyncPromise   Point = "sync/promise"
	SyncDiff      Point = "sync/diff"
	SyncTrunc     Point = "sync/trunc"
	SyncSnap      Point = "sync/snap"
	SyncNewLeader Point = "sync/newleader"
	SyncUpToDate  Point = "sync/uptodate"
	StateSend     Point = "state/send"
	StateReceive  Point = "state/receive"
	StateInstall  Point = "state/install"
	ReplaySend    Point = "replay/send"

	Propose     Point = "broadcast/propose"
	Append      Point = "broadcast/append"
	Acknowledge Point = "broadcast/acknowledge"
	Commit      Point = "broadcast/commit"
	HandOver    Point = "broadcast/handover"

	Apply         Point = "machine/apply"
	Freeze        Point = "machine/freeze"
	Restore       Point = "machine/restore"
	Serve         Point = "machine/serve"
	Forward       Point = "machine/forward"
	Sync          Point = "machine/sync"
	Corrupt       Point = "machine/corrupt"
	SessionCreate Point = "session/create"
	SessionExpire Point = "session/expire"
	SessionRenew  Point = "session/renew"

	Accept    Point = "client/accept"
	Handshake Point = "client/handshake"
	Read      Point = "client/read"
	Flush     Point = "client/flush"

	Clock Point = "clock/wall"
)

// Description is what there is to know of a place.
type Description struct {
	Point Point
	Text  string
	// Fails tells that the step can fail; others can only crash and stall.
	Fails bool
}

// Points are all places.
func Points() []Description {
	return []Description{
		{LogCreate, "before a new log is made, aside", true},
		{LogWrite, "before records, or zeros ahead of them, are written", true},
		{LogSync, "before the log is made durable", true},
		{LogRename, "before a new log gets its name", true},
		{LogAllocate, "before room is reserved for the log", true},
		{LogTruncate, "before a log is cut: what a leader does not know, a torn tail, zeros behind its end", true},
		{LogRead, "before a log is opened to be read", true},
		{LogRemove, "before a log is removed", true},
		{SnapshotCreate, "before a snapshot is made, aside", true},
		{SnapshotWrite, "before a part of a snapshot is written", true},
		{SnapshotSync, "before a snapshot is made durable", true},
		{SnapshotRename, "before a snapshot gets its name", true},
		{SnapshotRead, "before a snapshot is opened to be read", true},
		{SnapshotRemove, "before a snapshot is removed", true},
		{EpochCreate, "before a file with an epoch is made, aside", true},
		{EpochWrite, "before an epoch is written", true},
		{EpochSync, "before an epoch is made durable", true},
		{EpochRename, "before an epoch replaces the one before", true},
		{EpochRead, "before an epoch is read", true},
		{DirSync, "before names in a directory are made durable", true},
		{ElectionDial, "before a connection for elections is opened", true},
		{ElectionAccept, "when a connection for elections has come", true},
		{ElectionSend, "before a vote is sent", false},
		{ElectionReceive, "when a vote has come", false},
		{ElectionLooking, "when a member has lost its leader", false},
		{ElectionLeading, "when a member was elected", false},
		{ElectionFollow, "when a member knows whom to follow", false},
		{QuorumDial, "before a learner connects with its leader", true},
		{QuorumAccept, "when a learner has come", true},
		{QuorumSend, "before packets are sent between a leader and a learner", true},
		{QuorumReceive, "when packets have come", true},
		{SyncPromise, "between the promise of an epoch and its acknowledgement", true},
		{SyncDiff, "before a learner is told that it gets what it lacks", false},
		{SyncTrunc, "before a learner cuts its log", true},
		{SyncSnap, "before a learner is told that it gets the state", false},
		{SyncNewLeader, "before what was synchronized is vouched for", true},
		{SyncUpToDate, "before a learner is told that it may serve", false},
		{StateSend, "before a state is sent", true},
		{StateReceive, "before a state is read", true},
		{StateInstall, "before a state that came is stored", true},
		{ReplaySend, "before a part of the log is sent to a learner", true},
		{Propose, "before a batch is proposed", false},
		{Append, "before transactions are appended to the log", true},
		{Acknowledge, "between the end of a sync and what waits for it", false},
		{Commit, "before committed transactions are given to the machine", false},
		{HandOver, "before a leader gives its role to another", false},
		{Apply, "before a transaction of the ensemble is applied", false},
		{Freeze, "before the state is frozen for a snapshot or a learner", false},
		{Restore, "before a state is put in force", false},
		{Serve, "before clients are let in", false},
		{Forward, "before writes are sent to the leader", false},
		{Sync, "before a sync is answered", false},
		{Corrupt, "a transaction is applied wrongly, so that the member's state differs from then on (any action)", true},
		{SessionCreate, "before a session begins", false},
		{SessionExpire, "before a session is ended because nothing was heard of its client", false},
		{SessionRenew, "before it is asked whether a session that was brought along lives", false},
		{Accept, "when a client has connected", true},
		{Handshake, "when a client's first frame has come", true},
		{Read, "when requests of a client have come", true},
		{Flush, "before replies are sent", true},
		{Clock, "the time of day, which shift makes wrong", false},
	}
}
