package tally

import "sync/atomic"

// Spread is from the lowest to the highest of numbers that are not negative.
type Spread struct {
	low, high atomic.Int64 // low holds the lowest plus one, 0 for none
}

// Note takes numbers in, of which lo is the lowest and hi the highest.
func (s *Spread) Note(lo, hi int64) {
	for v := s.low.Load(); v == 0 || lo+1 < v; v = s.low.Load() {
		if s.low.CompareAndSwap(v, lo+1) {
			break
		}
	}
	for v := s.high.Load(); hi > v; v = s.high.Load() {
		if s.high.CompareAndSwap(v, hi) {
			break
		}
	}
}

// View is the lowest and the highest, 0 each if there was none.
func (s *Spread) View() (low, high int64) { return max(s.low.Load()-1, 0), s.high.Load() }

// Reset starts anew.
func (s *Spread) Reset() {
	s.low.Store(0)
	s.high.Store(0)
}
