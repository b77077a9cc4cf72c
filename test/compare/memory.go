package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/quollhq/quoll/internal/bench"
)

// manyParents spreads znodes as services do.
const manyParents = 1000

// memory fills both servers and reads what a znode costs them.
func memory(ctx context.Context, c *comparison) error {
	each := figure{Name: fmt.Sprintf("%s znodes of 100 B", number(float64(c.znodes))), Unit: "bytes resident each", Target: atMost(200)}
	live := figure{Name: each.Name, Unit: "bytes live after a collection each"}
	fillRate := figure{Name: each.Name, Unit: "created/s"}
	flat := figure{Name: each.Name + " under one parent", Unit: "bytes resident each", Target: atMost(200)}
	list := figure{Name: "their parent's children", Unit: "ms to list"}
	err := c.each(ctx, func(s subject) error {
		spread, err := c.fillFresh(ctx, s, c.znodes, manyParents)
		if err != nil {
			return err
		}
		one, err := c.fillFresh(ctx, s, c.znodes, 1)
		if err != nil {
			return err
		}
		each.set(s.name(), spread.bytesEach)
		if spread.liveEach > 0 {
			live.set(s.name(), spread.liveEach)
		}
		fillRate.set(s.name(), spread.rate)
		flat.set(s.name(), one.bytesEach)
		list.set(s.name(), one.listMS)
		return nil
	})
	c.show(each, live, fillRate, flat, list)
	if c.big > 0 && c.only != "apache" {
		err = errors.Join(err, collection(ctx, c))
	}
	return err
}

// filled is what filling a fresh server showed.
type filled struct {
	bytesEach float64
	liveEach  float64 // Apache: on its heap after a full collection
	rate      float64
	listMS    float64 // under one parent: the parent's children
}

// fillFresh fills a fresh server. What it holds is read when it has come to rest.
func (c *comparison) fillFresh(ctx context.Context, s subject, n int64, parents int) (out filled, err error) {
	p, err := c.fresh(ctx, s, nil)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, c.finish(p)) }()
	liveBefore := liveHeap(ctx, p)
	res, err := c.fill(ctx, p, "/fill", n, parents)
	if err != nil {
		return out, err
	}
	rest(ctx)
	after, err := residentBytes(p.pid())
	if err != nil {
		return out, err
	}
	out.bytesEach = float64(after-res.Server.Before.RSS) / float64(n)
	out.rate = res.OpsPerSec
	if live := liveHeap(ctx, p); live > 0 {
		out.liveEach = float64(live-liveBefore) / float64(n)
	}
	if parents == 1 {
		list, err := c.bench(ctx, p, "children", "--root", "/fill", "--existing", "--connections", "1", "--depth", "1", "--ops", "5", "--keys", fmt.Sprint(n))
		if err != nil {
			return out, err
		}
		out.listMS = latencyOf(list).P50 / 1e3
	}
	c.say("%-7s %d znodes under %d: %.0f bytes each, %.0f live, %.0f created/s, children listed in %.0f ms",
		s.name(), n, parents, out.bytesEach, out.liveEach, out.rate, out.listMS)
	return out, nil
}

// rest gives a server the time to finish what it does behind a load: snapshots, collections.
func rest(ctx context.Context) {
	select {
	case <-time.After(5 * time.Second):
	case <-ctx.Done():
	}
}

// residentBytes reads VmRSS.
func residentBytes(pid int) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if kb, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kb), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}

var totalLine = regexp.MustCompile(`(?m)^Total\s+\d+\s+(\d+)`)

// liveHeap is the bytes on the heap of a Java server after a full collection, 0 for others.
func liveHeap(ctx context.Context, p *process) int64 {
	if p.subject.name() != "apache" {
		return 0
	}
	out, err := exec.CommandContext(ctx, "jcmd", strconv.Itoa(p.pid()), "GC.class_histogram").Output()
	if err != nil {
		return 0
	}
	m := totalLine.FindSubmatch(out)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return n
}

// collection fills quoll with many znodes, loads it, and reads what its garbage collections did meanwhile.
func collection(ctx context.Context, c *comparison) (err error) {
	// Fewer snapshots: they would fill the disk, not the heap.
	p, err := c.fresh(ctx, quoll{binary: c.binary}, map[string]string{"snapCount": fmt.Sprint(c.big / 2), "snapSizeLimitInKb": "-1"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.finish(p)) }()
	res, err := c.fill(ctx, p, "/fill", c.big, manyParents)
	if err != nil {
		return err
	}
	var loaded *bench.Result
	for _, w := range []string{"get", "set", "mixed"} {
		args := []string{w, "--root", "/fill", "--existing", "--keys", fmt.Sprint(c.big), "--parents", strconv.Itoa(manyParents)}
		if loaded, err = c.bench(ctx, p, append(args, c.times()...)...); err != nil {
			return err
		}
		c.say("quoll   %s on %d znodes: %.0f/s, longest gap %.1f ms", w, c.big, loaded.OpsPerSec, loaded.Stalls.LongestGap)
	}
	after, err := residentBytes(p.pid())
	if err != nil {
		return err
	}
	gc, err := readCollections(p.logPath())
	if err != nil {
		return err
	}
	name := number(float64(c.big)) + " znodes"
	each := float64(after-res.Server.Before.RSS) / float64(c.big)
	c.report.add(figure{Name: name, Unit: "bytes resident each", Quoll: &each})
	c.report.add(figure{Name: name, Unit: "ms, longest collector pause", Quoll: &gc.longest, Target: atMost(1)})
	c.report.add(figure{Name: name, Unit: "% of time in the collector", Quoll: &gc.share, Target: atMost(5)})
	return nil
}

// collections is what a Go program's garbage collector reported.
type collections struct {
	count   int
	longest float64 // stop of the world, milliseconds
	share   float64 // percent of the program's time since its start
}

// gcLine is a line of GODEBUG=gctrace=1: stop of the world, concurrent part, stop of the world.
var gcLine = regexp.MustCompile(`^gc \d+ @[\d.]+s (\d+)%: ([\d.]+)\+[\d.]+\+([\d.]+) ms clock`)

func readCollections(log string) (collections, error) {
	f, err := os.Open(log)
	if err != nil {
		return collections{}, err
	}
	defer f.Close()
	var c collections
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := gcLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		c.count++
		c.share, _ = strconv.ParseFloat(m[1], 64)
		for _, s := range m[2:] {
			pause, _ := strconv.ParseFloat(s, 64)
			c.longest = max(c.longest, pause)
		}
	}
	return c, lines.Err()
}
