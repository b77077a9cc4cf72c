package throttle

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"
)

// RequestOptions bound how many requests are worked on at a time.
type RequestOptions struct {
	Max   int   // requests; 0: no bound
	Stall int64 // ms after which one that waits is looked at again; at least 1

	// DropStale drops requests that are stale when their turn comes, and with
	// them their connection: a request is stale when its connection is closed
	// (StaleConnection) or when it has waited for longer than its session's
	// time-out (StaleLatency).
	DropStale, StaleConnection, StaleLatency bool

	// OpWait refuses requests that had to wait for longer, in ms; 0: none.
	OpWait int64
}

// Clock is the time. A real one reads the monotonic clock and makes timers.
type Clock interface {
	Now() int64                      // ms
	After(ms int64) <-chan time.Time // a channel that is ready after so long
}

// Waiting describes requests of one connection that want to be worked on.
type Waiting struct {
	N        int             // requests
	Received int64           // when they came in, ms
	Timeout  int32           // of their session, ms
	Closed   <-chan struct{} // closed with their connection
	// Exempt is for pings and for the creation and closing of sessions, which
	// are never refused. A closing is never stale, either: it cleans up.
	Exempt, CloseSession bool
}

// Verdict is what becomes of requests.
type Verdict int

// The verdicts.
const (
	Run    Verdict = iota // work on them, then call Leave
	Refuse                // answer ThrottledOp without working on them, then call Leave
	Drop                  // they are stale, or the server stops: close the connection
)

// Requests lets requests in, in the order in which they ask.
type Requests struct {
	o     RequestOptions
	clock Clock

	// Counters: how often one had to wait, how many requests were stale and let
	// in, or stale and dropped, and how many were refused.
	Waits, Stale, Dropped, Refused atomic.Int64

	done chan struct{} // closed by Close
	end  sync.Once

	mu      sync.Mutex
	inside  int
	waiting list.List // of *ticket
}

// ticket is a place in the queue.
type ticket struct {
	n     int
	ready chan int // receives how many requests are let in
}

// NewRequests returns a throttle with nothing inside.
func NewRequests(o RequestOptions, clock Clock) *Requests {
	o.Stall = max(o.Stall, 1)
	return &Requests{o: o, clock: clock, done: make(chan struct{})}
}

// Off tells that Enter lets everything in at once, without a look at the clock.
func (r *Requests) Off() bool { return r.o.Max == 0 && r.o.OpWait == 0 }

// Enter waits until some of the requests may be worked on. It gives how many
// the verdict is for, at least one; for the rest Enter has to be called again.
func (r *Requests) Enter(w Waiting) (int, Verdict) {
	if r.Off() {
		return w.N, Run
	}
	n := w.N
	if r.o.Max > 0 {
		if n = r.queue(&w); n == 0 {
			r.Dropped.Add(int64(w.N))
			return w.N, Drop
		}
	}
	if r.stale(&w) {
		r.Stale.Add(int64(n))
	}
	if r.o.OpWait > 0 && !w.Exempt && r.clock.Now()-w.Received > r.o.OpWait {
		r.Refused.Add(int64(n))
		return n, Refuse
	}
	return n, Run
}

// queue waits for a place and gives how many requests have one, 0 if they were
// stale.
func (r *Requests) queue(w *Waiting) int {
	if r.dropped(w) {
		return 0
	}
	r.mu.Lock()
	if room := r.o.Max - r.inside; room > 0 && r.waiting.Len() == 0 {
		n := min(w.N, room)
		r.inside += n
		r.mu.Unlock()
		return n
	}
	t := &ticket{n: w.N, ready: make(chan int, 1)}
	place := r.waiting.PushBack(t)
	r.mu.Unlock()
	r.Waits.Add(1)
	for {
		select {
		case n := <-t.ready:
			if r.dropped(w) {
				r.Leave(n)
				return 0
			}
			return n
		case <-r.closed(w):
		case <-r.done:
		case <-r.clock.After(r.o.Stall):
		}
		if r.dropped(w) && r.giveUp(place, t) {
			return 0
		}
	}
}

// closed is ready when the connection is, if that makes requests stale.
func (r *Requests) closed(w *Waiting) <-chan struct{} {
	if r.o.DropStale && r.o.StaleConnection && !w.CloseSession {
		return w.Closed
	}
	return nil
}

// giveUp leaves the queue. It is false when there is a place by now.
func (r *Requests) giveUp(place *list.Element, t *ticket) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(t.ready) > 0 {
		return false
	}
	r.waiting.Remove(place)
	return true
}

// Leave says that n requests are answered.
func (r *Requests) Leave(n int) {
	if r.o.Max == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside -= n
	for room := r.o.Max - r.inside; room > 0 && r.waiting.Len() > 0; room = r.o.Max - r.inside {
		t := r.waiting.Remove(r.waiting.Front()).(*ticket)
		k := min(t.n, room)
		r.inside += k
		t.ready <- k
	}
}

// Close drops everything that waits, and whatever comes after.
func (r *Requests) Close() { r.end.Do(func() { close(r.done) }) }

func (r *Requests) dropped(w *Waiting) bool {
	select {
	case <-r.done:
		return true
	default:
		return r.o.DropStale && r.stale(w)
	}
}

func (r *Requests) stale(w *Waiting) bool {
	if w.CloseSession {
		return false
	}
	if r.o.StaleConnection {
		select {
		case <-w.Closed:
			return true
		default:
		}
	}
	return r.o.StaleLatency && r.clock.Now()-w.Received > int64(w.Timeout)
}

// Inside is how many requests are being worked on.
func (r *Requests) Inside() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inside
}

// Queued is how many calls of Enter wait.
func (r *Requests) Queued() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting.Len()
}
