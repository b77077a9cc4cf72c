package main

import (
	"context"
	"errors"
)

// memberLoad is one line of load of the ensemble suite, over 30 connections to all members.
func memberLoad(args ...string) []string { return append(args, "--connections", "30") }

// ensembleWorkloads in the order in which they run on one ensemble.
var ensembleWorkloads = []workload{
	{name: "three members: get, 20 deep", args: memberLoad("get"), ops: timesAtLeast(7), cpu: timesAtMost(1.0 / 10)},
	{name: "three members: set, 20 deep", args: memberLoad("set"), ops: timesAtLeast(8), cpu: timesAtMost(1.0 / 10)},
	{name: "three members: set, depth 1", args: memberLoad("set", "--depth", "1"), ops: timesAtLeast(2), cpu: timesAtMost(1.0 / 3)},
	{name: "three members: create, 20 deep", args: memberLoad("create", "--keep"), ops: timesAtLeast(7), cpu: timesAtMost(1.0 / 8)},
}

// ensemble runs every workload on ensembles of each server, in turn, and compares medians.
func ensemble(ctx context.Context, c *comparison) error {
	return c.inTurn(ctx, c.subjects, ensembleWorkloads, c.ensembleRound)
}

// ensembleRound runs all workloads on one fresh ensemble.
func (c *comparison) ensembleRound(ctx context.Context, s subject, round int, all []samples) (err error) {
	t, err := c.freshTrio(ctx, s, nil)
	defer func() { err = errors.Join(err, c.finishTrio(t)) }()
	if err != nil {
		return err
	}
	return c.runAll(ctx, t.together(), ensembleWorkloads, round, all)
}
