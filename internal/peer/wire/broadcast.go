package wire

import "github.com/quollhq/quoll/internal/jute"

// TxnOverhead is what PROPOSAL and INFORM are longer than their transaction, and the length of COMMIT.
const TxnOverhead = minPacket

// AppendProposal appends PROPOSAL. txn is the transaction as it stands in the log: header, body, digest.
func AppendProposal(b []byte, zxid int64, txn []byte) []byte {
	return appendTxn(b, Proposal, zxid, txn)
}

// AppendInform appends INFORM: a committed transaction, for observers. txn as for AppendProposal.
func AppendInform(b []byte, zxid int64, txn []byte) []byte { return appendTxn(b, Inform, zxid, txn) }

func appendTxn(b []byte, t Type, zxid int64, txn []byte) []byte {
	b = appendHead(b, t, zxid, len(txn))
	b = append(b, txn...)
	return appendTail(b)
}

// TxnFrame is what stands before and behind a transaction in PROPOSAL and INFORM, for those who write the same
// transaction to many learners without copying it.
type TxnFrame struct {
	Head [packetHead]byte
	Tail [4]byte
}

// FrameTxn makes the frame of a transaction of size bytes; t is Proposal or Inform.
func FrameTxn(t Type, zxid int64, size int) (f TxnFrame) {
	appendHead(f.Head[:0], t, zxid, size)
	appendTail(f.Tail[:0])
	return f
}

// AppendAck appends ACK: everything up to zxid is on disk.
func AppendAck(b []byte, zxid int64) []byte { return appendBare(b, Ack, zxid) }

// AppendNewLeaderAck appends the ACK of NEWLEADER, and of UPTODATE.
func AppendNewLeaderAck(b []byte, epoch int64) []byte { return appendBare(b, Ack, epochStart(epoch)) }

// AppendCommit appends COMMIT.
func AppendCommit(b []byte, zxid int64) []byte { return appendBare(b, Commit, zxid) }

// AppendCommitAndActivate appends COMMITANDACTIVATE. designated is the server that shall lead under the new
// configuration.
func AppendCommitAndActivate(b []byte, zxid, designated int64) []byte {
	b = appendHead(b, CommitAndActivate, zxid, 8)
	b = jute.AppendLong(b, designated)
	return appendTail(b)
}

// AppendInformAndActivate appends INFORMANDACTIVATE, with the reconfiguration itself.
func AppendInformAndActivate(b []byte, zxid, designated int64, txn []byte) []byte {
	b = appendHead(b, InformAndActivate, zxid, 8+len(txn))
	b = jute.AppendLong(b, designated)
	b = append(b, txn...)
	return appendTail(b)
}

// DecodeActivate reads COMMITANDACTIVATE, where txn is empty, and INFORMANDACTIVATE. txn aliases the packet.
func DecodeActivate(p *Packet) (designated int64, txn []byte, err error) {
	if p.Type != CommitAndActivate && p.Type != InformAndActivate {
		return 0, nil, unexpected(p, CommitAndActivate, InformAndActivate)
	}
	d := jute.NewDecoder(p.Data)
	designated = d.Long()
	return designated, d.Rest(), bodyError(p, &d)
}
