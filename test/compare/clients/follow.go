package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/recipe/cache"
)

const (
	cached      = 100_000
	subscribers = 1_000
	changes     = 5
)

// fillCache makes many nodes and fills a cache with them.
func fillCache(ctx context.Context, b *bed) error {
	c, err := client.Dial(ctx, b.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := plant(ctx, c); err != nil {
		return err
	}
	var v []float64
	for range b.rounds {
		began := time.Now()
		t, err := cache.Open(ctx, c, "/cached", cache.Bytes)
		if err != nil {
			return err
		}
		v = append(v, time.Since(began).Seconds())
		n := t.Len()
		t.Close()
		if n < cached {
			return fmt.Errorf("the cache has %d nodes", n)
		}
	}
	mid := median(v)
	b.table.add(row{name: "cache of 100,000 nodes", unit: "s until it is filled", original: none, compat: none, ours: mid, target: "<= 1", met: mid <= 1})
	return nil
}

// plant makes 100 parents with 1,000 children of 100 B each.
func plant(ctx context.Context, c *client.Client) error {
	const parents = 100
	if err := c.EnsurePath(ctx, "/cached", client.Persistent); err != nil {
		return err
	}
	errs := make([]error, parents)
	var all sync.WaitGroup
	for i := range parents {
		all.Go(func() {
			parent := fmt.Sprintf("/cached/p%d", i)
			ops := []client.Op{client.CreateOp(parent, nil)}
			for j := range cached / parents {
				ops = append(ops, client.CreateOp(fmt.Sprintf("%s/n%d", parent, j), make([]byte, valueSize)))
			}
			_, errs[i] = c.Multi(ctx, ops...)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// settings is an application's configuration.
type settings struct{ Revision int }

// configChange publishes to many subscribers, each with a connection of its own, and waits until all have it.
func configChange(ctx context.Context, b *bed) error {
	c, err := client.Dial(ctx, b.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	publisher := configcenter.New(c)
	publish := func(n int) error {
		_, err := publisher.Publish(ctx, "bench", configcenter.Change{Set: map[string]string{"revision": fmt.Sprint(n)}, Reason: "bench"})
		return err
	}
	if err := publish(1); err != nil {
		return err
	}
	type arrival struct {
		revision int
		at       time.Time
		err      error
	}
	arrived := make(chan arrival, subscribers)
	follow, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer func() { stop(); all.Wait() }()
	for i := range subscribers {
		c, err := client.Dial(ctx, b.addr, client.WithSessionTimeout(sessionTimeout))
		if err != nil {
			return err
		}
		app := configcenter.App{Name: "bench", Instance: fmt.Sprint("i", i)}
		live, err := configcenter.Open(ctx, configcenter.New(c), app, configcenter.Options[settings]{})
		if err != nil {
			return errors.Join(err, c.Close())
		}
		all.Go(func() {
			defer c.Close()
			defer live.Close()
			for s, err := range live.Changes(follow) {
				if follow.Err() != nil {
					return
				}
				a := arrival{at: time.Now(), err: err}
				if err == nil {
					a.revision = s.Revision
				}
				arrived <- a
			}
		})
	}
	await := func(revision int) (last time.Time, err error) {
		for n := 0; n < subscribers; {
			select {
			case a := <-arrived:
				if a.err != nil {
					return last, a.err
				}
				if a.revision == revision {
					n, last = n+1, a.at
				}
			case <-ctx.Done():
				return last, ctx.Err()
			}
		}
		return last, nil
	}
	if _, err := await(1); err != nil {
		return err
	}
	time.Sleep(3 * time.Second) // until all have said which revision they run
	var v []float64
	for n := range changes {
		began := time.Now()
		if err := publish(n + 2); err != nil {
			return err
		}
		last, err := await(n + 2)
		if err != nil {
			return err
		}
		v = append(v, float64(last.Sub(began).Microseconds())/1e3)
		time.Sleep(3 * time.Second)
	}
	mid := median(v)
	b.table.add(row{name: "configuration change, 1,000 subscribers", unit: "ms until all have it", original: none, compat: none, ours: mid, target: "<= 100", met: mid <= 100})
	return nil
}
