package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

const (
	// fillConnections and fillDepth keep any server busy without asking it
	// to hold much.
	fillConnections = 8
	fillDepth       = 128
)

// runFill creates --keys znodes and measures that.
func (e *experiment) runFill(ctx context.Context) (*Result, error) {
	before := e.memory()
	res, err := e.fillTo(ctx, e.Keys)
	if res == nil {
		return nil, err
	}
	p := Phase{Name: "fill", Count: res.Ops, Seconds: res.Seconds}
	p.grew(before, e.memory())
	res.Phases = append(res.Phases, p)
	return res, err
}

// fillTo creates the znodes numbered below n that do not exist.
func (e *experiment) fillTo(ctx context.Context, n int64) (*Result, error) {
	e.created = max(e.created, n)
	l := e.newLoad([]kind{kindCreate})
	l.created.Store(e.filled)
	l.depth = max(e.fillDepth(), 1)
	l.limit(n - e.filled)
	res, err := e.pipeline(ctx, l, "fill", n-e.filled)
	if err != nil {
		return res, fmt.Errorf("fill: %w", err)
	}
	if res != nil && len(res.Errors) > 0 {
		// What a run with the same root left is as good as new.
		if exists := proto.NodeExists.Error(); len(res.Errors) > 1 || res.Errors[exists] == 0 {
			return res, fmt.Errorf("fill: %v", res.Errors)
		}
	}
	e.filled = n
	return res, nil
}

// fillDepth keeps requests of large values from piling up.
func (e *experiment) fillDepth() int {
	const bytesInFlight = 1 << 20
	return min(fillDepth, bytesInFlight/(e.ValueSize+1)+1)
}

// pipeline runs a load that ends by itself on connections of its own.
func (e *experiment) pipeline(ctx context.Context, l *load, stage string, n int64) (*Result, error) {
	if n <= 0 {
		return nil, nil
	}
	f, err := e.openFleet(ctx, fillConnections, l.depth)
	if err != nil {
		return nil, err
	}
	defer f.closeSessions()
	done := e.report(l, stage, n)
	defer done()
	res, err := e.measure(ctx, f, l)
	if res != nil && len(res.Errors) > 0 && errors.Is(err, errNothing) {
		err = nil
	}
	return res, err
}

// removeAll deletes every znode that the run may have created.
func (e *experiment) removeAll(ctx context.Context) error {
	l := e.newLoad([]kind{kindDelete})
	l.depth = fillDepth
	l.limit(e.created)
	if _, err := e.pipeline(ctx, l, "clean up", e.created); err != nil {
		return err
	}
	return e.withSession(ctx, e.removeParents)
}

func (e *experiment) removeParents(w *wire) error {
	if e.Parents > 1 {
		for p := range int64(e.Parents) {
			if err := remove(w, e.shape.keys.parent(p)); err != nil {
				return err
			}
		}
	}
	return remove(w, e.root)
}

// remove deletes a znode, if it is there.
func remove(w *wire, path string) error {
	_, err := w.call(proto.OpDelete, appendVersion(jute.AppendString(nil, path)))
	if err != nil && !errors.Is(err, proto.NoNode) {
		return fmt.Errorf("delete %s: %w", path, err)
	}
	return nil
}

// report tells the runner's Progress how many operations of a load are done,
// until the returned function is called.
func (e *experiment) report(l *load, stage string, n int64) (stop func()) {
	if e.Progress == nil {
		return func() {}
	}
	var done atomic.Int64
	l.shown = &done
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				e.Progress(stage, done.Load(), n)
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-gone }
}
