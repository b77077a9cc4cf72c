package request

import (
	"context"
	"errors"
	"time"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/tree"
)

// RunExpiry closes sessions whose clients were not heard of in time, until ctx
// is done. clock is the one that sessions are tracked by, in milliseconds.
func (e *Engine) RunExpiry(ctx context.Context, clock func() int64) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now := clock()
		if e.Leads() {
			e.Sessions.Due(now, e.expire)
		} else {
			e.Sessions.Keep(now, e.endLocal) // the leader decides about others
		}
		timer.Reset(time.Duration(max(e.Sessions.NextDue()-now, 1)) * time.Millisecond)
	}
}

func (e *Engine) expire(s *session.Session) {
	if s.Globalize() {
		e.endLocal(s)
		return
	}
	failpoint.Pass(failpoint.SessionExpire)
	e.Logger.Info("session expired", "session", s.String(), "timeout_ms", s.Timeout())
	e.Metrics.Expired.Add(1)
	_ = e.CloseSession(s) // the engine is closing, too, or does not lead any more
}

// ReaperOptions say when containers without children and znodes past their
// time to live are removed.
type ReaperOptions struct {
	Interval     time.Duration // between two looks
	MaxPerMinute int           // removals
	MaxNeverUsed time.Duration // of containers that never had a child; 0: they stay
}

// RunReaper removes containers that have lost their last child and znodes that
// were not changed for their time to live, until ctx is done.
func (e *Engine) RunReaper(ctx context.Context, o ReaperOptions) {
	if o.Interval <= 0 {
		return
	}
	ticker := time.NewTicker(o.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if e.Leads() && !e.reap(ctx, o) {
			return
		}
	}
}

// reap removes what is due, at an even pace below MaxPerMinute.
func (e *Engine) reap(ctx context.Context, o ReaperOptions) bool {
	pace := time.Minute / time.Duration(max(o.MaxPerMinute, 1))
	for _, due := range e.dueForRemoval(o.MaxNeverUsed) {
		e.Logger.Debug("removing", "path", due.path, "ttl", !due.seen.Container)
		switch err := e.DeleteContainer(due.path, due.seen); {
		case errors.Is(err, ErrNotServing):
			return true // the next leader will
		case err != nil:
			return false
		}
		if due.seen.Container {
			e.Metrics.ContainersDeleted.Add(1)
		} else {
			e.Metrics.TTLDeleted.Add(1)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pace):
		}
	}
	return true
}

// millis is a time as transactions have it.
func millis(t time.Time) int64 { return t.Add(failpoint.Shift(failpoint.Clock)).UnixMilli() }

type removal struct {
	path string
	seen tree.Candidate
}

// dueForRemoval lists what can go now. By the time its removal is prepared
// that may have changed, so it is checked again there.
func (e *Engine) dueForRemoval(neverUsed time.Duration) []removal {
	now := millis(e.Now())
	var due []removal
	e.Tree.RLock(0)
	defer e.Tree.RUnlock(0)
	e.Tree.ContainerCandidates(func(c tree.Candidate) bool {
		age := now - c.Mtime
		switch {
		case c.NumChildren > 0:
		case !c.Container && c.TTL > 0 && age > c.TTL,
			c.Container && (c.Cversion > 0 || neverUsed > 0 && age > neverUsed.Milliseconds()):
			due = append(due, removal{string(e.Tree.Path(nil, c.Node)), c})
		}
		return true
	})
	return due
}
