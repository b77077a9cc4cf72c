// Package rate limits how often many programs together do something.
//
//	l, err := rate.New(c, "/app/mail-rate", 100, 20) // 100 a second, 20 at once
//	...
//	err = l.Wait(ctx)
//
// # What is guaranteed
//
// Of all who use one limiter, so many events in a second pass, and so many at
// once after a quiet time (the generic cell rate algorithm: the node holds the
// time at which the next event is due). Every event costs a compare-and-set, so
// it is for hundreds of events in a second, not for more; [Limiter.WaitN] takes
// several at a time. An event whose reservation got lost with a connection is
// made again: the rate may be lower then, never higher.
//
// Times are those of the programs' clocks: one that goes wrong by a second can
// let a second's worth of events more pass, or fewer.
package rate

import (
	"context"
	"fmt"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/counter"
)

// Limiter is a limit on a node. It may be used by many goroutines.
type Limiter struct {
	due      *counter.Counter // when the next event is due, in nanoseconds since 1970
	path     string
	interval time.Duration // between events
	burst    int
}

// maxAhead bounds the time that a burst takes at the rate: far more than anybody
// waits, and so little that no time is beyond 64 bits.
const maxAhead = 100 * 365 * 24 * time.Hour

// New makes a limiter on the node path, which appears with the first event. All
// who use it must agree on the rate, in events per second, and on the burst, in
// events, which is at least 1.
func New(c *client.Client, path string, perSecond float64, burst int) (*Limiter, error) {
	due, err := counter.New(c, path)
	if err != nil {
		return nil, fmt.Errorf("rate: %w", err)
	}
	interval := time.Duration(float64(time.Second) / perSecond)
	if perSecond <= 0 || interval <= 0 || interval > 24*time.Hour || burst < 1 || int64(burst) > int64(maxAhead/interval) {
		return nil, fmt.Errorf("rate %s: %w: %v a second, %d at once", path, client.ErrBadArguments, perSecond, burst)
	}
	return &Limiter{due, path, interval, burst}, nil
}

// Wait waits until an event may pass. If ctx ends first, the event's place in
// the rate is used up.
func (l *Limiter) Wait(ctx context.Context) error { return l.WaitN(ctx, 1) }

// WaitN waits until n events may pass, which are at most the burst.
func (l *Limiter) WaitN(ctx context.Context, n int) error {
	at, err := l.reserve(ctx, n)
	if err != nil {
		return err
	}
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("rate %s: %w", l.path, ctx.Err())
	}
}

// reserve takes the places of n events, and returns when they may pass.
func (l *Limiter) reserve(ctx context.Context, n int) (time.Time, error) {
	if n < 1 || n > l.burst {
		return time.Time{}, fmt.Errorf("rate %s: %w: %d events at once, of at most %d", l.path, client.ErrBadArguments, n, l.burst)
	}
	for {
		v, err := l.due.Update(ctx, func(due int64) (int64, error) {
			return max(due, time.Now().UnixNano()) + int64(n)*int64(l.interval), nil
		})
		switch {
		case err == nil:
			// As many as the burst may pass before they are due.
			return time.Unix(0, v.N-int64(l.burst)*int64(l.interval)), nil
		case ctx.Err() != nil || !client.MaybeApplied(err):
			return time.Time{}, fmt.Errorf("rate: %w", err)
		}
	}
}
