package request

import (
	"sync/atomic"

	"github.com/quollhq/quoll/internal/tally"
)

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
	spread tally.Spread
	last   atomic.Int64
}

// add takes in what f noted, and empties it.
func (r *responseSizes) add(f *frameSizes) {
	if f.last == 0 {
		return
	}
	r.spread.Note(int64(f.min), int64(f.max))
	r.last.Store(int64(f.last))
	*f = frameSizes{}
}

func (r *responseSizes) reset() {
	r.spread.Reset()
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
	low, high := r.spread.View()
	return r.last.Load() - length, low - length, high - length
}
