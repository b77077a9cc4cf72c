package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/quollhq/quoll/internal/bench"
)

// loadWait bounds one run of the load beyond what it is told to take: filling and cleaning up.
const loadWait = 10 * time.Minute

// bench runs `quoll bench` against a server, in a process of its own, and keeps its result for the report.
func (c *comparison) bench(ctx context.Context, p *process, args ...string) (*bench.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, loadWait)
	defer cancel()
	args = append([]string{"bench", "-o", "json", "--server", p.servers(), "--server-pid", p.pids()}, args...)
	cmd := exec.CommandContext(ctx, c.binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	runErr := cmd.Run()
	var res bench.Result
	if err := json.Unmarshal(out.Bytes(), &res); err != nil || runErr != nil {
		return nil, fmt.Errorf("%s on %s: %w: %s\nits log ends:\n%s", strings.Join(args, " "), p.subject.name(),
			errors.Join(runErr, err), bytes.TrimSpace(errs.Bytes()), p.tail())
	}
	c.report.Runs = append(c.report.Runs, run1{Subject: p.subject.name(), Result: res})
	if len(res.Errors) > 0 {
		return &res, fmt.Errorf("%s on %s: errors %v\nits log ends:\n%s", strings.Join(args, " "), p.subject.name(), res.Errors, p.tail())
	}
	return &res, nil
}

// times are the flags for the length of a steady run.
func (c *comparison) times() []string {
	d := func(s float64) string { return time.Duration(s * float64(time.Second)).String() }
	return []string{"--duration", d(c.seconds), "--warmup", d(c.warmup)}
}

// fill creates znodes of 100 bytes and keeps them.
func (c *comparison) fill(ctx context.Context, p *process, root string, n int64, parents int) (*bench.Result, error) {
	return c.bench(ctx, p, "fill", "--root", root, "--keep", "--keys", fmt.Sprint(n), "--parents", strconv.Itoa(parents))
}
