package storage

import (
	"encoding/binary"
	"fmt"
	"io"
)

// tailWindow is how far behind a broken record something may still lie that
// was written together with it: more than a batch ever has.
const tailWindow = 16 << 20

// searchBudget bounds the bytes that are summed up in search of whole records.
const searchBudget = 16 * tailWindow

// tail is what follows the last whole record of a log.
type tail struct {
	kind tailKind
	cut  int64 // where the file may end
	lost int64 // bytes from there to the last that is not zero
	// reason and before describe damage: before is the zxid of a whole record behind it.
	reason string
	before int64
}

type tailKind int

const (
	tailClean   tailKind = iota // nothing was being written
	tailTorn                    // an interrupted write, which nobody was told had succeeded
	tailDamaged                 // anything else
)

// inspectTail looks at what lies behind the last whole record, which ends at
// x and has the zxid prev. bad is why there is no record at x, nil if there is
// a zero. The rules are in the package comment.
func inspectTail(f File, x int64, bad *badRecord, prev int64, maxEntry int) (tail, error) {
	size, err := f.Size()
	if err != nil {
		return tail{}, err
	}
	end, err := lastNonZero(f, x, size)
	if err != nil {
		return tail{}, err
	}
	t := tail{kind: tailClean, cut: x}
	if end == x {
		return t, nil
	}
	if end-x > tailWindow {
		return t.damaged(bad, "and more follows than one write can have left"), nil
	}
	b := make([]byte, end-x+markerLen+sector) // what lies beyond the file's end is zero
	if _, err := f.ReadAt(b, x); err != nil && err != io.EOF {
		return tail{}, err
	}
	r := remains{b: b, x: x, end: end, prev: prev, maxEntry: maxEntry, size: size}
	return r.judge(t, bad), nil
}

func (t tail) damaged(bad *badRecord, why string) tail {
	t.kind = tailDamaged
	t.reason = "a record is missing"
	if bad != nil {
		t.reason = bad.reason
	}
	if why != "" {
		t.reason += ", " + why
	}
	return t
}

// lastNonZero is the offset behind the last byte of f that is not zero, x if
// there is none from x on.
func lastNonZero(f File, x, size int64) (int64, error) {
	buf := make([]byte, max(0, min(scanBlock, size-x)))
	for end := size; end > x; {
		n := min(int64(len(buf)), end-x)
		if _, err := f.ReadAt(buf[:n], end-n); err != nil && err != io.EOF {
			return 0, err
		}
		if !allZero(buf[:n]) {
			for buf[n-1] == 0 {
				n--
				end--
			}
			return end, nil
		}
		end -= n
	}
	return x, nil
}

// remains is everything from the first place on where no whole record begins.
type remains struct {
	b        []byte // from x to end, and zeros
	x        int64
	end      int64 // behind the last byte that is not zero
	prev     int64
	maxEntry int
	size     int64 // of the file
}

func (r *remains) at(off int64) []byte { return r.b[off-r.x:] }

func (r *remains) judge(t tail, bad *badRecord) tail {
	last, marked := r.lastMarker()
	next, nextZxid := r.nextRecord()
	t.before = nextZxid
	if here, ok := r.markerHere(); ok {
		// The batch that ends here is whole, and not all sectors of the next
		// one were written: so no later batch was ever synced.
		t.cut = here.at + markerLen
		if !marked || last.end == r.x || last.start == r.x {
			return r.torn(t)
		}
		return t.damaged(bad, "although a later write was complete")
	}
	if marked && last.start > r.x {
		return t.damaged(bad, fmt.Sprintf("although it was synced before the write that began at offset %d", last.start))
	}
	limit := r.end
	if marked {
		limit = last.end
	}
	if next > 0 {
		limit = min(limit, next)
	}
	if !r.explained(limit, next > 0 || marked, marked && last.start < r.x) {
		return t.damaged(bad, "which is not what an interrupted write leaves")
	}
	return r.torn(t)
}

func (r *remains) torn(t tail) tail {
	if t.lost = max(0, r.end-t.cut); t.lost > 0 {
		t.kind = tailTorn
	}
	return t
}

// markerHere finds the marker of a batch that ended at x.
func (r *remains) markerHere() (marker, bool) {
	at := r.x + markerShift(r.x)
	if at >= r.end {
		return marker{}, false
	}
	m, ok := parseMarker(r.at(at), at)
	return m, ok && m.end == r.x
}

// lastMarker finds the marker that ends the file. Its last bytes may happen to
// be zero.
func (r *remains) lastMarker() (marker, bool) {
	for at := r.end - 1; at >= r.x && at >= r.end-markerProbe; at-- {
		if m, ok := parseMarker(r.at(at), at); ok {
			return m, true
		}
	}
	return marker{}, false
}

// nextRecord finds the next whole record, 0 if there is none.
func (r *remains) nextRecord() (off, zxid int64) {
	budget := searchBudget
	for at := r.x + 1; at+recordHead+minEntry < r.end; at++ {
		b := r.at(at)
		n := int(int32(binary.BigEndian.Uint32(b[8:])))
		if binary.BigEndian.Uint32(b) != 0 || n < minEntry || n > r.maxEntry || at+int64(RecordLen(n)) > r.end {
			continue
		}
		entry := b[recordHead : recordHead+n]
		if b[recordHead+n] != recordEnd || entryZxid(entry) <= r.prev {
			continue
		}
		if budget -= n; budget < 0 || binary.BigEndian.Uint32(b[4:]) == adler32(adlerInit, entry) {
			return at, entryZxid(entry)
		}
	}
	return 0, 0
}

// explained tells whether the record at x can be part of a write that was
// interrupted, so that some of its sectors were written and others, which are
// still zero, were not. limit is where it must have ended; exact tells that
// something whole begins there; begun that its write began before x.
func (r *remains) explained(limit int64, exact, begun bool) bool {
	// Of what begins at limit something is in this sector: then all of it is written.
	if exact && !allZeroUpTo(r.at(limit), roundUp(limit)-limit) && r.at(limit - 1)[0] != recordEnd {
		return false
	}
	// The sector of x is written if what lies in it before x is of the same write.
	first := r.x
	if begun {
		first = roundUp(r.x)
	}
	if r.hole(first, r.x, r.x+recordHead) {
		return true
	}
	if !exact && r.end < r.x+recordHead {
		return true
	}
	n := int(int32(binary.BigEndian.Uint32(r.b[8:])))
	if n < minEntry || n > r.maxEntry {
		return false
	}
	end := r.x + int64(RecordLen(n))
	if end > limit {
		return !exact && r.cutShort(end)
	}
	return r.hole(first, r.x, end)
}

// cutShort tells whether the record that should end at end, behind everything
// that is not zero, was written only up to some byte. If it is whole with
// another length than it says, then its length was changed later.
func (r *remains) cutShort(end int64) bool {
	entry := r.b[recordHead : r.end-r.x]
	if len(entry) > minEntry && entry[len(entry)-1] == recordEnd {
		entry = entry[:len(entry)-1]
		return binary.BigEndian.Uint32(r.b[4:]) != adler32(adlerInit, entry)
	}
	return r.end < end
}

// hole tells whether one of the sectors that [from, to) touches is zero from
// first on.
func (r *remains) hole(first, from, to int64) bool {
	for s := from - from%sector; s < to; s += sector {
		if s+sector <= first {
			continue
		}
		if lo := max(s, first); allZeroUpTo(r.at(lo), s+sector-lo) {
			return true
		}
	}
	return false
}

func allZeroUpTo(b []byte, n int64) bool { return allZero(b[:min(int64(len(b)), n)]) }
