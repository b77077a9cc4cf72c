package tally

import "sync/atomic"

// Sizes sums up numbers, for example of what was handled at a time.
type Sizes struct {
	count, sum atomic.Int64
	spread     Spread
}

// Add notes one number, which is not negative.
func (s *Sizes) Add(n int64) { s.AddAll(SizesView{Count: 1, Sum: n, Min: n, Max: n}) }

// AddAll notes the numbers that v is made of; it notes nothing if there are none.
func (s *Sizes) AddAll(v SizesView) {
	if v.Count == 0 {
		return
	}
	s.count.Add(v.Count)
	s.sum.Add(v.Sum)
	s.spread.Note(v.Min, v.Max)
}

// SizesView is what there is to say about numbers, for example those of a Sizes at
// one moment.
type SizesView struct {
	Count, Sum, Min, Max int64
}

// Add takes one number in, which is not negative.
func (v *SizesView) Add(n int64) {
	if v.Count == 0 || n < v.Min {
		v.Min = n
	}
	v.Max = max(v.Max, n)
	v.Count++
	v.Sum += n
}

// Merge takes in the numbers that w is made of.
func (v *SizesView) Merge(w SizesView) {
	switch {
	case w.Count == 0:
	case v.Count == 0:
		*v = w
	default:
		*v = SizesView{v.Count + w.Count, v.Sum + w.Sum, min(v.Min, w.Min), max(v.Max, w.Max)}
	}
}

// View reads s.
func (s *Sizes) View() SizesView {
	v := SizesView{Count: s.count.Load(), Sum: s.sum.Load()}
	v.Min, v.Max = s.spread.View()
	return v
}

// Reset starts anew.
func (s *Sizes) Reset() {
	s.count.Store(0)
	s.sum.Store(0)
	s.spread.Reset()
}
