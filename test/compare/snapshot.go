package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/quollhq/quoll/internal/bench"
)

// neverSnapshot and oftenSnapshot are configurations. At 20,000 writes per second, of 200 bytes in the log each, the second
// one begins a snapshot every one to two seconds, so that one is nearly always being written. quoll's snapshots are
// then due by the length of the log: by count they wait until it is long beside the last one.
var (
	neverSnapshot = map[string]string{"snapCount": "1000000000", "snapSizeLimitInKb": "-1"}
	oftenSnapshot = map[string]string{"snapCount": "40000", "snapSizeLimitInKb": "8192"}
)

// snapshot measures writes at a fixed rate on many znodes, without snapshots and with one being written all the time.
func snapshot(ctx context.Context, c *comparison) error {
	name := "set on " + number(float64(c.znodes)) + " znodes, 20,000/s offered"
	ratio := figure{Name: name + ", while snapshots are written", Unit: "times the p99.9 without", Target: atMost(2)}
	with := figure{Name: name + ", while snapshots are written", Unit: "us p99.9"}
	without := figure{Name: name + ", no snapshot", Unit: "us p99.9"}
	empty := figure{Name: ratio.Name, Unit: "seconds without a write", Target: atMost(0)}
	err := c.each(ctx, func(s subject) error {
		quiet, err := c.writeOver(ctx, s, neverSnapshot)
		if err != nil {
			return err
		}
		busy, err := c.writeOver(ctx, s, oftenSnapshot)
		if err != nil {
			return err
		}
		without.set(s.name(), latencyOf(quiet).P999)
		with.set(s.name(), latencyOf(busy).P999)
		ratio.set(s.name(), latencyOf(busy).P999/latencyOf(quiet).P999)
		empty.set(s.name(), float64(busy.Stalls.Empty1s))
		return nil
	})
	c.show(without, with, ratio, empty)
	return err
}

// writeOver fills a fresh server and sets its znodes at a fixed rate.
func (c *comparison) writeOver(ctx context.Context, s subject, keys map[string]string) (res *bench.Result, err error) {
	p, err := c.fresh(ctx, s, keys)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.finish(p)) }()
	if _, err := c.fill(ctx, p, "/fill", c.znodes, manyParents); err != nil {
		return nil, err
	}
	rest(ctx)
	before := snapshots(p)
	seconds := strconv.FormatFloat(max(15, c.seconds), 'f', -1, 64) + "s"
	res, err = c.bench(ctx, p, "set", "--root", "/fill", "--existing", "--keys", fmt.Sprint(c.znodes), "--parents",
		strconv.Itoa(manyParents), "--rate", "20000", "--warmup", "3s", "--duration", seconds)
	if err != nil {
		return nil, err
	}
	written := snapshots(p) - before
	c.say("%-7s %d snapshots meanwhile: p99.9 %.0f us, longest gap %.1f ms", s.name(), written, latencyOf(res).P999, res.Stalls.LongestGap)
	if count := keys["snapCount"]; count == oftenSnapshot["snapCount"] && written == 0 {
		return nil, fmt.Errorf("%s wrote no snapshot within %s although snapCount is %s", s.name(), seconds, count)
	}
	return res, nil
}

// snapshots counts those of a server.
func snapshots(p *process) int {
	files, _ := filepath.Glob(filepath.Join(p.dir, "data", "version-2", "snapshot.*"))
	return len(files)
}
