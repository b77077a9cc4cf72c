package bench

import (
	"math"
	"math/rand/v2"
)

// schedule says when the operations of one lane are due in an open loop:
// the run's rate is dealt out to the lanes in turn. Whoever sends late does
// not move what is due later, and latency counts from when an operation was
// due; so a server that stalls cannot hide it by not being asked.
type schedule struct {
	start  float64
	period float64 // nanoseconds between two operations of this lane
	n      float64 // operations so far
	jitter *rand.PCG
	next   int64
}

// newSchedule is the schedule of lane out of lanes for rate operations per
// second in all. With a jitter source, arrivals are a Poisson process.
func newSchedule(start int64, rate float64, lane, lanes int, jitter *rand.PCG) *schedule {
	all := 1e9 / rate
	s := &schedule{start: float64(start) + all*float64(lane), period: all * float64(lanes), jitter: jitter}
	if jitter != nil {
		s.start = float64(start)
		s.advance()
		return s
	}
	s.next = int64(s.start)
	return s
}

// due is when the next operation is to be sent, in nanoseconds of the run's clock.
func (s *schedule) due() int64 { return s.next }

// advance moves on to the operation after the next one.
func (s *schedule) advance() {
	if s.jitter == nil {
		s.n++
		s.next = int64(s.start + s.n*s.period)
		return
	}
	u := (float64(s.jitter.Uint64()>>11) + 1) / (1 << 53) // (0, 1]
	s.start -= math.Log(u) * s.period
	s.next = int64(s.start)
}
