package tally

import "time"

// Ages adds to a Latency how old things are by moments in milliseconds, of any
// clock. Those of a batch are mostly of a few moments only: what is in a row and of
// the same one is added at once. It is for one goroutine, and a batch.
type Ages struct {
	to      *Latency
	now, at int64
	n       int64
}

// AgesTo begins to add ages as of now.
func AgesTo(l *Latency, now int64) Ages { return Ages{to: l, now: now} }

// Add takes in n things that are of the moment at.
func (a *Ages) Add(at int64, n int) {
	if at != a.at {
		a.Flush()
		a.at = at
	}
	a.n += int64(n)
}

// Flush adds what was taken in. What is of later than now, by another machine's
// clock, is left out.
func (a *Ages) Flush() {
	if a.n > 0 && a.at <= a.now {
		a.to.Add(a.n, time.Duration(a.now-a.at)*time.Millisecond)
	}
	a.n = 0
}
