package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/client"
)

const (
	goroutines = 64
	valueSize  = 100
	warmUp     = 300 * time.Millisecond
)

// sample is what one round of gets has cost, per operation.
type sample struct{ perSecond, allocations, writes, reads float64 }

// gets reads one node by many goroutines on one connection.
func gets(ctx context.Context, b *bed) error {
	const path = "/bench-get"
	c, err := client.Dial(ctx, b.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Create(ctx, path, make([]byte, valueSize)); err != nil {
		return err
	}
	samples := make([][]sample, len(libraries))
	for round := range b.rounds {
		for i := range libraries { // who comes first changes
			n := (i + round) % len(libraries)
			s, err := b.getRound(ctx, libraries[n], path)
			if err != nil {
				return fmt.Errorf("%s: %w", libraries[n].name, err)
			}
			samples[n] = append(samples[n], s)
		}
	}
	of := func(n int, value func(sample) float64) float64 {
		var v []float64
		for _, s := range samples[n] {
			v = append(v, value(s))
		}
		return median(v)
	}
	add := func(unit, target string, value func(sample) float64, met func(original, ours float64) bool) {
		r := row{name: "get 100 B, 64 goroutines, one connection", unit: unit, target: target}
		r.original, r.compat, r.ours = of(0, value), of(1, value), of(2, value)
		r.met = met(r.original, r.ours)
		b.table.add(r)
	}
	atMost := func(limit float64) func(_, ours float64) bool {
		return func(_, ours float64) bool { return ours <= limit }
	}
	add("operations/s", ">= 4x", func(s sample) float64 { return s.perSecond }, func(original, ours float64) bool { return ours >= 4*original })
	add("allocations each", "<= 4", func(s sample) float64 { return s.allocations }, atMost(4))
	add("write calls each", "<= 0.1", func(s sample) float64 { return s.writes }, atMost(0.1))
	add("read calls each", "", func(s sample) float64 { return s.reads }, atMost(0))
	return nil
}

func (b *bed) getRound(ctx context.Context, lib library, path string) (sample, error) {
	var reads, writes atomic.Int64
	dial := func(network, addr string) (net.Conn, error) {
		nc, err := net.Dial(network, addr)
		return counted{nc, &reads, &writes}, err
	}
	s, err := lib.open(ctx, b.addr, dial)
	if err != nil {
		return sample{}, err
	}
	defer s.close()
	if _, _, err := load(ctx, s, path, warmUp); err != nil {
		return sample{}, err
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r, w := reads.Load(), writes.Load()
	done, took, err := load(ctx, s, path, time.Duration(b.seconds*float64(time.Second)))
	runtime.ReadMemStats(&after)
	n := float64(done)
	return sample{
		perSecond:   n / took.Seconds(),
		allocations: float64(after.Mallocs-before.Mallocs) / n,
		writes:      float64(writes.Load()-w) / n,
		reads:       float64(reads.Load()-r) / n,
	}, err
}

// load reads for a time, and counts.
func load(ctx context.Context, s session, path string, d time.Duration) (int64, time.Duration, error) {
	var stop atomic.Bool
	var done atomic.Int64
	errs := make([]error, goroutines)
	var all sync.WaitGroup
	began := time.Now()
	for i := range goroutines {
		all.Go(func() {
			n := int64(0)
			for ; !stop.Load() && errs[i] == nil; n++ {
				errs[i] = s.get(path)
			}
			done.Add(n)
		})
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	stop.Store(true)
	all.Wait()
	return done.Load(), time.Since(began), errors.Join(errs...)
}

const idleConnections = 200

// idle opens connections and looks at the memory of the process.
func idle(ctx context.Context, b *bed) error {
	r := row{name: "idle connection", unit: "KiB of heap and stacks", target: "<= 64"}
	for i, to := range []*float64{&r.original, &r.compat, &r.ours} {
		kib, err := b.idleOf(ctx, libraries[i])
		if err != nil {
			return fmt.Errorf("%s: %w", libraries[i].name, err)
		}
		*to = kib
	}
	r.met = r.ours <= 64
	b.table.add(r)
	return nil
}

func (b *bed) idleOf(ctx context.Context, lib library) (float64, error) {
	before := inUse()
	var sessions []session
	for range idleConnections {
		s, err := lib.open(ctx, b.addr, plain)
		if err != nil {
			return 0, err
		}
		sessions = append(sessions, s)
	}
	after := inUse()
	var all sync.WaitGroup
	for _, s := range sessions {
		all.Go(s.close)
	}
	all.Wait()
	return float64(after-before) / 1024 / idleConnections, nil
}

// inUse is the memory of objects and stacks.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // pools are emptied by the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
