package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// runWatch lets every session watch every znode, changes one znode, and
// measures until all its watchers are told; then, with TellAll, it changes all
// others.
func (e *experiment) runWatch(ctx context.Context) (*Result, error) {
	if _, err := e.fillOrExpect(ctx, max(e.Keys, 1)); err != nil {
		return nil, err
	}
	f, err := e.openFleet(ctx, e.Connections, e.Depth)
	if err != nil {
		return nil, err
	}
	defer f.closeSessions()
	w := &watching{experiment: e, fleet: f}
	w.res = e.newResult(e.listening())
	if err := w.set(ctx); err != nil {
		return nil, err
	}
	rec, err := w.tell(ctx, "tell one", 0, 1)
	if rec != nil {
		w.res.fill(rec, w.res.Phases[len(w.res.Phases)-1].Seconds, e.Histograms)
	}
	if err == nil && e.filled > 1 && e.TellAll {
		_, err = w.tell(ctx, "tell all", 1, e.filled)
	}
	return w.res, err
}

// watching is a watch workload being run.
type watching struct {
	*experiment
	fleet *fleet
	res   *Result
}

// set sets the watches.
func (w *watching) set(ctx context.Context) error {
	before := w.memory()
	l := w.newLoad([]kind{kindWatch})
	l.perSession = w.filled
	n := w.filled * int64(len(w.fleet.sessions))
	l.limit(n)
	start := time.Now()
	done := w.report(l, "watch", n)
	rec, err := w.fleet.run(ctx, l, nil)
	done()
	if err != nil {
		return err
	}
	if failed := rec.failures(); len(failed) > 0 {
		return fmt.Errorf("set watches: %v", failed)
	}
	w.res.Phases = append(w.res.Phases, w.phase("watch", n, start, before))
	return nil
}

// slowestChange is how long the events of one change may take on average
// before a run gives up.
const slowestChange = 200 * time.Microsecond

// tell changes the znodes [from, to) and waits until every session has heard
// of each.
func (w *watching) tell(ctx context.Context, name string, from, to int64) (*recorder, error) {
	before := w.memory()
	l := w.listening()
	var missing atomic.Int64
	n := (to - from) * int64(len(w.fleet.sessions))
	missing.Store(n)
	var last atomic.Int64
	hear := func(ln *lane) {
		ln.onEvent = func(_ *session, now int64) {
			ln.rec.done(kindEvent, l.trigger.Load(), now, 1)
			if missing.Add(-1) == 0 {
				last.Store(now)
				l.stop.Store(true)
			}
		}
	}
	var changer sync.WaitGroup
	var changeErr error
	l.trigger.Store(l.now())
	changer.Go(func() {
		changeErr = w.change(ctx, l, from, to)
		if changeErr == nil {
			patience := w.Patience + time.Duration(to-from)*slowestChange
			waitUntil(ctx, patience, func() bool { return l.stop.Load() })
		}
		l.stop.Store(true)
	})
	rec, err := w.fleet.run(ctx, l, hear)
	changer.Wait()
	if left := missing.Load(); left > 0 && changeErr == nil {
		err = errors.Join(err, fmt.Errorf("%d of %d watch events did not come", left, n))
	}
	p := Phase{Name: name, Count: n, Seconds: float64(last.Load()-l.trigger.Load()) / 1e9}
	if missing.Load() > 0 {
		p.Seconds = float64(l.now()-l.trigger.Load()) / 1e9
	}
	p.grew(before, w.memory())
	w.res.Phases = append(w.res.Phases, p)
	return rec, errors.Join(err, changeErr)
}

// waitUntil looks now and then whether something is done, at most for d.
func waitUntil(ctx context.Context, d time.Duration, done func() bool) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// change changes znodes in the way that their watchers are told of. One
// change is made by itself, so that its time is known to the microsecond.
func (w *watching) change(ctx context.Context, told *load, from, to int64) error {
	mode, _ := parseWatch(w.Watch)
	if to-from > 1 && mode != watchChildren {
		return w.changeMany(ctx, from, to)
	}
	return w.withSession(ctx, func(s *wire) error {
		told.trigger.Store(told.now())
		for i := from; i < to && ctx.Err() == nil; i++ {
			if err := w.changeOne(s, w.shape.keys.path(i), mode == watchChildren); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// changeOne sets a znode's data, or gives it a child for a moment.
func (w *watching) changeOne(s *wire, path string, child bool) error {
	if !child {
		_, err := s.call(proto.OpSetData, w.shape.appendSet(jute.AppendString(nil, path)))
		return err
	}
	path += "/child"
	if _, err := s.call(proto.OpCreate, w.shape.appendCreate(jute.AppendString(nil, path))); err != nil {
		return err
	}
	return remove(s, path)
}

// changeMany sets the data of many znodes, pipelined.
func (w *watching) changeMany(ctx context.Context, from, to int64) error {
	f, err := w.openFleet(ctx, 1, fillDepth)
	if err != nil {
		return err
	}
	defer f.closeSessions()
	l := w.newLoad([]kind{kindSet})
	l.pick, l.lanes, l.depth = pickSequential, 1, fillDepth
	l.limit(to - from)
	rec, err := f.run(ctx, l, func(ln *lane) { ln.seq = from - 1 })
	if err == nil && len(rec.failures()) > 0 {
		err = fmt.Errorf("change znodes: %v", rec.failures())
	}
	return err
}
