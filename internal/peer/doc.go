// Package peer is a member of an ensemble: it runs the agreement of package zab on
// sockets, disks and a clock, and hands what is committed to a [Machine].
//
// # The parts
//
//	mesh      connections for elections   (package mesh)
//	link      connections between a leader and its learners   (package link)
//	loop      owns the zab.Peer: everything that happens comes here, everything to do leaves from here. Whoever brings
//	          something is in it, one at a time
//	disk      one goroutine that owns the log and the epochs: does the writes in order, one sync for all that queued up
//	machine   calls the Machine, in the order of what was agreed: a goroutine, or whoever was in the loop if there is little to do
//
//	mesh, link, timer, Propose, ... -> loop -> disk    -> loop (it is durable: acknowledgements leave)
//	                                        -> link, mesh (it may be said at once)
//	                                        -> machine (it is committed)
//
// # How a write passes through a leader
//
//  1. The owner has learned by [Machine.Serve] that this member leads and which zxid is the next. It validates, encodes
//     a batch of transactions once, as records of the log ([storage.BeginRecord]), and calls [Peer.Propose].
//  2. The loop gives the very bytes to the followers' connections and to the disk, which appends them with one write.
//  3. When a quorum has them on disk, the loop tells the learners, and [Machine.Apply] is called.
//
// On a follower the proposals of a read of the socket are framed into one batch for the log; their acknowledgements
// leave together after one sync.
//
// # How a request of a learner's client passes
//
// The follower's owner sends it with [Peer.Forward]; the leader's gets it in [Machine.Received] and proposes what
// comes of it. When it is committed, the follower's Apply sees the session and the cxid in the transaction's header and
// answers the client. Questions about sessions travel the same way and are answered with [Peer.Reply]; a sync is
// answered with [Peer.Sync], behind everything that was proposed before.
//
// # Who may touch what
//
// The Store belongs to the peer while it runs: nobody else appends to the log, truncates it, or writes epochs. The
// owner may write snapshots of what it serves, and calls [Peer.Roll] before one, so that the log begins a new file. A
// state that is not served must not be written: it may hold what was never committed.
//
// A failed write or sync ends [Peer.Run] with its error. Nothing that waited for it was said. The process must end.
package peer
