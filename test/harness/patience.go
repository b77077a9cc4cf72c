package harness

import "time"

// Patience is how long something is waited for. A pause of the whole machine, in which what is waited for stood still, too,
// counts as one step.
type Patience struct {
	left, step time.Duration
	last       time.Time
}

// NewPatience begins to wait. Spent must be called at least once a step.
func NewPatience(total, step time.Duration) *Patience {
	return &Patience{left: total, step: step, last: time.Now()}
}

// Spent tells whether it has been long enough.
func (p *Patience) Spent() bool {
	now := time.Now()
	p.left -= min(now.Sub(p.last), p.step)
	p.last = now
	return p.left <= 0
}
