package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/quollhq/quoll/internal/bench"
)

// workload is one line of load of the throughput suite.
type workload struct {
	name     string // in the table
	args     []string
	least    bool
	ops, cpu target // closed loop
	p99      target // open loop
	p999     target
}

// workloads in the order in which they run on one server; creates come last, they leave their znodes behind.
var workloads = []workload{
	{name: "get, 20 deep", args: []string{"get"}, least: true, ops: timesAtLeast(7), cpu: timesAtMost(1.0 / 10)},
	{name: "set, 20 deep", args: []string{"set"}, least: true, ops: timesAtLeast(5), cpu: timesAtMost(1.0 / 6)},
	{name: "get, depth 1", args: []string{"get", "--depth", "1"}, least: true, ops: timesAtLeast(1.8), cpu: timesAtMost(2.0 / 5)},
	{name: "set, depth 1", args: []string{"set", "--depth", "1"}, least: true, ops: timesAtLeast(1.5), cpu: timesAtMost(1.0 / 2)},
	{name: "get, 20,000/s offered", least: true, args: []string{"get", "--rate", "20000"}, p99: timesAtMost(1.0 / 3), p999: timesAtMost(1.0 / 5)},
	{name: "set, 20,000/s offered", least: true, args: []string{"set", "--rate", "20000"}, p99: timesAtMost(1.0 / 3), p999: timesAtMost(1.0 / 5)},
	{name: "create, 20 deep", args: []string{"create", "--keep"}, least: true, ops: timesAtLeast(5), cpu: timesAtMost(1.0 / 7)},
}

// samples are the results of one workload by server, one per round.
type samples map[string][]*bench.Result

// throughput runs every workload on every server, the servers in turn, and compares medians.
func throughput(ctx context.Context, c *comparison) error {
	subjects := c.subjects
	if c.least {
		subjects = append(slices.Clone(subjects), least{binary: c.binary})
	}
	return c.inTurn(ctx, subjects, workloads, c.round)
}

// inTurn runs rounds of workloads on the servers in turn, and compares medians.
func (c *comparison) inTurn(ctx context.Context, subjects []subject, workloads []workload,
	run func(ctx context.Context, s subject, round int, all []samples) error) error {
	all := make([]samples, len(workloads))
	for i := range all {
		all[i] = samples{}
	}
	var errs []error
	for round := range c.rounds {
		for i := range subjects {
			// Who comes first changes, so that a machine that gets slower is unfair to both.
			s := subjects[(i+round)%len(subjects)]
			if err := run(ctx, s, round, all); err != nil {
				errs = append(errs, fmt.Errorf("round %d: %w", round+1, err))
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	for i, w := range workloads {
		w.report(c.report, all[i])
	}
	return errors.Join(errs...)
}

// round runs all workloads on one fresh server.
func (c *comparison) round(ctx context.Context, s subject, round int, all []samples) (err error) {
	p, err := c.fresh(ctx, s, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.finish(p)) }()
	return c.runAll(ctx, p, workloads, round, all)
}

// runAll runs workloads on a server that is there.
func (c *comparison) runAll(ctx context.Context, p *process, workloads []workload, round int, all []samples) error {
	s := p.subject
	_, isLeast := s.(least)
	for i, w := range workloads {
		if isLeast && !w.least {
			continue
		}
		if w.p99.Kind != "" {
			// What the closed loops have left to the kernel, dirty pages and freed memory, would be in these latencies.
			rest(ctx)
		}
		res, err := c.bench(ctx, p, append(w.args, c.times()...)...)
		if err != nil {
			return err
		}
		c.say("round %d %-7s %-30s %9.0f/s  server %6.2f us  load %5.2f us  p99 %8.0f us  p99.9 %8.0f us", round+1, s.name(),
			w.name, res.OpsPerSec, cpuOf(res), res.Client.CPUPerOp, latencyOf(res).P99, latencyOf(res).P999)
		all[i][s.name()] = append(all[i][s.name()], res)
	}
	return nil
}

// report adds the medians of a workload to the table.
func (w workload) report(r *report, s samples) {
	add := func(what, unit string, t target, value func(*bench.Result) float64) {
		f := figure{Name: w.name + what, Unit: unit, Target: t}
		for name, results := range s {
			var v []float64
			for _, res := range results {
				v = append(v, value(res))
			}
			f.set(name, median(v))
		}
		r.add(f)
	}
	if w.ops.Kind != "" {
		add("", "operations/s", w.ops, func(r *bench.Result) float64 { return r.OpsPerSec })
		add("", "us of server CPU each", w.cpu, cpuOf)
		return
	}
	add(", p99", "us", w.p99, func(r *bench.Result) float64 { return latencyOf(r).P99 })
	add(", p99.9", "us", w.p999, func(r *bench.Result) float64 { return latencyOf(r).P999 })
	add(", p99.9 of the time until the load sent it", "us", target{}, lateOf)
	add("", "us of server CPU each", target{}, cpuOf)
}

func cpuOf(r *bench.Result) float64 {
	if r.Server == nil {
		return 0
	}
	return r.Server.CPUPerOp
}

// lateOf is how late the load was with its operations, whoever the server is: the machine's part of p99.9.
func lateOf(r *bench.Result) float64 {
	if r.Late == nil {
		return 0
	}
	return r.Late.P999
}

// latencyOf is the distribution of a run of one kind of operation.
func latencyOf(r *bench.Result) bench.Latency { return r.Latency[r.Workload] }

var errNoPhase = errors.New("the load did not report the phase")

// phaseOf is a phase of a run by name.
func phaseOf(r *bench.Result, name string) (bench.Phase, error) {
	for _, p := range r.Phases {
		if p.Name == name {
			return p, nil
		}
	}
	return bench.Phase{}, fmt.Errorf("%s: %w", name, errNoPhase)
}
