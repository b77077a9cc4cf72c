package request

import (
	"container/heap"
	"testing"
	"time"
)

// paceSim plays clients that write again some time after they are answered, members
// that take a fixed time for a batch, and the queue's calls of pace.
type paceSim struct {
	p      pace
	flight time.Duration
	think  func(client int) time.Duration
	depth  int // requests that a client sends at once

	now     time.Duration
	events  simEvents
	waiting []int // clients of the writes in the queue
	last    map[int]uint32
	batch   uint32
	batches int
	writes  int
	expiry  time.Duration // 0: none
}

type simEvent struct {
	at     time.Duration
	client int   // who writes
	land   []int // or a batch that is committed
}

type simEvents []simEvent

func (e simEvents) Len() int           { return len(e) }
func (e simEvents) Less(i, j int) bool { return e[i].at < e[j].at }
func (e simEvents) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *simEvents) Push(x any)        { *e = append(*e, x.(simEvent)) }
func (e *simEvents) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// run plays so long, and gives the writes of an average batch of the second half.
func (s *paceSim) run(clients int, length time.Duration) float64 {
	s.last, s.batch = make(map[int]uint32), paceWindow+1
	for c := range clients {
		heap.Push(&s.events, simEvent{at: time.Duration(c) * 7 * time.Microsecond, client: c})
	}
	for s.now < length && len(s.events) > 0 {
		if s.expiry > 0 && s.expiry <= s.events[0].at {
			s.now, s.expiry = s.expiry, 0
			s.p.expire()
			s.begin()
			continue
		}
		e := heap.Pop(&s.events).(simEvent)
		s.now = e.at
		if e.land != nil {
			s.landed(e.land)
		} else {
			for range s.depth {
				s.waiting = append(s.waiting, e.client)
			}
		}
		s.begin()
		if s.now < length/2 {
			s.batches, s.writes = 0, 0
		}
	}
	return float64(s.writes) / float64(s.batches)
}

func (s *paceSim) landed(clients []int) {
	if wait := s.p.land(len(clients), s.now); wait > 0 {
		s.expiry = s.now + wait
	}
	for i, c := range clients {
		if i == 0 || clients[i-1] != c {
			heap.Push(&s.events, simEvent{at: s.now + s.think(c), client: c})
		}
	}
}

func (s *paceSim) begin() {
	if len(s.waiting) == 0 || !s.p.ripe(len(s.waiting)) {
		return
	}
	if s.p.take() {
		s.expiry = 0
	}
	b := &batch{items: make([]item, len(s.waiting))}
	for _, c := range s.waiting {
		if s.last[c] != s.batch {
			b.join(s.batch - s.last[c])
			s.last[c] = s.batch
		}
	}
	s.p.fly(b, s.now)
	s.batch++
	s.batches++
	s.writes += len(s.waiting)
	heap.Push(&s.events, simEvent{at: s.now + s.flight, land: s.waiting})
	s.waiting = nil
}

func TestPace(t *testing.T) {
	soon := func(c int) time.Duration { return time.Duration(100+10*c) * time.Microsecond }
	for name, tc := range map[string]struct {
		clients, depth int
		think          func(c int) time.Duration
		least, most    float64 // writes of a batch
	}{
		"one client":                                   {1, 1, soon, 1, 1},
		"few clients share their syncs":                {20, 1, soon, 19, 20},
		"many take turns":                              {paceClients + 10, 1, soon, 15, 60},
		"deep ones take turns":                         {20, 10, soon, 50, 150},
		"nobody waits for clients that come back late": {20, 1, func(int) time.Duration { return 5 * time.Millisecond }, 1, 5},
		"nor for two that do": {20, 1, func(c int) time.Duration {
			if c < 2 {
				return 20 * time.Millisecond
			}
			return soon(c)
		}, 15, 20},
	} {
		t.Run(name, func(t *testing.T) {
			s := &paceSim{flight: 400 * time.Microsecond, think: tc.think, depth: tc.depth}
			got := s.run(tc.clients, time.Second)
			if got < tc.least || got > tc.most {
				t.Errorf("a batch has %.1f writes, want %.0f to %.0f", got, tc.least, tc.most)
			}
			if s.batches < 10 {
				t.Errorf("only %d batches: it stands still", s.batches)
			}
		})
	}
}

// TestPaceGivesUp lets the clients of every batch stay away: it waits for them less and less.
func TestPaceGivesUp(t *testing.T) {
	var p pace
	now, waits := time.Duration(0), 0
	const batches = 2000
	for range batches {
		p.fly(&batch{items: make([]item, 10), clients: 10, stayed: 10, again: 10}, now)
		now += 400 * time.Microsecond
		wait := p.land(10, now)
		if wait < 0 || wait > mostWait {
			t.Fatalf("waits for %v", wait)
		}
		if wait == 0 {
			continue
		}
		waits++
		if p.ripe(5) {
			t.Fatal("does not wait")
		}
		p.expire()
		if !p.ripe(5) {
			t.Fatal("waits for ever")
		}
	}
	if waits == 0 || waits > batches/50 {
		t.Errorf("%d of %d batches have waited", waits, batches)
	}
}
