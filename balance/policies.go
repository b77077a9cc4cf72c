package balance

import (
	"math"
	"sync"
	"sync/atomic"
)

// set is the part that policies have in common.
type set struct{ Set }

func (s *set) Update(now Set) { s.Set = now }

// draw draws one of the targets, each as likely as its weight.
func (s *set) draw() *Target {
	if len(s.Up) == 0 {
		return nil
	}
	total, even := 0.0, true
	for _, t := range s.Up {
		w := t.Weight()
		even = even && w == 1
		total += w
	}
	if even {
		return s.Up[s.Rand.N(len(s.Up))]
	}
	at := s.Rand.Float() * total
	for _, t := range s.Up {
		if at -= t.Weight(); at < 0 {
			return t
		}
	}
	return s.Up[len(s.Up)-1] // by rounding
}

// RoundRobin takes one after the other, whatever their weights.
func RoundRobin() Policy { return new(roundRobin) }

type roundRobin struct {
	set
	next atomic.Uint64
}

func (p *roundRobin) Pick(string) *Target {
	if len(p.Up) == 0 {
		return nil
	}
	return p.Up[(p.next.Add(1)-1)%uint64(len(p.Up))]
}

// Weighted takes one after the other so that each has its share by weight, and
// those of a large share are spread evenly (smooth weighted round robin, as in
// nginx).
func Weighted() Policy { return &weighted{credit: make(map[string]float64)} }

type weighted struct {
	set
	mu     sync.Mutex
	credit map[string]float64 // by ID
}

func (p *weighted) Update(now Set) {
	p.Set = now
	credit := make(map[string]float64, len(now.Up))
	for _, t := range now.Up {
		credit[t.ID] = p.credit[t.ID]
	}
	p.credit = credit
}

func (p *weighted) Pick(string) *Target {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *Target
	total := 0.0
	for _, t := range p.Up {
		w := t.Weight()
		total += w
		p.credit[t.ID] += w
		if best == nil || p.credit[t.ID] > p.credit[best.ID] {
			best = t
		}
	}
	if best != nil {
		p.credit[best.ID] -= total
	}
	return best
}

// Random draws, each target as likely as its weight.
func Random() Policy { return new(random) }

type random struct{ set }

func (p *random) Pick(string) *Target { return p.draw() }

// Sticky draws one, as Random does, and stays with it until it is gone or
// ejected.
func Sticky() Policy { return new(sticky) }

type sticky struct {
	set
	mu sync.Mutex
	id string
	at *Target
}

func (p *sticky) Update(now Set) {
	p.Set, p.at = now, nil
	for _, t := range now.Up {
		if t.ID == p.id {
			p.at = t
		}
	}
}

func (p *sticky) Pick(string) *Target {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at == nil {
		if p.at = p.draw(); p.at != nil {
			p.id = p.at.ID
		}
	}
	return p.at
}

// LeastRequest draws some, as Random does, and takes the one with the fewest
// calls under way for its weight. Envoy draws two.
func LeastRequest(choices int) Policy {
	return &best{choices: max(choices, 1), cost: func(t *Target) float64 { return float64(t.InFlight()) / t.Weight() }}
}

// PeakEWMA draws two, as Random does, and takes the one whose latency, times the
// calls under way, is less: the latency is a moving mean that follows peaks at
// once. One that was not heard of is tried at once, but by one call at a time.
func PeakEWMA() Policy { return &best{choices: 2, cost: (*Target).loadByLatency} }

// unheard is the cost of a target that has a call under way and has not
// answered one: more than any latency.
const unheard = math.MaxFloat64 / 1e6

func (t *Target) loadByLatency() float64 {
	mean, calls := t.latency.now(t.b.now()), float64(t.InFlight())
	if mean == 0 && calls > 0 {
		return unheard * (calls + 1)
	}
	return mean * (calls + 1) / t.Weight()
}

// best takes the cheapest of some that it draws.
type best struct {
	set
	choices int
	cost    func(*Target) float64
}

func (p *best) Pick(string) *Target {
	first := p.draw()
	if first == nil {
		return nil
	}
	least := p.cost(first)
	for range p.choices - 1 {
		t := p.draw()
		if cost := p.cost(t); cost < least {
			first, least = t, cost
		}
	}
	return first
}
