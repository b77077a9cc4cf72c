// Package zab is the agreement of an ensemble: which server leads, how the others
// are brought in line with it, and when a transaction is committed. It is the
// protocol of ZooKeeper's servers, message by message, so that a peer takes its
// place among Apache's.
//
// A Peer is a state machine on plain values. It has no goroutine, clock, chance,
// file or socket of its own. Its owner tells it what happened (Tick, Step, Notify,
// LinkUp, Connected, LinkDown, Stored, Propose and so on) and takes from Ready what there is
// to do. Two rules tie the two together:
//
//   - Writes are made durable in their order, and Stored is told of it;
//   - what a Write releases is sent after it is durable, and everything else may
//     leave at once. Whatever must not be said before it is on the disk is there:
//     the promise of an epoch, the acknowledgement of a proposal or of a
//     synchronization. A vote is said only while nothing is under way to the disk.
//
// # The course of a term
//
//	Looking      votes are exchanged until a quorum agrees on the best log (election.go)
//	Discovery    the elected server and a quorum promise each other a new epoch (leader.go, learner.go)
//	Synchronization  each learner gets what it lacks, by DIFF, TRUNC or SNAP (sync.go)
//	Broadcast    proposals, acknowledgements, commits (broadcast.go)
//
// A follower can feed observers in the leader's place meanwhile (master.go).
// Any failure leads back to Looking. Nothing that a quorum has on disk is lost by
// that, which the simulation in zabsim checks from outside.
//
// # What is stricter than in Apache's servers
//
// A vote and the ACKEPOCH tell of the log on the disk, with what was never
// committed (ZOOKEEPER-2845). NEWLEADER is the last message of a synchronization
// (3104), and is acknowledged when everything before it is on the disk (3911, 4646),
// with the epoch written after the log (4643, 4785). An early acknowledgement of a
// proposal does not stand for it (4685), a COMMIT between NEWLEADER and UPTODATE is
// like any other (4394), and clients are let in once all of it is applied (3023).
// No role begins before the writes of the last one are done (4712). A transaction
// that does not continue the log is refused (4925). A configuration that came with
// NEWLEADER is in force when its transaction is committed, and not before.
package zab
