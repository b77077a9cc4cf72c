package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// members is how many an ensemble has.
const members = 3

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
	p, err := c.freshEnsemble(ctx, s)
	if p != nil {
		defer func() {
			for _, m := range append(p.others, p) {
				err = errors.Join(err, c.finish(m))
			}
		}()
	}
	if err != nil {
		return err
	}
	return c.runAll(ctx, p, ensembleWorkloads, round, all)
}

// freshEnsemble starts members on new, empty directories. What it returns with an error is to be finished, too.
func (c *comparison) freshEnsemble(ctx context.Context, s subject) (first *process, err error) {
	keys := map[string]string{"initLimit": "10", "syncLimit": "5"}
	for i := range members {
		quorum, err := freeAddr()
		if err != nil {
			return nil, err
		}
		election, err := freeAddr()
		if err != nil {
			return nil, err
		}
		_, port, err := net.SplitHostPort(election)
		if err != nil {
			return nil, err
		}
		keys[fmt.Sprintf("server.%d", i+1)] = quorum + ":" + port
	}
	var started []*process
	for i := range members {
		p, err := c.launchMember(s, i+1, keys)
		if err != nil {
			return first, err
		}
		if started = append(started, p); first == nil {
			first = p
		} else {
			first.others = append(first.others, p)
		}
	}
	for _, p := range started {
		if err := p.waitReady(ctx); err != nil {
			return first, err
		}
	}
	return first, nil
}

func (c *comparison) launchMember(s subject, id int, keys map[string]string) (*process, error) {
	dir, err := os.MkdirTemp(c.work, fmt.Sprintf("%s-%d-", s.name(), id))
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(data, "myid"), fmt.Appendln(nil, id), 0o644); err != nil {
		return nil, err
	}
	return c.launch(s, dir, keys)
}
