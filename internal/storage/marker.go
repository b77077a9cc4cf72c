package storage

import (
	"encoding/binary"
	"hash/crc32"
)

// A marker ends every batch that quoll writes. It lies where the next batch
// begins, which overwrites it:
//
//	shift 5 bits, length of the batch 27 bits | check int | 0 int
//
// To Apache's readers, and to ours, it is what ends every log: a record of
// length 0, whose checksum field nobody looks at. To whoever finds a broken
// record it tells where the last batch began: what lies before that had been
// synced when the last batch was written.
//
// A marker never lies in two sectors, of which only one might get replaced.
// Where it would, it is shifted behind the zeros that end the log.

const (
	sector = 512
	// markerLen is the length of a marker; after markerProbe bytes it is zero.
	markerLen   = 12
	markerProbe = 8
	// markerGap is how far into the next sector a shifted marker lies: behind
	// the zeros that end the log.
	markerGap  = 16
	maxMarked  = 1<<27 - 1 // bytes of a batch that a marker can tell
	shiftedBit = 27
)

var markerTable = crc32.MakeTable(crc32.Castagnoli)

// marker is what a marker tells: a batch lay from start to end.
type marker struct {
	at         int64 // its own offset
	start, end int64
}

// markerShift is how far behind end, the end of a batch, its marker lies.
func markerShift(end int64) int64 {
	if end%sector > sector-markerProbe {
		return roundUp(end) + markerGap - end
	}
	return 0
}

func roundUp(off int64) int64 { return (off + sector - 1) / sector * sector }

// appendMarker appends what follows a batch from start to end. Of a batch too
// long for a marker only the end of the log is written.
func appendMarker(b []byte, start, end int64) []byte {
	n := end - start
	if n > maxMarked {
		return append(b, make([]byte, markerLen)...)
	}
	shift := markerShift(end)
	b = append(b, make([]byte, shift)...)
	word := uint32(shift)<<shiftedBit | uint32(n)
	b = binary.BigEndian.AppendUint32(b, word)
	b = binary.BigEndian.AppendUint32(b, markerCheck(end+shift, word))
	return append(b, 0, 0, 0, 0)
}

// parseMarker reads the marker b at offset at.
func parseMarker(b []byte, at int64) (marker, bool) {
	if len(b) < markerProbe {
		return marker{}, false
	}
	word := binary.BigEndian.Uint32(b)
	if binary.BigEndian.Uint32(b[4:]) != markerCheck(at, word) {
		return marker{}, false
	}
	end := at - int64(word>>shiftedBit)
	m := marker{at: at, start: end - int64(word&maxMarked), end: end}
	return m, m.start >= fileHeader
}

func markerCheck(at int64, word uint32) uint32 {
	b := append(make([]byte, 0, 17), "quoll"...)
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	return crc32.Checksum(binary.BigEndian.AppendUint32(b, word), markerTable)
}
