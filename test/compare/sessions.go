package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/quollhq/quoll/internal/bench"
)

// manySessions is many for one server; more than that are spread over several in practice.
const manySessions = 10_000

// watch measures what a watch costs, and how fast many sessions hear of one change.
func watch(ctx context.Context, c *comparison) error {
	each := figure{Name: "1,000,000 watches, 100 sessions on 10,000 znodes", Unit: "bytes resident each", Target: atMost(100)}
	alone := figure{Name: "1,000,000 watches, one session on 1,000,000 znodes", Unit: "bytes resident each", Target: atMost(100)}
	told := figure{Name: "10,000 sessions watch one znode", Unit: "ms until all are told", Target: atMost(100)}
	err := c.each(ctx, func(s subject) error {
		many, err := c.onFresh(ctx, s, "watch", "--connections", "100", "--keys", "10000", "--tell-all=false")
		if err != nil {
			return err
		}
		single, err := c.onFresh(ctx, s, "watch", "--connections", "1", "--depth", "200", "--keys", "1000000", "--parents", strconv.Itoa(manyParents), "--tell-all=false")
		if err != nil {
			return err
		}
		one, err := c.onFresh(ctx, s, "watch", "--connections", fmt.Sprint(manySessions), "--keys", "1")
		if err != nil {
			return err
		}
		a, errA := phaseOf(many, "watch")
		b, errB := phaseOf(single, "watch")
		t, errT := phaseOf(one, "tell one")
		if err := errors.Join(errA, errB, errT); err != nil {
			return err
		}
		each.set(s.name(), a.BytesEach)
		alone.set(s.name(), b.BytesEach)
		told.set(s.name(), t.Seconds*1e3)
		c.say("%-7s %.0f and %.0f bytes per watch, %d sessions told in %.1f ms", s.name(), a.BytesEach, b.BytesEach, manySessions, t.Seconds*1e3)
		return nil
	})
	c.show(each, alone, told)
	return err
}

// idle measures what a session that does nothing costs.
func idle(ctx context.Context, c *comparison) error {
	each := figure{Name: "10,000 idle sessions", Unit: "KB resident each", Target: atMost(10)}
	err := c.each(ctx, func(s subject) error {
		res, err := c.onFresh(ctx, s, "idle", "--connections", fmt.Sprint(manySessions), "--hold", "12s")
		if err != nil {
			return err
		}
		p, err := phaseOf(res, "hold")
		if err != nil {
			return err
		}
		each.set(s.name(), p.BytesEach/1024)
		c.say("%-7s %.1f KB per idle session", s.name(), p.BytesEach/1024)
		return nil
	})
	c.show(each)
	return err
}

// idleEnsemble measures the CPU that sessions take by being there, of all members together.
func idleEnsemble(ctx context.Context, c *comparison) error {
	busy := figure{Name: "three members, 10,000 idle sessions", Unit: "% of one core, all members", Target: atMost(2)}
	err := c.each(ctx, func(s subject) (err error) {
		t, err := c.freshTrio(ctx, s, nil)
		defer func() { err = errors.Join(err, c.finishTrio(t)) }()
		if err != nil {
			return err
		}
		res, err := c.bench(ctx, t.together(), "idle", "--connections", fmt.Sprint(manySessions), "--hold", "40s")
		if err != nil {
			return err
		}
		p, err := phaseOf(res, "hold")
		if err != nil {
			return err
		}
		if res.Server == nil {
			return errors.New("the CPU of the members could not be read")
		}
		share := 100 * res.Server.CPUSeconds / p.Seconds
		busy.set(s.name(), share)
		c.say("%-7s %.2f %% of one core", s.name(), share)
		return nil
	})
	c.show(busy)
	return err
}

// onFresh runs one load on a fresh server.
func (c *comparison) onFresh(ctx context.Context, s subject, args ...string) (res *bench.Result, err error) {
	// No snapshot of the znodes that the load makes: what is kept for it would count as well.
	p, err := c.fresh(ctx, s, neverSnapshot)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.finish(p)) }()
	return c.bench(ctx, p, args...)
}
