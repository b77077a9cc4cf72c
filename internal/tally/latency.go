package tally

import (
	"sync/atomic"
	"time"
)

// Latency sums up durations.
type Latency struct {
	count, sum atomic.Int64
	spread     Spread
	buckets    [latencyBuckets]atomic.Int64
}

// latencyBuckets are powers of two of microseconds, up to half an hour.
const latencyBuckets = 32

// Add notes n times d.
func (l *Latency) Add(n int64, d time.Duration) {
	l.count.Add(n)
	l.sum.Add(n * int64(d))
	l.spread.Note(int64(d), int64(d))
	l.buckets[bucketOf(d)].Add(n)
}

func bucketOf(d time.Duration) int {
	b := 0
	for us := uint64(d / time.Microsecond); us > 0 && b < latencyBuckets-1; us >>= 1 {
		b++
	}
	return b
}

// LatencyView is a Latency at one moment.
type LatencyView struct {
	Count         int64
	Sum, Min, Max time.Duration
	// Buckets[i] counts durations below 2^i microseconds that are in no earlier
	// bucket.
	Buckets [latencyBuckets]int64
}

// View reads l.
func (l *Latency) View() LatencyView {
	v := LatencyView{Count: l.count.Load(), Sum: time.Duration(l.sum.Load())}
	low, high := l.spread.View()
	v.Min, v.Max = time.Duration(low), time.Duration(high)
	for i := range v.Buckets {
		v.Buckets[i] = l.buckets[i].Load()
	}
	return v
}

// Reset starts anew.
func (l *Latency) Reset() {
	l.count.Store(0)
	l.sum.Store(0)
	l.spread.Reset()
	for i := range l.buckets {
		l.buckets[i].Store(0)
	}
}

// Plus is v and w together.
func (v LatencyView) Plus(w LatencyView) LatencyView {
	switch {
	case w.Count == 0:
		return v
	case v.Count == 0:
		return w
	}
	v.Count += w.Count
	v.Sum += w.Sum
	v.Min = min(v.Min, w.Min)
	v.Max = max(v.Max, w.Max)
	for i := range v.Buckets {
		v.Buckets[i] += w.Buckets[i]
	}
	return v
}
