// Package wire has the bytes of the two protocols that members of an ensemble speak with each other, as Apache
// ZooKeeper's servers write and read them. It opens no connections: it appends to byte slices and reads from an
// io.Reader, and takes memory only for what has arrived.
//
// # Quorum protocol
//
// Between a leader and its learners. A stream of records in ZooKeeper's codec, without frames:
//
//	int type | long zxid | buffer data | vector of (string scheme, string id)
//
// [Reader] reads them, the Append functions write whole packets. One connection, learner on the left:
//
//	FOLLOWERINFO, OBSERVERINFO  ->                 who I am, the epoch that I accepted
//	                            <-  LEADERINFO     the epoch to come
//	ACKEPOCH                    ->                 where my log ends
//	                            <-  DIFF, TRUNC or SNAP, the last with the snapshot behind it
//	                            <-  PROPOSAL and COMMIT for what is missing
//	                            <-  NEWLEADER      the configuration
//	ACK                         ->                 all of it is on disk
//	                            <-  UPTODATE
//	ACK                         ->
//	                            <-  PROPOSAL, COMMIT (followers), INFORM (observers), PING, ...
//	ACK, REQUEST, PING, ...     ->
//
// The snapshot has no length. [Reader.Snapshot] follows its structure and finds its end and signature:
//
//	int sessions | (long id, int timeout)...
//	int lists    | (long id, vector of (int perms, string scheme, string id))...
//	(string path, buffer data, long list, 60 bytes of stat)... | string "/"
//	string "BenWasHere"
//
// # Election protocol
//
// Between every two members, one connection for both directions. The one who dials says [Hello]; of two connections
// between the same members the one dialled by the larger number stays, see [KeepsConnection]. After that, frames with a
// [Notification] each:
//
//	long version, below 0 | long sid | int length | addresses      Hello; before 3.5 only: long sid
//	int length | int state | long leader | long zxid | long round | long epoch | int 2 | int length | configuration
//
// # Before either
//
// Members may authenticate each other by SASL ([AuthPacket]), on the election port after Hello, and both ports may be
// plain or TLS, told apart by the first bytes ([DetectTLS]).
package wire
