package peer

import (
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/zab"
)

// Machine is what an ensemble keeps equal on all members: the tree with its sessions, and those who serve it. Its
// owner implements it.
//
// All methods but NewState, Requests, Answered, Left, Free and Touched are called one after the other, in the order of what was
// agreed; before that, New calls Restore. They should wait neither for clients nor for the peer; while one of them waits,
// nothing else is applied, and after some megabytes nothing is read from the leader any more.
type Machine interface {
	// NewState is an empty state to be filled, from the disk or by a leader. It is called by any goroutine.
	NewState() State
	// Restore puts a state in force in place of the one before; the state is the machine's from then on. The machine
	// does not serve at that time.
	Restore(State)
	// Apply applies committed transactions, in order, each right after the one before. Entries and what they point to
	// must not be changed, and are the peer's again afterwards.
	Apply(entries []zab.Entry)
	// Freeze is the state as of everything that was applied so far. It is read, and then closed, by another goroutine.
	Freeze() Frozen
	// Serve tells what the member is from now on. Unless role.Serving, clients are let go and what was being proposed
	// is forgotten: some of it may still be committed, and is then applied like anything else.
	Serve(role Role)
	// Requests hands over what clients of a learner ask the leader of this epoch for, in order. The list is the peer's again
	// afterwards, and so are the requests' bodies.
	// It is called by any goroutine, one at a time for each learner, and must not wait. It may be called before the machine
	// has heard that this member leads in that epoch, and when it has heard that it does not any more.
	Requests(learner zab.Link, epoch int64, list []wire.ClientRequest)
	// Answered tells that the answer to a sync is on its way to a learner, ahead of all that is committed later, and Left that
	// a learner has gone. They are called by any goroutine, and must not wait.
	Answered(learner zab.Link)
	Left(learner zab.Link)
	// Received hands over messages of learners to this leader, or of the leader to this learner: REVALIDATE and PING, or
	// REVALIDATE, SYNC and FAREWELL. A follower that feeds observers gets their PINGs, too.
	Received(messages []zab.Upcall)
	// Confirmed answers a Peer.ConfirmRead.
	Confirmed(zab.Read)
	// Configured tells of a configuration that came into force.
	Configured(*zab.Membership)
	// Free gives back a piece of memory that was Batch.Filled. It is called by any goroutine, and must not wait.
	Free(filled []byte)
	// Touched are the sessions that were heard of here since the last call, for the leader. It is called by any
	// goroutine, and must not wait.
	Touched() []wire.Touch
}

// State is a state that is read and not in force so far.
type State interface {
	storage.SnapshotSink
	// Apply applies a transaction of the log; entry is valid only during the call. The first call may come without a
	// snapshot before it.
	Apply(entry []byte) error
	// Loaded tells where the state comes from, before Restore: what was loaded from the disk, or the snapshot of a state
	// that came from a leader.
	Loaded(l storage.Loaded)
	// Digest is the state's digest as a snapshot has it; false for none. zxid is its last transaction.
	Digest(zxid int64) (storage.SnapshotDigest, bool)
	// Source is the state as a snapshot, to be read and closed before Restore or Close. zxid is its last transaction.
	Source(zxid int64) Frozen
	// Close gives it up.
	Close()
}

// Frozen is a state that does not change.
type Frozen interface {
	storage.SnapshotSource
	Close()
}

// Role is what a member is.
type Role struct {
	zab.Status
	// Master is the member that a learner is fed by: the leader, or a follower. 0 for others.
	Master int64
	// NextZxid is the number of the first transaction that this leader proposes, 0 for others.
	NextZxid int64
	// Uplink is the connection to the leader of a learner that serves, for Peer.Forward.
	Uplink zab.Link
}

// Leads tells whether this member leads and serves.
func (r Role) Leads() bool { return r.State == zab.Leading && r.Serving() }

// Batch is transactions that a leader proposes.
type Batch struct {
	// Records are the transactions as the log has them, one behind the other, of consecutive zxids. They belong to the
	// peer, which keeps them for learners that come back, until their memory comes back as a Filled. Some spare capacity
	// behind them saves the log a second write.
	Records []byte
	// Filled, if not nil, is a piece of memory that the Records of batches before this one lie in, and of none that come
	// now: Machine.Free has it back once nobody reads them any more, unless the member's role changes before.
	Filled []byte
	// Config, if not nil, is the text of the configuration that the last transaction brings. If it cannot be proposed any
	// more, although Reconfigure said so a moment before, the leader steps down: the numbers behind it are given away.
	Config []byte
	// Farewell is, for a batch with a Config, what learners are told if that gives the lead away; nil for nothing. Nothing
	// may be proposed behind such a batch until it is committed.
	Farewell zab.Farewells
}

// Entries are the batch's transactions, appended to an empty list. They alias Records.
func (b *Batch) Entries(into []zab.Entry) []zab.Entry {
	for at := 0; at < len(b.Records); {
		entry := storage.Entry(b.Records, at)
		into = append(into, zab.Entry{Zxid: storage.Zxid(entry), Data: entry})
		at += storage.RecordLen(len(entry))
	}
	if b.Config != nil {
		into[len(into)-1].Config = b.Config
	}
	return into
}
