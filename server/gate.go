package server

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/quollhq/quoll/internal/throttle"
)

// newConnections bounds the connections of one socket: the limits hold for each
// port of its own.
func (s *Server) newConnections() *throttle.Connections {
	l := &s.cfg.Limits
	return throttle.NewConnections(throttle.ConnectionOptions{
		PerAddress: max(l.ClientConnections, 0), Total: max(l.Connections, 0),
	})
}

// newGate bounds new sessions and large requests.
func (s *Server) newGate() *throttle.Gate {
	l, t := &s.cfg.Limits, &s.cfg.Throttle.Connection
	return throttle.NewGate(throttle.Options{
		Tokens: throttle.TokenOptions{
			Max: t.Tokens, FillTime: t.FillTime.Milliseconds(), FillCount: t.FillCount, FreezeTime: milliseconds(t.FreezeTime),
			DropIncrease: t.DropIncrease, DropDecrease: t.DropDecrease, DecreaseRatio: t.DecreaseRatio,
			Weighted: t.Weighted, GlobalWeight: t.GlobalWeight, RenewWeight: t.RenewWeight, LocalWeight: t.LocalWeight,
		},
		Large:         throttle.LargeOptions{Threshold: l.LargeRequestThreshold, MaxBytes: l.LargeRequestBytes},
		LocalSessions: s.cfg.Session.Local,
		Now:           s.clock.Now,
		Chance:        rand.Float64,
	})
}

// newThrottle bounds the requests that are worked on at a time.
func (s *Server) newThrottle() *throttle.Requests {
	t := &s.cfg.Throttle.Request
	return throttle.NewRequests(throttle.RequestOptions{
		Max: max(t.Max, 0), Stall: max(t.Stall.Milliseconds(), 1), DropStale: t.DropStale,
		StaleConnection: t.StaleConnection, StaleLatency: t.StaleLatency, OpWait: max(t.OpWait.Milliseconds(), 0),
	}, s.clock)
}

// milliseconds keeps what is negative for "none" negative.
func milliseconds(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}

// clock is a time that never goes back, in milliseconds since the server
// started.
type clock struct{ start time.Time }

// Now is the time.
func (c clock) Now() int64 { return int64(time.Since(c.start) / time.Millisecond) }

// After is ready after so many milliseconds.
func (c clock) After(ms int64) <-chan time.Time {
	return time.After(time.Duration(ms) * time.Millisecond)
}

// runPurge removes snapshots and logs that are not to be kept, until ctx is done.
func (s *Server) runPurge(ctx context.Context) {
	p := &s.cfg.Purge
	if p.Interval <= 0 {
		return
	}
	ticker := time.NewTicker(p.Interval)
	defer ticker.Stop()
	for {
		if removed, err := s.store.Purge(ctx, p.Retain); err != nil && ctx.Err() == nil {
			s.log.Warn("purge failed; it is tried again at the next interval", "error", err)
		} else if len(removed) > 0 {
			s.log.Info("purged", "files", len(removed), "snapshots_kept", p.Retain)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
