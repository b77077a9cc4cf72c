package request

import (
	"sync"

	"github.com/quollhq/quoll/internal/arena"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

// flight is what waits for the ensemble. Its lock is taken after the tree's and
// before an outbox's.
type flight struct {
	mu     sync.Mutex
	role   atomicRole         // changed under mu
	number uint64             // of the role: one more with each change
	led    fifo[item]         // proposed by this leader, by zxid
	local  map[int64]*waiters // of this learner's clients, by session
	spare  []*waiters         // are empty, to be used again
	bytes  int                // of the bodies in local
	going  []Forwarded        // what is to be forwarded; the bodies are of who waits for that
	asked  *moment            // is being confirmed, nil if none is
	next   *moment            // waits until then
	token  uint64             // of asked
	renews map[int64][]chan bool

	changed  chan struct{} // closed when the role changes, or nothing is held any more
	holds    int           // how many have asked that this leader decide nothing new
	config   bool          // one of them for a configuration under way
	withheld []func()      // questions of learners that wait for that
}

// waiters are the writes of one session, in order.
type waiters struct {
	fifo[waiting]
	taken int    // so many of them, from the head on, are being answered
	buf   []byte // the youngest bodies; used again once nothing waits
}

// keep copies a body.
func (w *waiters) keep(body []byte) []byte {
	const least = 512
	return keepIn(&w.buf, body, max(least, min(2*cap(w.buf), usualBodies)))
}

// waiting is a write that was forwarded, with what is needed to do that again.
type waiting struct {
	item
	body []byte
	lost bool // it cannot be forwarded again: there was no room for its body
}

// fifo is a queue.
type fifo[T any] struct {
	items []T
	first int
}

func (f *fifo[T]) len() int { return len(f.items) - f.first }

func (f *fifo[T]) head() *T { return &f.items[f.first] }

// at is the one behind i others.
func (f *fifo[T]) at(i int) *T { return &f.items[f.first+i] }

// push adds items at the end.
func (f *fifo[T]) push(items ...T) {
	f.compact()
	f.items = append(f.items, items...)
}

// add adds an empty item at the end, for the caller to fill before anything else is added.
func (f *fifo[T]) add() *T {
	var none T
	f.compact()
	f.items = append(f.items, none)
	return &f.items[len(f.items)-1]
}

// compact uses the room of those that have gone, if that is the greater part.
func (f *fifo[T]) compact() {
	if f.first > len(f.items)/2 {
		n := copy(f.items, f.items[f.first:])
		clear(f.items[n:])
		f.items, f.first = f.items[:n], 0
	}
}

// drop takes the head away.
func (f *fifo[T]) drop() {
	var none T
	f.items[f.first] = none
	if f.first++; f.first == len(f.items) {
		f.items, f.first = f.items[:0], 0
	}
}

// forget forgets the writes that wait. The lock is held.
func (f *flight) forget() {
	f.led, f.local, f.bytes = fifo[item]{}, make(map[int64]*waiters), 0
}

// turn changes the role, and keeps the writes that wait. The lock is held.
func (f *flight) turn(r role) {
	f.role.Store(r)
	f.number++
	f.forgetMoments()
	for _, waiting := range f.renews {
		for _, c := range waiting {
			close(c)
		}
	}
	f.renews = make(map[int64][]chan bool)
	f.holds, f.config, f.withheld = 0, false, nil
	clear(f.going) // it waits in local, too, and is not for another leader as it stands
	f.going = f.going[:0]
	f.tell()
}

// tell lets those look again who wait for the role to change. The lock is held.
func (f *flight) tell() {
	if f.changed != nil {
		close(f.changed)
	}
	f.changed = make(chan struct{})
}

// flown is the write that a transaction is the outcome of, and what follows from that.
type flown struct {
	item
	ours  bool     // it came in here
	from  *waiters // it waits there, until leave
	stuck []item   // the next writes of its session, which were not forwarded
}

// take finds the writes that transactions are the outcomes of, one for each of the list.
// What has no whole header is nobody's. Writes of a learner's clients go on waiting until
// leave: whatever their session writes meanwhile is not answered before them.
func (f *flight) take(list []flown, entry func(i int) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var h txn.Header
	for i := range list {
		list[i] = flown{}
		if data := entry(i); len(data) >= txn.HeaderLen {
			h.Read(data)
			f.one(&list[i], &h)
		}
	}
}

// one is take for one transaction. The lock is held.
func (f *flight) one(x *flown, h *txn.Header) {
	if f.led.len() > 0 && f.led.head().zxid == h.Zxid {
		x.item, x.ours = *f.led.head(), true
		f.led.drop()
		return
	}
	w := f.local[h.ClientID]
	if w == nil || w.taken == w.len() || w.at(w.taken).xid != h.Cxid {
		return
	}
	x.item, x.ours, x.from = w.at(w.taken).item, true, w
	w.taken++
	if x.client != nil {
		x.stuck = w.takeStuck(nil)
	}
}

// takeStuck appends the next writes that were not forwarded, and takes them.
func (w *waiters) takeStuck(list []item) []item {
	for ; w.taken < w.len() && w.at(w.taken).code != proto.OK; w.taken++ {
		list = append(list, w.at(w.taken).item)
	}
	return list
}

// refuser answers writes that were not forwarded.
type refuser interface {
	refused(list []item)
	handOver() // has the answers in the outboxes
}

// leave forgets what was taken, and has been answered. Writes that were not forwarded, came
// meanwhile, and are next, are answered now: with the lock held, so that none comes before them.
func (f *flight) leave(list []flown, by refuser) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range list {
		w := list[i].from
		if w == nil || w.taken == 0 {
			continue
		}
		id := list[i].session.ID()
		if f.local[id] != w {
			continue // the role has changed, and nothing waits any more
		}
		by.refused(w.takeStuck(nil))
		for ; w.taken > 0; w.taken-- {
			f.bytes -= len(w.head().body)
			w.drop()
		}
		if w.len() == 0 {
			f.empty(id, w)
		}
	}
	by.handOver()
}

// waiters are those of a session, none at first. The lock is held.
func (f *flight) waiters(session int64) *waiters {
	w := f.local[session]
	if w != nil {
		return w
	}
	if n := len(f.spare); n > 0 {
		w, f.spare[n-1] = f.spare[n-1], nil
		f.spare = f.spare[:n-1]
	} else {
		w = new(waiters)
	}
	f.local[session] = w
	return w
}

// empty forgets a session of which no write waits. The lock is held.
func (f *flight) empty(session int64, w *waiters) {
	const spareMost, itemsMost = 64, 128
	delete(f.local, session)
	if len(f.spare) < spareMost && cap(w.items) <= itemsMost && cap(w.buf) <= usualBodies {
		arena.Spoil(w.buf)
		w.buf = w.buf[:0]
		f.spare = append(f.spare, w)
	}
}
