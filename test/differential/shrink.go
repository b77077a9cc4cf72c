package differential

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// shrink takes steps out of a failing sequence as long as its end still differs, until nothing more can be taken out or
// the time is over. Every attempt starts both servers anew.
func shrink(t *testing.T, steps []step, within time.Duration) []step {
	deadline := time.Now().Add(within)
	attempts := 0
	fails := func(candidate []step) bool {
		attempts++
		return differs(t, attempts, candidate)
	}
	// What opens sessions and says who the client is goes out last.
	keep := func(tail int) []step {
		var kept []step
		for i, s := range steps {
			if i >= len(steps)-tail || isSetup(s) {
				kept = append(kept, s)
			}
		}
		return kept
	}
	for tail := 20; tail < len(steps) && time.Now().Before(deadline); tail *= 5 {
		if candidate := keep(tail); len(candidate) < len(steps) && fails(candidate) {
			steps = candidate
			break
		}
	}
	for size := (len(steps) - 1) / 2; size > 0 && time.Now().Before(deadline); {
		removed := false
		for from := 0; from < len(steps)-1 && time.Now().Before(deadline); {
			to := min(from+size, len(steps)-1)
			candidate := slices.Delete(slices.Clone(steps), from, to)
			if fails(candidate) {
				steps, removed = candidate, true
			} else {
				from = to
			}
		}
		if !removed || size > len(steps) {
			size /= 2
		}
	}
	return thin(steps, fails, deadline)
}

// thin takes single requests out of steps that send several.
func thin(steps []step, fails func([]step) bool, deadline time.Time) []step {
	for i := range steps {
		s, ok := steps[i].(send)
		for j := len(s.requests) - 1; ok && j >= 0 && len(s.requests) > 1 && time.Now().Before(deadline); j-- {
			less := send{slot: s.slot, requests: slices.Delete(slices.Clone(s.requests), j, j+1)}
			candidate := slices.Clone(steps)
			candidate[i] = less
			if fails(candidate) {
				steps, s = candidate, less
			}
		}
	}
	return steps
}

func isSetup(s step) bool {
	switch s := s.(type) {
	case open, resume, swap:
		return true
	case send:
		return s.requests[0].op == 100
	}
	return false
}

// differs tells whether the last of the steps differs.
func differs(t *testing.T, attempt int, steps []step) bool {
	found := false
	t.Run(fmt.Sprintf("shrink-%d", attempt), func(t *testing.T) {
		p := newPlayer(t)
		for i, s := range steps {
			if _, _, same := p.play(s); !same {
				found = i == len(steps)-1
				return
			}
		}
	})
	return found
}
