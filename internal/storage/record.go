package storage

import (
	"encoding/binary"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

const (
	logMagic   = 0x5a4b4c47 // "ZKLG"
	logVersion = 2
	fileHeader = 16 // magic int | version int | dbid long
	recordHead = 12 // checksum long | length int
	recordEnd  = 'B'
	zxidAt     = 12 // in an entry: after clientId long | cxid int
	typeAt     = 28 // in an entry: after zxid long | time long
	minEntry   = txn.HeaderLen
)

// BeginRecord appends to b the room for a record's checksum and length. The
// caller appends the entry to out and then calls EndRecord with mark. So a
// transaction is encoded once, in place.
func BeginRecord(b []byte) (out []byte, mark int) {
	return append(b, make([]byte, recordHead)...), len(b)
}

// EndRecord completes the record that was begun at mark: the entry is
// everything after its head.
func EndRecord(b []byte, mark int) []byte {
	entry := b[mark+recordHead:]
	binary.BigEndian.PutUint64(b[mark:], uint64(adler32(adlerInit, entry)))
	binary.BigEndian.PutUint32(b[mark+8:], uint32(len(entry)))
	return append(b, recordEnd)
}

// Entry is the entry of the record that starts at b[mark], aliasing b.
func Entry(b []byte, mark int) []byte {
	n := int(binary.BigEndian.Uint32(b[mark+8:]))
	from := mark + recordHead
	return b[from : from+n : from+n]
}

// RecordLen is the length in a log of an entry of n bytes.
func RecordLen(n int) int { return recordHead + n + 1 }

// Zxid is the zxid of an entry; it must have a whole header.
func Zxid(entry []byte) int64 { return entryZxid(entry) }

// Type is the type of an entry's transaction; it must have a whole header.
func Type(entry []byte) proto.Op { return proto.Op(binary.BigEndian.Uint32(entry[typeAt:])) }

// entryZxid is the zxid in the header of an entry of at least minEntry bytes.
func entryZxid(entry []byte) int64 {
	return int64(binary.BigEndian.Uint64(entry[zxidAt:]))
}

// isEcho tells whether entry repeats the zxid before it, last, for an error.
// Apache's server logs that when a write cannot be decoded: it changes nothing.
func isEcho(last int64, entry []byte) bool {
	return entryZxid(entry) == last && proto.Op(binary.BigEndian.Uint32(entry[typeAt:])) == proto.OpError
}

// appendFileHeader appends the header of a log or a snapshot.
func appendFileHeader(b []byte, magic uint32, dbid int64) []byte {
	b = binary.BigEndian.AppendUint32(b, magic)
	b = binary.BigEndian.AppendUint32(b, logVersion)
	return binary.BigEndian.AppendUint64(b, uint64(dbid))
}
