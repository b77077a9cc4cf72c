package request

import (
	"sync"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
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
type waiters = fifo[waiting]

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

func (f *fifo[T]) push(items ...T) {
	if f.first > len(f.items)/2 {
		n := copy(f.items, f.items[f.first:])
		clear(f.items[n:])
		f.items, f.first = f.items[:n], 0
	}
	f.items = append(f.items, items...)
}

func (f *fifo[T]) pop() T {
	var none T
	t := f.items[f.first]
	f.items[f.first] = none
	if f.first++; f.first == len(f.items) {
		f.items, f.first = f.items[:0], 0
	}
	return t
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

// take is the write that a transaction is the outcome of, if it came in here.
func (f *flight) take(h *txn.Header) (it item, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.led.len() > 0 && f.led.head().zxid == h.Zxid {
		return f.led.pop(), true
	}
	w := f.local[h.ClientID]
	if w == nil || w.head().xid != h.Cxid {
		return it, false
	}
	return f.pop(h.ClientID, w).item, true
}

// pop is the first write of a session that waits. The lock is held.
func (f *flight) pop(session int64, w *waiters) waiting {
	x := w.pop()
	f.bytes -= len(x.body)
	if w.len() == 0 {
		f.empty(session, w)
	}
	return x
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
	if len(f.spare) < spareMost && cap(w.items) <= itemsMost {
		f.spare = append(f.spare, w)
	}
}

// stuck are the writes of a session that were not forwarded and are next.
func (f *flight) stuck(s *session.Session) (list []item) {
	if s == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.local[s.ID()]
	for w != nil && w.len() > 0 && w.head().code != proto.OK {
		list = append(list, f.pop(s.ID(), w).item)
	}
	return list
}
