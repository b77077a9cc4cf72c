package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const startRounds = 5

// startUp measures empty starts, and the first read of a server that has many znodes to load.
func startUp(ctx context.Context, c *comparison) error {
	ready := figure{Name: "empty server", Unit: "ms to ready", Target: atMost(50)}
	rss := figure{Name: "empty server", Unit: "MB resident", Target: atMost(15)}
	first := figure{Name: number(float64(c.znodes)) + " znodes", Unit: "ms from start to first read", Target: atMost(500)}
	err := c.each(ctx, func(s subject) error {
		r, m, err := c.emptyStarts(ctx, s)
		if err != nil {
			return err
		}
		f, err := c.fullStarts(ctx, s)
		if err != nil {
			return err
		}
		ready.set(s.name(), r)
		rss.set(s.name(), m)
		first.set(s.name(), f)
		c.say("%-7s ready in %.0f ms with %.1f MB; first of %d znodes read after %.0f ms", s.name(), r, m, c.znodes, f)
		return nil
	})
	c.show(ready, rss, first)
	return err
}

// emptyStarts are medians of the time to ready in milliseconds and of the memory held then, in MB.
func (c *comparison) emptyStarts(ctx context.Context, s subject) (readyMS, residentMB float64, err error) {
	var times, sizes []float64
	for range startRounds {
		p, err := c.fresh(ctx, s, nil)
		if err != nil {
			return 0, 0, err
		}
		size, err := residentBytes(p.pid())
		times = append(times, float64(p.ready.Microseconds())/1e3)
		sizes = append(sizes, float64(size)/(1<<20))
		if err := errors.Join(err, c.finish(p)); err != nil {
			return 0, 0, err
		}
	}
	return median(times), median(sizes), nil
}

// fullStarts is the median time from a start on a full directory to the first read, in milliseconds. The directory is
// in the page cache: what is measured is the server, not the disk.
func (c *comparison) fullStarts(ctx context.Context, s subject) (ms float64, err error) {
	p, err := c.fresh(ctx, s, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.finish(p)) }()
	if _, err := c.fill(ctx, p, "/fill", c.znodes, manyParents); err != nil {
		return 0, err
	}
	rest(ctx)
	var times []float64
	for range startRounds {
		if err := p.stop(); err != nil {
			return 0, err
		}
		next, err := c.start(ctx, s, p.dir, nil)
		if err != nil {
			return 0, err
		}
		p = next
		took, err := p.firstRead(ctx, fmt.Sprintf("/fill/p%05d/k%09d", 7, 7))
		if err != nil {
			return 0, err
		}
		times = append(times, float64(took.Microseconds())/1e3)
	}
	return median(times), nil
}

// firstRead is the time from the server's start to the first successful read.
func (p *process) firstRead(ctx context.Context, path string) (time.Duration, error) {
	s, err := openSession(ctx, p.addr)
	if err != nil {
		return 0, err
	}
	defer s.close()
	if err := s.read(path); err != nil {
		return 0, err
	}
	return time.Since(p.started), nil
}
