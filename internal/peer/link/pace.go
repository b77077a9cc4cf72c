package link

import (
	"context"
	"time"
)

// stalled is how long a learner may take nothing before nobody waits for it any more. It is then left to the silence
// that its leader notices, or to MaxQueue.
const stalled = 500 * time.Millisecond

// Pace waits while a connection that takes something has more than SlowQueue bytes waiting. Those who make work for all
// connections call it before. The error is that of ctx.
func (e *Endpoint) Pace(ctx context.Context) error {
	for ctx.Err() == nil && e.ctx.Err() == nil {
		shorter := e.slow()
		if shorter == nil {
			break
		}
		timer := time.NewTimer(stalled)
		select {
		case <-shorter:
		case <-timer.C: // perhaps it has stopped
		case <-ctx.Done():
		case <-e.ctx.Done():
		}
		timer.Stop()
	}
	return ctx.Err()
}

// slow is closed when a queue has become shorter; nil if no connection has to be waited for.
func (e *Endpoint) slow() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.cfg.Now().UnixNano()
	for c := range e.conns {
		if c.out.len() > e.cfg.SlowQueue && now-c.moved.Load() < int64(stalled) {
			if e.shorter == nil {
				e.shorter = make(chan struct{})
				e.awaited.Store(true)
			}
			return e.shorter
		}
	}
	return nil
}

// progress notes that the connection takes something.
func (c *Conn) progress() {
	c.moved.Store(c.e.cfg.Now().UnixNano())
	if c.e.awaited.Load() {
		c.e.wakePaced()
	}
}

func (e *Endpoint) wakePaced() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shorter != nil {
		close(e.shorter)
		e.shorter = nil
		e.awaited.Store(false)
	}
}
