package balance

import (
	"cmp"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Target is an endpoint and what is known of it.
type Target struct {
	Endpoint
	b *Balancer
	*state
}

// state is what stays with an endpoint's ID.
type state struct {
	inFlight atomic.Int64
	latency  latency
	ejected  atomic.Bool

	// Under the balancer's lock:
	since     time.Time // when it came, or came back
	ejections int       // how often it was ejected, less the sweeps it has passed since
	until     time.Time // when an ejection ends
	window
}

// window is what calls have led to lately.
type window struct {
	good, bad      atomic.Int64 // since the last sweep
	failuresInARow atomic.Int64
	ejectedLately  bool // since the last sweep; under the balancer's lock
}

// InFlight is how many calls are under way.
func (t *Target) InFlight() int { return int(t.inFlight.Load()) }

// BaseWeight is the weight that the endpoint was given, at least 1.
func (t *Target) BaseWeight() float64 { return float64(max(t.Endpoint.Weight, 1)) }

// Weight is the weight at present: less than the base while it starts slowly.
func (t *Target) Weight() float64 {
	if t.b.slow.Window == 0 {
		return t.BaseWeight()
	}
	return t.BaseWeight() * t.b.slow.factor(t.b.now().Sub(t.since))
}

// SlowStart lets the share of a new endpoint, or of one that comes back from an
// ejection, grow over a window: it is the part (age/Window)^(1/Aggression) of its
// weight, at least Least. Hash policies pay no heed to it.
type SlowStart struct {
	Window time.Duration
	// Aggression over 1 lets the share grow faster at the beginning. Default: 1.
	Aggression float64
	// Least is the share at the very beginning. Default: 0.1.
	Least float64
}

// WithSlowStart lets new endpoints start slowly. Default: they get their share at
// once.
func WithSlowStart(s SlowStart) Option {
	s.Aggression = cmp.Or(s.Aggression, 1)
	s.Least = cmp.Or(s.Least, 0.1)
	return func(b *Balancer) { b.slow = s }
}

func (s *SlowStart) factor(age time.Duration) float64 {
	if age >= s.Window {
		return 1
	}
	return max(s.Least, math.Pow(float64(age)/float64(s.Window), 1/s.Aggression))
}

// latency is a moving mean of latencies that follows a peak at once and forgets
// it slowly.
type latency struct {
	mu   sync.Mutex
	mean float64 // nanoseconds
	at   time.Time
}

// forget is the time in which a peak shrinks to a part of 1/e.
const forget = 10 * time.Second

// unproven is the latency of a target that has failed and never answered.
const unproven = time.Second

// observe adds a latency. One of a failure counts only if it is a peak, and at
// least as unproven if nothing else is known: failing fast must not attract calls.
func (l *latency) observe(now time.Time, took time.Duration, failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := float64(took)
	if failed && l.mean == 0 {
		seen = max(seen, float64(unproven))
	}
	switch {
	case seen > l.mean:
		l.mean = seen
	case !failed:
		part := math.Exp(-float64(now.Sub(l.at)) / float64(forget))
		l.mean = l.mean*part + seen*(1-part)
	}
	l.at = now
}

// now is the mean, which shrinks while nothing is observed.
func (l *latency) now(now time.Time) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mean * math.Exp(-float64(now.Sub(l.at))/float64(forget))
}
