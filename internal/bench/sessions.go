package bench

import (
	"context"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// runSessions opens and closes sessions, as many at a time as there are
// connections.
func (e *experiment) runSessions(ctx context.Context) (*Result, error) {
	l := e.newLoad(nil)
	from, to := int64(e.Warmup), forever
	if e.Ops > 0 {
		from = 0
		l.limit(e.Ops)
	}
	if e.Duration > 0 {
		to = from + int64(e.Duration)
	}
	l.window(from, to, e.Patience)
	res := e.newResult(l)
	m := e.meterServer(l)
	defer m.stop()
	rec := newRecorder(l.span, &l.all, &l.writes)
	err := e.churn(ctx, l, rec)
	m.stop()
	res.fill(rec, float64(min(l.span.to, max(rec.last, from))-from)/1e9, e.Histograms)
	m.fill(res)
	return res, err
}

// churn runs the workers of the session workload.
func (e *experiment) churn(ctx context.Context, l *load, rec *recorder) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex // guards rec
	var wg sync.WaitGroup
	for range e.Connections {
		wg.Go(func() {
			for ctx.Err() == nil && l.now() < l.span.to && l.take(1) == 1 {
				if err := e.openAndClose(ctx, l, rec, &mu); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (e *experiment) openAndClose(ctx context.Context, l *load, rec *recorder, mu *sync.Mutex) error {
	start := l.now()
	w, err := e.dialer.open(ctx)
	if err != nil {
		return err
	}
	opened := l.now()
	_, err = w.call(proto.OpCloseSession, nil)
	closed := l.now()
	w.nc.Close()
	mu.Lock()
	defer mu.Unlock()
	rec.done(kindConnect, start, opened, 1)
	if err == nil {
		rec.done(kindClose, opened, closed, 1)
	}
	return err
}

// runIdle opens sessions, holds them, and closes them.
func (e *experiment) runIdle(ctx context.Context) (*Result, error) {
	l := e.listening()
	res := e.newResult(l)
	before := e.memory()
	start := time.Now()
	f, err := e.openFleet(ctx, e.Connections, 1)
	if err != nil {
		return nil, err
	}
	n := int64(e.Connections)
	res.Phases = append(res.Phases, e.phase("open", n, start, before))
	m := e.meterServer(l)
	defer m.stop()
	hold := time.AfterFunc(e.Hold, func() { l.stop.Store(true) })
	defer hold.Stop()
	start = time.Now()
	rec, err := f.run(ctx, l, nil)
	m.stop()
	res.Phases = append(res.Phases, e.phase("hold", n, start, before))
	res.fill(rec, time.Since(start).Seconds(), e.Histograms)
	m.fill(res)
	start = time.Now()
	f.closeSessions()
	res.Phases = append(res.Phases, e.phase("close", n, start, before))
	return res, err
}

// listening is a load that sends nothing but pings, until it is stopped.
func (e *experiment) listening() *load {
	l := e.newLoad(nil)
	l.depth = 0
	return l
}

// phase is a part of a workload that ends now.
func (e *experiment) phase(name string, n int64, start time.Time, before Memory) Phase {
	p := Phase{Name: name, Count: n, Seconds: time.Since(start).Seconds()}
	p.grew(before, e.memory())
	return p
}

// grew notes how the server's memory changed, if it could be read.
func (p *Phase) grew(before, after Memory) {
	if before.RSS == 0 || after.RSS == 0 {
		return
	}
	p.ServerBytes = after.RSS - before.RSS
	if p.Count > 0 {
		p.BytesEach = float64(p.ServerBytes) / float64(p.Count)
	}
}
