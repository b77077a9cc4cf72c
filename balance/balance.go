package balance

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// ErrNone is what Pick fails with when there is no endpoint.
var ErrNone = errors.New("no endpoint to call")

// Endpoint is one of those who can be called.
type Endpoint struct {
	// ID tells it from the others; where it is hashed, it is by its ID.
	ID string
	// Address is where to call it.
	Address string
	// Weight is its share of the calls compared with the others'. 0 counts as 1.
	Weight int
	// Zone is where it runs.
	Zone string
}

// Policy chooses a target. It belongs to one Balancer, which calls Update while
// nobody picks.
type Policy interface {
	// Update replaces what is chosen from.
	Update(set Set)
	// Pick chooses, by a key if the policy has a use for one; nil if there is
	// none. It is called concurrently.
	Pick(key string) *Target
}

// Set is what a policy chooses from.
type Set struct {
	// Up are those to be called, sorted by ID. They are among All.
	Up []*Target
	// All are those and the ones that are ejected, sorted by ID.
	All []*Target
	// Rand draws random numbers. It is safe for concurrent use.
	Rand Rand
}

// Rand draws random numbers.
type Rand func() uint64

// Float draws from [0, 1).
func (r Rand) Float() float64 { return float64(r()>>11) / (1 << 53) }

// N draws from 0 to n-1. The bias is below 2^-32 for any n that fits in memory.
func (r Rand) N(n int) int { return int(r() >> 1 % uint64(n)) }

// Balancer picks endpoints. It is safe for concurrent use and has no goroutines.
type Balancer struct {
	policy  Policy
	rand    Rand
	now     func() time.Time
	slow    SlowStart
	outlier Outlier

	mu      sync.RWMutex // excludes picks from updates
	all     []*Target
	up      int // how many of them are not ejected
	panics  bool
	sweepAt time.Time
}

// Option changes how a Balancer works.
type Option func(*Balancer)

// WithRand draws random numbers from a source. Default: one seeded at random.
func WithRand(src rand.Source) Option {
	var mu sync.Mutex
	return func(b *Balancer) {
		b.rand = func() uint64 {
			mu.Lock()
			defer mu.Unlock()
			return src.Uint64()
		}
	}
}

// WithClock tells the time. Default: time.Now.
func WithClock(now func() time.Time) Option { return func(b *Balancer) { b.now = now } }

// New makes a Balancer without endpoints.
func New(policy Policy, opts ...Option) *Balancer {
	b := &Balancer{policy: policy, rand: rand.Uint64, now: time.Now}
	for _, opt := range opts {
		opt(b)
	}
	b.sweepAt = b.now().Add(b.outlier.Interval)
	b.rebuild()
	return b
}

// Update replaces the endpoints. What is known of one stays with its ID. Of two
// with the same ID the last one counts.
func (b *Balancer) Update(endpoints []Endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	have := make(map[string]*Target, len(b.all))
	for _, t := range b.all {
		have[t.ID] = t
	}
	next := make(map[string]*Target, len(endpoints))
	for _, e := range endpoints {
		t := &Target{Endpoint: e, b: b, state: &state{since: now}}
		if old := have[e.ID]; old != nil {
			t.state = old.state // a call under way counts for the endpoint as it is now
		}
		next[e.ID] = t
	}
	b.all = b.all[:0:0]
	for _, t := range next {
		b.all = append(b.all, t)
	}
	slices.SortFunc(b.all, func(a, b *Target) int { return cmp.Compare(a.ID, b.ID) })
	b.rebuild()
}

// rebuild tells the policy who is to be called. b.mu is held.
func (b *Balancer) rebuild() {
	up := slices.DeleteFunc(slices.Clone(b.all), func(t *Target) bool { return t.ejected.Load() })
	b.up = len(up)
	b.panics = b.outlier.on() && float64(len(up)) < b.outlier.PanicThreshold*float64(len(b.all))
	if b.panics || len(up) == 0 {
		up = b.all
	}
	b.policy.Update(Set{Up: up, All: b.all, Rand: b.rand})
}

// Pick is a call to an endpoint that was picked.
type Pick struct {
	Endpoint
	t     *Target
	began time.Time
	done  sync.Once
}

// tries bounds how often a policy is asked to choose another endpoint than
// those tried before.
const tries = 4

// Pick picks an endpoint for a call. The key is what hash policies go by. One
// whose ID is among tried is picked only if there is no other. Done must be
// called on the result.
func (b *Balancer) Pick(key string, tried ...string) (*Pick, error) {
	now := b.now()
	b.sweep(now)
	b.mu.RLock()
	defer b.mu.RUnlock()
	t := b.choose(key, tried)
	if t == nil {
		return nil, ErrNone
	}
	t.inFlight.Add(1)
	return &Pick{Endpoint: t.Endpoint, t: t, began: now}, nil
}

func (b *Balancer) choose(key string, tried []string) *Target {
	t := b.policy.Pick(key)
	for i := 1; i < tries && t != nil && slices.Contains(tried, t.ID); i++ {
		t = b.policy.Pick(key)
	}
	if t == nil || !slices.Contains(tried, t.ID) {
		return t
	}
	var others []*Target
	for _, other := range b.all {
		if !slices.Contains(tried, other.ID) && (b.panics || !other.ejected.Load()) {
			others = append(others, other)
		}
	}
	if len(others) == 0 {
		return t
	}
	return others[b.rand.N(len(others))]
}

// Done ends the call. An error counts against the endpoint. Calls of Done after
// the first do nothing.
func (p *Pick) Done(err error) {
	p.done.Do(func() {
		b, now := p.t.b, p.t.b.now()
		p.t.inFlight.Add(-1)
		p.t.latency.observe(now, now.Sub(p.began), err != nil)
		if b.outlier.on() {
			b.result(p.t, now, err)
		}
	})
}

// Status is what is known of an endpoint.
type Status struct {
	Endpoint
	InFlight int
	Ejected  bool
}

// Status lists the endpoints, sorted by ID.
func (b *Balancer) Status() []Status {
	b.mu.RLock()
	defer b.mu.RUnlock()
	list := make([]Status, len(b.all))
	for i, t := range b.all {
		list[i] = Status{t.Endpoint, t.InFlight(), t.ejected.Load()}
	}
	return list
}
