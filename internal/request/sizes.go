package request

import "sync/atomic"

// Sizes sums up numbers, for example of what was handled at a time. It is
// cheap to add to from many goroutines.
type Sizes struct {
	count, sum atomic.Int64
	min, max   atomic.Int64 // min holds value+1, 0 for none
}

// Add notes one number, which is not negative.
func (s *Sizes) Add(n int64) {
	s.count.Add(1)
	s.sum.Add(n)
	spread(&s.min, &s.max, n, n)
}

// spread makes the range from low (plus one) to high take in lo and hi.
func spread(low, high *atomic.Int64, lo, hi int64) {
	for v := low.Load(); v == 0 || lo+1 < v; v = low.Load() {
		if low.CompareAndSwap(v, lo+1) {
			break
		}
	}
	for v := high.Load(); hi > v; v = high.Load() {
		if high.CompareAndSwap(v, hi) {
			break
		}
	}
}

// SizesView is a Sizes at one moment.
type SizesView struct {
	Count, Sum, Min, Max int64
}

// View reads s.
func (s *Sizes) View() SizesView {
	return SizesView{Count: s.count.Load(), Sum: s.sum.Load(), Min: max(s.min.Load()-1, 0), Max: s.max.Load()}
}

// Reset starts anew.
func (s *Sizes) Reset() {
	s.count.Store(0)
	s.sum.Store(0)
	s.min.Store(0)
	s.max.Store(0)
}

// frameSizes are the sizes of replies that one goroutine encoded in a row.
type frameSizes struct {
	min, max, last int
}

func (f *frameSizes) note(n int) {
	if f.min == 0 || n < f.min {
		f.min = n
	}
	f.max = max(f.max, n)
	f.last = n
}

// responseSizes are the sizes of replies to all clients.
type responseSizes struct {
	min, max, last atomic.Int64 // min holds value+1, 0 for none
}

// add takes in what f noted, and empties it.
func (r *responseSizes) add(f *frameSizes) {
	if f.last == 0 {
		return
	}
	spread(&r.min, &r.max, int64(f.min), int64(f.max))
	r.last.Store(int64(f.last))
	*f = frameSizes{}
}

func (r *responseSizes) reset() {
	r.min.Store(0)
	r.max.Store(0)
	r.last.Store(0)
}

// ResponseSizes are the sizes of the last, the shortest and the longest reply,
// in bytes without the frame's length; -1 each while there was none.
func (m *Metrics) ResponseSizes() (last, shortest, longest int64) {
	r := &m.responses
	if r.last.Load() == 0 {
		return -1, -1, -1
	}
	const length = 4
	return r.last.Load() - length, r.min.Load() - 1 - length, r.max.Load() - length
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
