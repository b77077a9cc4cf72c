package watch

import (
	"slices"
	"sync"
)

// handle names a path in a table from a watcher's side.
//
//	bits 0-26   entry of the shard
//	bit  27     table
//	bits 28-31  shard
type handle uint32

const (
	shardBits = 4
	shards    = 1 << shardBits
)

func newHandle(shard int, t tableID, entry uint32) handle {
	return handle(uint32(shard)<<28 | uint32(t)<<27 | (entry - 1))
}

func (h handle) shard() int     { return int(h >> 28) }
func (h handle) table() tableID { return tableID(h >> 27 & 1) }
func (h handle) entry() uint32  { return uint32(h)&(maxEntries-1) + 1 }

// record is what the roster knows of a watcher: where it waits.
//
// The list of handles is only ever appended to: an event that uses up ten
// thousand watches does not look into ten thousand lists. So a handle says that
// the watcher may wait there; whether it does, its path's sets know. A list that
// holds too many stale handles is swept by the watcher's next Adds.
type record struct {
	list
	pairs [tables]uint32 // paths that the watcher waits on
}

// stale tells whether so many handles may be stale that a look is worth it.
func (r *record) stale() bool { return r.n >= 2*(r.pairs[dataTable]+r.pairs[childTable])+16 }

// list is handles, in no order.
type list struct {
	head uint32 // the handle, if there is one; the youngest block, if there are more
	n    uint32
}

// Blocks of handles are chained from the youngest to the oldest.
//
//	word 0     next block
//	word 1     words of the block, above the number of handles in it
//	word 2...  handles
const (
	minListBlock = 4
	maxListBlock = 64
	countMask    = 1<<16 - 1
)

// run is the records of neighbouring watchers, and a bit for each that Summary
// counts.
type run struct {
	records [laneRun]record
	known   uint64
}

// lane holds the records of some of the watchers.
type lane struct {
	mu     sync.Mutex
	arena  arena
	runs   []*run
	known  int           // bits set in all runs
	sweeps map[ID]*sweep // those that are under way
	_      [64]byte
}

// Watchers with neighbouring numbers share a lane, so that an event for many
// goes through one lane after the other.
const (
	lanes    = 16
	laneRun  = 64
	laneSize = lanes * laneRun
)

type roster [lanes]lane

func (r *roster) lane(id ID) *lane { return &r[id/laneRun%lanes] }

// record gives the record of id, which lies in l.
func (l *lane) record(id ID) *record { return &l.runs[id/laneSize].records[id%laneRun] }

// know says whether Summary counts id.
func (l *lane) know(id ID, known bool) {
	r, bit := l.runs[id/laneSize], uint64(1)<<(id%laneRun)
	switch {
	case known && r.known&bit == 0:
		r.known |= bit
		l.known++
	case !known && r.known&bit != 0:
		r.known &^= bit
		l.known--
	}
}

// attach makes room for the record of id.
func (r *roster) attach(id ID) {
	l := r.lane(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	for int(id/laneSize) >= len(l.runs) {
		l.runs = append(l.runs, new(run))
	}
}

// gain notes that id waits on one path more, and tells whether its list should
// be swept.
func (r *roster) gain(id ID, h handle) bool {
	l := r.lane(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	rec := l.record(id)
	rec.pairs[h.table()]++
	if h.table() == dataTable {
		l.know(id, true)
	}
	s := l.sweeps[id]
	if s.meets(h) {
		l.append(&rec.list, h)
	}
	return s != nil || rec.stale()
}

// lose notes that id waits on one path less because it removed the watch.
func (r *roster) lose(id ID, t tableID) {
	l := r.lane(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	rec := l.record(id)
	rec.pairs[t]--
	if t == dataTable && rec.pairs[t] == 0 {
		l.know(id, false)
	}
}

// usedUp notes that id waits on one path less because of an event. The caller
// keeps everybody else out.
func (r *roster) usedUp(id ID, t tableID) { r.lane(id).record(id).pairs[t]-- }

// append adds h to a list of this lane.
func (l *lane) append(to *list, h handle) {
	if to.n > 0 && to.n <= 8 && l.holds(to, h) {
		return // a stale handle came true again
	}
	to.n++
	switch to.n {
	case 1:
		to.head = uint32(h)
		return
	case 2:
		first := to.head
		w := l.push(to, 0, minListBlock)
		w[1]++
		w[2] = first
	}
	w := l.arena.words(ref(to.head), 2)
	size, n := int(w[1]>>16), int(w[1]&countMask)
	if 2+n == size {
		w = l.push(to, ref(to.head), min(2*size, maxListBlock))
		size, n = int(w[1]>>16), 0
	}
	w = l.arena.words(ref(to.head), size)
	w[2+n] = uint32(h)
	w[1]++
}

// push puts a new block before next.
func (l *lane) push(to *list, next ref, size int) []uint32 {
	b := l.arena.alloc(size)
	to.head = uint32(b)
	w := l.arena.words(b, size)
	w[0], w[1] = uint32(next), uint32(size)<<16
	return w
}

// holds tells whether h is in the list.
func (l *lane) holds(in *list, h handle) bool {
	switch in.n {
	case 0:
		return false
	case 1:
		return in.head == uint32(h)
	}
	for b := ref(in.head); b != 0; {
		w := l.arena.words(b, 2)
		n := int(w[1] & countMask)
		if slices.Contains(l.arena.words(b, 2+n)[2:], uint32(h)) {
			return true
		}
		b = ref(w[0])
	}
	return false
}

// take moves handles from a list to hs, block by block, as many as hs has room
// for: of a block at least. All blocks but the youngest are full, so that the list
// never has one handle left in a block.
func (l *lane) take(from *list, hs []handle) []handle {
	if from.n == 1 {
		from.n = 0
		return append(hs, handle(from.head))
	}
	for from.n > 0 {
		b := ref(from.head)
		w := l.arena.words(b, 2)
		next, size, n := w[0], int(w[1]>>16), int(w[1]&countMask)
		if len(hs)+n > cap(hs) {
			break
		}
		for _, h := range l.arena.words(b, size)[2 : 2+n] {
			hs = append(hs, handle(h))
		}
		l.arena.release(b, size)
		from.head = next
		from.n -= uint32(n)
	}
	return hs
}

// take takes handles of id, as many as hs has room for. There are none left if it
// gives none.
func (r *roster) take(id ID, hs []handle) []handle {
	l := r.lane(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sweeps[id]; s != nil && s.rest.n > 0 {
		return l.take(&s.rest, hs)
	}
	return l.take(&l.record(id).list, hs)
}

// leave forgets all of id, whose handles have been taken.
func (r *roster) leave(id ID) {
	l := r.lane(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.know(id, false)
	delete(l.sweeps, id)
	*l.record(id) = record{}
}
