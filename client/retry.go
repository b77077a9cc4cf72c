package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// Failure is a request that has failed and can be made again without harm: a
// read whose connection broke, or a request that the server has refused for the
// moment, with [ErrThrottledOp]. A write that may have taken place is none.
type Failure struct {
	Op   string // name of the operation, as "getData"
	Path string
	Err  error
	// Tries is how often the request has been made, 1 or more.
	Tries int
	// Since is the time since it was made first.
	Since time.Duration
}

// RetryPolicy says whether to make a request again, and how long to wait before
// that. It is called by the request's goroutine. Waiting ends with the request's
// context. That a request waits for a connection is none of its business: see
// [WithFailFast].
type RetryPolicy func(Failure) (pause time.Duration, again bool)

// WithRetry makes failed requests again as policy says. Default, and if policy is
// nil: [RetryReads].
func WithRetry(policy RetryPolicy) Option {
	if policy == nil {
		policy = RetryReads
	}
	return func(o *options) { o.retry = policy }
}

// RetryReads asks again, at once and as long as the context lasts, when the
// connection broke: the request waits for the next one anyway.
func RetryReads(f Failure) (pause time.Duration, again bool) {
	return 0, errors.Is(f.Err, ErrConnectionLoss)
}

// NeverRetry makes no request twice.
func NeverRetry(Failure) (pause time.Duration, again bool) { return 0, false }

// Backoff makes a request up to so many times in all, and pauses before each
// further time: first, doubled each time up to most, of which a random half to
// the whole.
func Backoff(tries int, first, most time.Duration) RetryPolicy {
	return func(f Failure) (time.Duration, bool) {
		if f.Tries >= tries {
			return 0, false
		}
		pause := most
		if n := f.Tries - 1; n < 62 && first <= most>>n {
			pause = first << n
		}
		return pause/2 + rand.N(pause/2+1), true
	}
}

// RetryFor is policy until a request has been under way for so long.
func RetryFor(limit time.Duration, policy RetryPolicy) RetryPolicy {
	return func(f Failure) (time.Duration, bool) {
		pause, again := policy(f)
		return pause, again && f.Since+pause < limit
	}
}

// harmless tells whether q, which failed by err, can be made again.
func (q *call) harmless(err error) bool {
	if errors.Is(err, ErrThrottledOp) {
		return q.op != proto.OpAuth && q.op != proto.OpCloseSession
	}
	if !repeatable(q.op) {
		return false
	}
	return errors.Is(err, ErrConnectionLoss) || errors.Is(err, ErrOperationTimeout) || errors.Is(err, ErrSessionMoved)
}

// again asks the policy, and waits for as long as it says.
func (c *Client) again(ctx context.Context, failed *OpError, tries int, began time.Duration) bool {
	if c.opts.failFast || boundsOf(ctx).fast {
		return false
	}
	pause, again := c.opts.retry(Failure{failed.Op, failed.Path, failed.Err, tries, c.elapsed() - began})
	if !again || pause <= 0 {
		return again
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
