// Package storage keeps a server's transactions and snapshots on disk, in the
// formats and directories of Apache ZooKeeper 3.5 to 3.9. All integers are
// big-endian.
//
//	dataLogDir/version-2/log.<zxid of its first transaction, hex>
//	    header | record ... | zeros
//	    header = "ZKLG" | version int 2 | dbid long 0
//	    record = Adler32 of the entry, long | length int | entry | 'B'
//	dataDir/version-2/snapshot.<zxid, hex>[.gz|.snappy]
//	    header | sessions | ACLs | nodes | seal | [digest | seal] | [last zxid | seal]
//	    header   = "ZKSN" | version int 2 | dbid long -1
//	    sessions = count int | (id long | timeout int) ...
//	    ACLs     = count int | (id long | vector of ACL) ...
//	    nodes    = (path string | data buffer | ACL id long | persisted stat) ... | "/" string
//	    seal     = Adler32 of everything before, long | "/" string
//	    digest   = zxid long | version int | digest long
//	dataDir/version-2/acceptedEpoch, currentEpoch
//
// # What a crash leaves at the end of a log
//
// A batch of records is written at once (a very long one in pieces, each like
// a batch), into room that holds zeros, and nothing of it is acknowledged
// before it was synced; the next batch is written only after that. So when the machine loses power, everything below
// the last batch is there, and of the last batch any part may be: each sector
// of 512 bytes is there or still zero, in any order. When only the process
// dies, a first part of the batch is there.
//
// Behind each batch, where the next one will begin, lies a marker with the
// length of the batch. To Apache's readers it is the end of the log.
//
// From the first place on where no whole record begins, the last log is judged
// by what lies behind:
//
//   - Nothing but zeros: the log ends there.
//   - The marker of the batch before: that batch is whole and the next was
//     never synced, whatever is there of it. It is cut off.
//   - A marker at the end, of a batch that began later: the record had been
//     synced, perhaps acknowledged. That is damage.
//   - A record of which some sectors are zero as a whole, or which is cut
//     short and followed by nothing: an interrupted write. It is cut off.
//   - Anything else, such as a record whose checksum is wrong although no
//     sector of it is missing, or data farther behind than one write reaches:
//     damage.
//
// Damage is never cut: Load fails with a DamageError. In a log that is not the
// last, the next log tells: if it begins with the very next zxid, then nothing
// is missing and an interrupted write is passed over (Apache's servers leave
// those); if it begins a new epoch, the rule above decides; else transactions
// are missing and Load fails.
//
// What no rule can tell is a disk that loses whole sectors of the very last
// batch after it said that they are synced.
//
// # Goroutines
//
// A Log belongs to the one goroutine that appends. While a log file is being
// written, a goroutine fills it with zeros in advance, has the system forget what
// is durable, and cuts off what was not needed when the file ends; Store.Close
// waits for it. Reading a snapshot
// takes a goroutine that reads and sums ahead of the one that decodes.
package storage
