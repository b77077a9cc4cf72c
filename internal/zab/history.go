package zab

import "slices"

// history is what a server knows of its log: the positions that matter and the
// youngest transactions, which learners that come back are given from memory.
//
// before <= applied <= last. The window holds everything in (before, last],
// without a hole: a hole would later be passed on as if nothing had been there
// (ZOOKEEPER-4925).
type history struct {
	window []Entry
	before int64 // the transaction that stands before the window, 0 if none does
	last   int64 // end of the log, of which a part may still be on its way to the disk
	// applied is how far the state machine has come. After a start it may contain
	// what was never committed: that is cut again before anybody is served.
	applied int64
	keep    int // how many applied transactions stay in the window
}

func (h *history) append(e *Entry) {
	if !follows(h.last, e.Zxid) {
		bug("transaction %s cannot follow %s: one was skipped", zxidText(e.Zxid), zxidText(h.last))
	}
	h.window = append(h.window, *e)
	h.last = e.Zxid
	h.trim()
}

// trim forgets what is applied and too old. It copies rarely.
func (h *history) trim() {
	n := len(h.window)
	if n < 2*h.keep {
		return
	}
	drop, ok := h.find(h.applied)
	if !ok {
		return
	}
	drop = min(drop+1, n-h.keep)
	if drop < h.keep/2 {
		return
	}
	h.before = h.window[drop-1].Zxid
	h.window = slices.Delete(h.window, 0, drop)
}

// find is where zxid is in the window, or where it would be. Within an epoch
// numbers follow each other, so that a guess from the end is mostly right.
func (h *history) find(zxid int64) (int, bool) {
	if i := len(h.window) - 1 - int(h.last-zxid); zxid <= h.last && i >= 0 && i < len(h.window) && h.window[i].Zxid == zxid {
		return i, true
	}
	return slices.BinarySearchFunc(h.window, zxid, func(e Entry, z int64) int {
		switch {
		case e.Zxid < z:
			return -1
		case e.Zxid > z:
			return 1
		}
		return 0
	})
}

// knows tells whether zxid stands in the window or right before it.
func (h *history) knows(zxid int64) bool {
	_, ok := h.find(zxid)
	return ok || zxid == h.before
}

// after is the part of the window behind zxid, which must not lie before it.
func (h *history) after(zxid int64) []Entry {
	if zxid < h.before {
		bug("transactions after %s are asked of a window that begins after %s", zxidText(zxid), zxidText(h.before))
	}
	i, ok := h.find(zxid)
	if ok {
		i++
	}
	return h.window[i:]
}

// between is the part of the window in (from, to].
func (h *history) between(from, to int64) []Entry {
	part := h.after(from)
	if len(part) == 0 || part[len(part)-1].Zxid <= to {
		return part
	}
	n, ok := h.find(to)
	if ok {
		n++
	}
	return part[:max(0, n-(len(h.window)-len(part)))]
}

// truncate cuts everything behind zxid.
func (h *history) truncate(zxid int64) {
	if zxid < h.before {
		h.window, h.before = nil, zxid
	} else {
		i, ok := h.find(zxid)
		if ok {
			i++
		}
		clear(h.window[i:])
		h.window = h.window[:i]
	}
	h.last = zxid
	h.applied = min(h.applied, zxid)
}

// reset starts anew with a state as of zxid.
func (h *history) reset(zxid int64) {
	h.window, h.before, h.last, h.applied = nil, zxid, zxid, zxid
}
