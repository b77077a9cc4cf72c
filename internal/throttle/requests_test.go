package throttle

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// bubbleClock is the time of a synctest bubble.
type bubbleClock struct{ start time.Time }

func (c bubbleClock) Now() int64 { return time.Since(c.start).Milliseconds() }
func (c bubbleClock) After(ms int64) <-chan time.Time {
	return time.After(time.Duration(ms) * time.Millisecond)
}

func newRequests(o RequestOptions) *Requests {
	return NewRequests(o, bubbleClock{time.Now().Add(-time.Second)})
}

// enter waits for a place in the background.
func enter(r *Requests, w Waiting) <-chan Verdict {
	c := make(chan Verdict, 1)
	go func() {
		_, v := r.Enter(w)
		c <- v
	}()
	synctest.Wait()
	return c
}

func verdict(t *testing.T, c <-chan Verdict, want Verdict) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-c:
		if got != want {
			t.Fatalf("verdict %d, want %d", got, want)
		}
	default:
		t.Fatalf("no verdict, want %d", want)
	}
}

func waits(t *testing.T, c <-chan Verdict) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-c:
		t.Fatalf("verdict %d, want none yet", got)
	default:
	}
}

func TestRequestsEnterInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRequests(RequestOptions{Max: 3, Stall: 100})
		if n, v := r.Enter(Waiting{N: 5}); n != 3 || v != Run {
			t.Fatalf("let in %d with verdict %d", n, v)
		}
		first := enter(r, Waiting{N: 2})
		second := enter(r, Waiting{N: 1})
		if r.Queued() != 2 || r.Waits.Load() != 2 {
			t.Fatalf("%d wait, %d waited", r.Queued(), r.Waits.Load())
		}
		time.Sleep(time.Second) // of the bubble: stalls pass
		waits(t, first)
		r.Leave(2)
		verdict(t, first, Run)
		waits(t, second)
		r.Leave(1)
		verdict(t, second, Run)
		r.Leave(3)
		if r.Inside() != 0 || r.Queued() != 0 {
			t.Fatalf("%d inside, %d queued", r.Inside(), r.Queued())
		}
	})
}

func TestStaleRequestsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRequests(RequestOptions{Max: 1, Stall: 50, DropStale: true, StaleConnection: true, StaleLatency: true})
		r.Enter(Waiting{N: 1, Received: r.clock.Now(), Timeout: 1000})
		closed := make(chan struct{})
		gone := enter(r, Waiting{N: 1, Received: r.clock.Now(), Timeout: 10_000, Closed: closed})
		ending := enter(r, Waiting{N: 1, Received: r.clock.Now(), Timeout: 10, Closed: closed, CloseSession: true})
		late := enter(r, Waiting{N: 1, Received: r.clock.Now(), Timeout: 220})
		close(closed)
		verdict(t, gone, Drop)
		time.Sleep(220 * time.Millisecond)
		waits(t, late)
		time.Sleep(50 * time.Millisecond) // a stall later, at most
		verdict(t, late, Drop)
		waits(t, ending)
		r.Leave(1)
		verdict(t, ending, Run)
		r.Leave(1)
		if _, v := r.Enter(Waiting{N: 1, Received: r.clock.Now(), Timeout: 1, Closed: closed}); v != Drop {
			t.Errorf("verdict %d for a connection that is closed", v)
		}
		if r.Dropped.Load() != 3 || r.Inside() != 0 {
			t.Errorf("%d dropped, %d inside", r.Dropped.Load(), r.Inside())
		}
	})
}

func TestStaleRequestsRunUnlessDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRequests(RequestOptions{Max: 1, StaleConnection: true})
		closed := make(chan struct{})
		close(closed)
		if _, v := r.Enter(Waiting{N: 1, Closed: closed}); v != Run || r.Stale.Load() != 1 {
			t.Errorf("verdict %d, %d stale", v, r.Stale.Load())
		}
	})
}

func TestRequestsThatWaitedTooLongAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRequests(RequestOptions{Max: 1, OpWait: 100})
		r.Enter(Waiting{N: 1, Received: r.clock.Now()})
		slow := enter(r, Waiting{N: 1, Received: r.clock.Now()})
		ping := enter(r, Waiting{N: 1, Received: r.clock.Now(), Exempt: true})
		time.Sleep(101 * time.Millisecond)
		r.Leave(1)
		verdict(t, slow, Refuse)
		r.Leave(1)
		verdict(t, ping, Run)
		r.Leave(1)
		if r.Refused.Load() != 1 {
			t.Errorf("%d refused", r.Refused.Load())
		}
	})
}

func TestCloseDropsThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRequests(RequestOptions{Max: 1})
		r.Enter(Waiting{N: 1})
		c := enter(r, Waiting{N: 1})
		r.Close()
		verdict(t, c, Drop)
		if _, v := r.Enter(Waiting{N: 1}); v != Drop {
			t.Errorf("verdict %d after Close", v)
		}
	})
}

func TestRequestsThatAreOffCostNothing(t *testing.T) {
	r := NewRequests(RequestOptions{}, nil) // a clock would be missed
	if a := testing.AllocsPerRun(100, func() {
		if n, v := r.Enter(Waiting{N: 7}); n != 7 || v != Run {
			t.Errorf("let in %d with verdict %d", n, v)
		}
		r.Leave(7)
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

// TestNeverTooManyInside has many connections with batches of all sizes, some
// of which give up.
func TestNeverTooManyInside(t *testing.T) {
	const most = 5
	r := newRequests(RequestOptions{Max: most, Stall: 1, DropStale: true, StaleConnection: true})
	var inside, served atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			closed := make(chan struct{})
			for i := range 200 {
				left := 1 + (g+i)%9
				if g == 7 && i == 100 {
					close(closed)
				}
				for left > 0 {
					n, v := r.Enter(Waiting{N: left, Closed: closed})
					if v == Drop {
						return
					}
					if got := inside.Add(int64(n)); got > most || n < 1 || n > left {
						t.Errorf("%d inside, %d of %d let in", got, n, left)
					}
					served.Add(int64(n))
					inside.Add(-int64(n))
					r.Leave(n)
					left -= n
				}
			}
		})
	}
	wg.Wait()
	if r.Inside() != 0 || r.Queued() != 0 || served.Load() == 0 {
		t.Errorf("%d inside, %d queued, %d served", r.Inside(), r.Queued(), served.Load())
	}
}
