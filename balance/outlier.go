package balance

import (
	"cmp"
	"math"
	"time"
)

// Outlier says when endpoints that fail are ejected. Zero values stand for the
// defaults, which are Envoy's.
type Outlier struct {
	// ConsecutiveFailures ejects an endpoint at once. Default: 5.
	ConsecutiveFailures int
	// Interval is the time between looks at the rates. Default: 10 s.
	Interval time.Duration
	// BaseEjection, times the number of ejections, is how long an ejection lasts.
	// The number shrinks by one with each interval without one. Default: 30 s.
	BaseEjection time.Duration
	// MaxEjection bounds how long it lasts. Default: 300 s.
	MaxEjection time.Duration
	// MaxEjected bounds the part of the endpoints that is ejected; one may be
	// always. Default: 0.1.
	MaxEjected float64
	// StdevFactor ejects, at each interval, endpoints whose part of successes lies
	// below the mean by more than this many standard deviations. Default: 1.9.
	StdevFactor float64
	// MinHosts is how many endpoints must have MinRequests for that. Default: 5.
	MinHosts int
	// MinRequests is how many calls in an interval make an endpoint count.
	// Default: 100.
	MinRequests int
	// PanicThreshold calls all endpoints if fewer than this part are left.
	// Default: 0.5.
	PanicThreshold float64
}

// WithOutlier ejects endpoints that fail. Default: none is ejected.
func WithOutlier(o Outlier) Option {
	o.ConsecutiveFailures = cmp.Or(o.ConsecutiveFailures, 5)
	o.Interval = cmp.Or(o.Interval, 10*time.Second)
	o.BaseEjection = cmp.Or(o.BaseEjection, 30*time.Second)
	o.MaxEjection = cmp.Or(o.MaxEjection, 300*time.Second)
	o.MaxEjected = cmp.Or(o.MaxEjected, 0.1)
	o.StdevFactor = cmp.Or(o.StdevFactor, 1.9)
	o.MinHosts = cmp.Or(o.MinHosts, 5)
	o.MinRequests = cmp.Or(o.MinRequests, 100)
	o.PanicThreshold = cmp.Or(o.PanicThreshold, 0.5)
	return func(b *Balancer) { b.outlier = o }
}

func (o *Outlier) on() bool { return o.ConsecutiveFailures > 0 }

// result counts what a call led to.
func (b *Balancer) result(t *Target, now time.Time, err error) {
	if err == nil {
		t.good.Add(1)
		t.failuresInARow.Store(0)
		return
	}
	t.bad.Add(1)
	if t.failuresInARow.Add(1) < int64(b.outlier.ConsecutiveFailures) || t.ejected.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.eject(t, now) {
		b.rebuild()
	}
}

// eject ejects a target unless too many are. b.mu is held.
func (b *Balancer) eject(t *Target, now time.Time) bool {
	ejected := len(b.all) - b.up
	if t.ejected.Load() || ejected > 0 && float64(ejected+1) > b.outlier.MaxEjected*float64(len(b.all)) {
		return false
	}
	t.ejected.Store(true)
	t.ejections++
	t.ejectedLately = true
	t.failuresInARow.Store(0)
	t.until = now.Add(min(time.Duration(t.ejections)*b.outlier.BaseEjection, b.outlier.MaxEjection))
	b.up--
	return true
}

// sweep, once per interval, lets ejected targets come back and ejects those with
// a bad rate.
func (b *Balancer) sweep(now time.Time) {
	if !b.outlier.on() {
		return
	}
	b.mu.RLock()
	due := !now.Before(b.sweepAt)
	b.mu.RUnlock()
	if !due {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.sweepAt) {
		return
	}
	b.sweepAt = now.Add(b.outlier.Interval)
	b.comeBack(now)
	for _, t := range b.badRates() {
		b.eject(t, now)
	}
	for _, t := range b.all {
		t.good.Store(0)
		t.bad.Store(0)
		t.ejectedLately = false
	}
	b.rebuild()
}

// comeBack ends ejections whose time is over.
func (b *Balancer) comeBack(now time.Time) {
	for _, t := range b.all {
		switch {
		case t.ejected.Load() && !now.Before(t.until):
			t.ejected.Store(false)
			t.since = now
			b.up++
		case !t.ejected.Load() && !t.ejectedLately && t.ejections > 0:
			t.ejections--
		}
	}
}

// badRates are the targets whose part of successes is out of line.
func (b *Balancer) badRates() []*Target {
	rates := make(map[*Target]float64)
	sum := 0.0
	for _, t := range b.all {
		good, bad := t.good.Load(), t.bad.Load()
		if !t.ejected.Load() && good+bad >= int64(b.outlier.MinRequests) {
			rates[t] = float64(good) / float64(good+bad)
			sum += rates[t]
		}
	}
	if len(rates) < b.outlier.MinHosts {
		return nil
	}
	mean, variance := sum/float64(len(rates)), 0.0
	for _, rate := range rates {
		variance += (rate - mean) * (rate - mean)
	}
	limit := mean - b.outlier.StdevFactor*math.Sqrt(variance/float64(len(rates)))
	var out []*Target
	for _, t := range b.all { // in order, so that the same calls lead to the same ejections
		if rate, counts := rates[t]; counts && rate < limit {
			out = append(out, t)
		}
	}
	return out
}
