package admin

import (
	"math"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/tally"
)

// summary is what is known of many values: times in milliseconds, or numbers.
type summary struct {
	count         int64
	sum, min, max float64
	// quantile is nil where the distribution is not kept.
	quantile func(q float64) float64
}

// at is a quantile, NaN if it is not known.
func (s summary) at(q float64) float64 {
	if s.count == 0 || s.quantile == nil {
		return math.NaN()
	}
	return s.quantile(q)
}

// average is that of all values, to four digits.
func (s summary) average() float64 {
	if s.count == 0 {
		return 0
	}
	return round4(s.sum / float64(s.count))
}

func latencySummary(v tally.LatencyView) summary {
	return summary{
		count: v.Count, sum: millis(v.Sum), min: millis(v.Min), max: millis(v.Max),
		quantile: func(q float64) float64 { return quantile(v, q) },
	}
}

func sizesSummary(v tally.SizesView) summary {
	return summary{count: v.Count, sum: float64(v.Sum), min: float64(v.Min), max: float64(v.Max)}
}

// one is the summary of a single duration; none if it is 0.
func one(d time.Duration) summary {
	if d == 0 {
		return summary{}
	}
	return single(millis(d))
}

func single(v float64) summary {
	return summary{count: 1, sum: v, min: v, max: v, quantile: func(float64) float64 { return v }}
}

// quantile estimates in milliseconds below which time a share q of the values
// lies: exact to the bucket, within it as if values were spread evenly.
func quantile(v tally.LatencyView, q float64) float64 {
	rank := q * float64(v.Count)
	seen := 0.0
	for i, n := range v.Buckets {
		if n == 0 || seen+float64(n) < rank {
			seen += float64(n)
			continue
		}
		low, high := bucketRange(i)
		at := low + (high-low)*(rank-seen)/float64(n)
		return min(max(at, millis(v.Min)), millis(v.Max))
	}
	return millis(v.Max)
}

// bucketRange is that of bucket i of a LatencyView, in milliseconds.
func bucketRange(i int) (low, high float64) {
	if i == 0 {
		return 0, 0.001
	}
	return math.Ldexp(0.001, i-1), math.Ldexp(0.001, i)
}

// Quantiles for Prometheus are those of the last minutes: those of a life say
// little about now. What was counted earlier is taken off what is counted now,
// so that this costs something only when somebody asks.
const (
	windowStep = time.Minute      // between two counts that are kept
	windowLong = 10 * time.Minute // the window's length, as in Apache's
)

type stamped struct {
	at   time.Time
	view tally.LatencyView
}

// windows keeps earlier counts by metric.
type windows struct {
	mu   sync.Mutex
	kept map[string][]stamped
}

func (w *windows) reset() {
	w.mu.Lock()
	w.kept = nil
	w.mu.Unlock()
}

// recent is v without what is older than the window. Without an earlier count
// that is all of v.
func (w *windows) recent(name string, v tally.LatencyView, now time.Time) tally.LatencyView {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kept == nil {
		w.kept = make(map[string][]stamped)
	}
	old := w.kept[name]
	for len(old) > 1 && now.Sub(old[1].at) >= windowLong {
		old = old[1:]
	}
	if len(old) > 0 && old[len(old)-1].view.Count > v.Count {
		old = nil // counting was started anew
	}
	recent := v
	if len(old) > 0 {
		recent = minus(v, old[0].view)
	}
	if len(old) == 0 || now.Sub(old[len(old)-1].at) >= windowStep {
		old = append(old, stamped{now, v})
	}
	w.kept[name] = old
	return recent
}

// minus is what was added to w to make v. The extremes stay those of v.
func minus(v, w tally.LatencyView) tally.LatencyView {
	v.Count -= w.Count
	v.Sum -= w.Sum
	for i := range v.Buckets {
		v.Buckets[i] -= w.Buckets[i]
	}
	return v
}
