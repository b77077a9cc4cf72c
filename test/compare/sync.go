package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quollhq/quoll/internal/bench"
)

const (
	// offered is the load while a learner is brought in line, in writes per second.
	offered = 2_000
	// before is how long writes are counted without a learner.
	before = 4 * time.Second
)

// catchUp is a way in which a learner that lacks many znodes gets them.
type catchUp struct {
	name string
	keys map[string]string
	base float64 // how many it has, for each that it lacks
}

// catchUps are the two ways. The log is sent if it is short beside the state.
var catchUps = []catchUp{
	{"state (SNAP)", nil, 0},
	{"log (DIFF), with half as many again", map[string]string{"snapshotSizeFactor": "1"}, 1.5},
}

// syncLearner measures how long a learner that was away takes until it serves, and what is left of the writes meanwhile.
func syncLearner(ctx context.Context, c *comparison) error {
	var errs []error
	for _, way := range catchUps {
		name := fmt.Sprintf("learner %s znodes behind, by the %s", number(float64(c.znodes)), way.name)
		took := figure{Name: name, Unit: "s from its start until it serves", Target: atMost(1.5)}
		share := figure{Name: name + ", " + number(offered) + " sets/s offered", Unit: "% of them go on", Target: atLeast(80)}
		gap := figure{Name: share.Name, Unit: "ms without a write"}
		if way.keys != nil {
			took.Target, share.Target = target{}, target{}
		}
		errs = append(errs, c.each(ctx, func(s subject) error {
			r, err := c.catchUp(ctx, s, way)
			if err != nil {
				return err
			}
			took.set(s.name(), r.took.Seconds())
			share.set(s.name(), 100*r.share)
			gap.set(s.name(), r.gap)
			c.say("%-7s %s: in sync after %v, %.0f %% of the writes meanwhile, longest gap %.0f ms", s.name(), way.name, r.took, 100*r.share, r.gap)
			return nil
		}))
		c.show(took, share, gap)
	}
	return errors.Join(errs...)
}

// caughtUp is how a learner came back.
type caughtUp struct {
	took  time.Duration
	share float64 // of the writes before
	gap   float64 // ms
}

// catchUp lets a follower miss many znodes, and brings it back while there are writes.
func (c *comparison) catchUp(ctx context.Context, s subject, way catchUp) (r caughtUp, err error) {
	t, err := c.freshTrio(ctx, s, way.keys)
	defer func() { err = errors.Join(err, c.finishTrio(t)) }()
	if err != nil {
		return r, err
	}
	leader, err := t.leader(ctx)
	if err != nil {
		return r, err
	}
	if n := int64(way.base * float64(c.znodes)); n > 0 {
		if _, err := c.fill(ctx, t.members[leader], "/base", n, manyParents); err != nil {
			return r, err
		}
	}
	away := (leader + 1) % members
	if err := t.signal(away, syscall.SIGTERM); err != nil {
		return r, err
	}
	if _, err := c.fill(ctx, t.members[leader], "/fill", c.znodes, manyParents); err != nil {
		return r, err
	}
	rest(ctx)
	type written struct {
		res *bench.Result
		err error
	}
	done := make(chan written, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		res, err := c.bench(ctx, t.members[leader], "set", "--root", "/fill", "--existing", "--keys", fmt.Sprint(c.znodes),
			"--parents", strconv.Itoa(manyParents), "--rate", strconv.Itoa(offered), "--warmup", "3s", "--duration", "15s")
		done <- written{res, err}
	}()
	r.took, r.share, err = t.comeBack(ctx, leader, away)
	if err != nil {
		cancel()
		<-done
		return r, err
	}
	w := <-done
	if w.err == nil {
		r.gap = w.res.Stalls.LongestGap
	}
	return r, w.err
}

// comeBack starts the member that is away, under a load that has begun.
func (t *trio) comeBack(ctx context.Context, leader, away int) (took time.Duration, share float64, err error) {
	time.Sleep(4 * time.Second) // the load has looked at the znodes and is warm
	usual, err := t.rate(ctx, leader, func() error { time.Sleep(before); return nil })
	if err != nil {
		return 0, 0, err
	}
	during, err := t.rate(ctx, leader, func() error {
		if err := t.relaunch(away); err != nil {
			return err
		}
		took, err = t.members[away].waitGently(ctx)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	if usual == 0 {
		return 0, 0, errors.New("there were no writes before the member came back")
	}
	return took, during / usual, nil
}

// waitGently is waitReady that leaves the machine to those who are measured, and so sees it a moment later.
func (p *process) waitGently(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	const pause = 5 * time.Millisecond
	for {
		if a := probe(ctx, p.addr); a.err == nil {
			return a.at.Sub(p.started), nil
		}
		select {
		case <-time.After(pause):
		case <-p.exited:
			return 0, fmt.Errorf("%s ended before it served:\n%s", p.subject.name(), p.tail())
		case <-ctx.Done():
			return 0, fmt.Errorf("%s does not serve after %v:\n%s", p.subject.name(), time.Since(p.started), p.tail())
		}
	}
}

// rate is how many transactions per second there are while something is done.
func (t *trio) rate(ctx context.Context, leader int, during func() error) (float64, error) {
	from, err := t.members[leader].zxid(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := during(); err != nil {
		return 0, err
	}
	took := time.Since(began)
	to, err := t.members[leader].zxid(ctx)
	return float64(to-from) / took.Seconds(), err
}

// zxid is how far a member has come.
func (p *process) zxid(ctx context.Context) (int64, error) {
	text, err := p.word(ctx, "srvr")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(text, "Zxid: 0x")
	digits, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseInt(strings.TrimSpace(digits), 16, 64)
}
