package bench

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestLanesShareTheRate(t *testing.T) {
	const rate, lanes = 1000, 3
	var due []int64
	for lane := range lanes {
		s := newSchedule(0, rate, lane, lanes, nil)
		for range 100 {
			due = append(due, s.due())
			s.advance()
		}
	}
	slices.Sort(due)
	for i, at := range due {
		if want := int64(i) * int64(time.Second) / rate; at < want-1 || at > want+1 {
			t.Fatalf("operation %d is due at %d, want %d", i, at, want)
		}
	}
}

func TestScheduleDoesNotDrift(t *testing.T) {
	s := newSchedule(0, 30_000, 0, 1, nil)
	for range 30_000 * 3600 / 100 {
		s.advance()
	}
	if got, want := s.due(), int64(36*time.Second); got < want-1 || got > want+1 {
		t.Errorf("after 36 s of operations the next is due at %d", got)
	}
}

func TestPoissonHasTheRate(t *testing.T) {
	s := newSchedule(0, 10_000, 0, 1, rand.NewPCG(1, 2))
	const n = 100_000
	var close int
	for last := s.due(); s.n < n; s.n++ {
		s.advance()
		if s.due()-last < int64(50*time.Microsecond) {
			close++
		}
		last = s.due()
	}
	if seconds := float64(s.due()) / 1e9; seconds < 9.8 || seconds > 10.2 {
		t.Errorf("%d operations take %.2f s, want 10", n, seconds)
	}
	// 1 - exp(-1/2) of all gaps are shorter than half the mean one.
	if share := float64(close) / n; share < 0.38 || share > 0.41 {
		t.Errorf("%.2f of the gaps are short, want 0.39", share)
	}
}
