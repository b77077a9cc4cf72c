package chaos

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	seedFlag = flag.Uint64("seed", 1, "which faults there are, in which order and for how long; 0 for any")
	longFlag = flag.Duration("long", 0, "how long faults are done; 0 for each kind once")
)

// seeded is what a run is drawn from.
func seeded(t *testing.T, stream uint64) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed %d", seed)
	return rand.New(rand.NewPCG(seed, stream))
}

// TestFaults does faults to three and to five members while clients write and read.
func TestFaults(t *testing.T) {
	needNamespaces(t)
	t.Parallel()
	for _, size := range []int{3, 5} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			r := seeded(t, uint64(size))
			// With five, all reads show the present.
			present := size == 5
			c := newCluster(t, size, size, fmt.Sprintf("linearizableReads=%v", present))
			underLoad(t, c, r, func(load *workload) error {
				load.present.Store(present)
				return allFaults(t, c, load, r)
			})
		})
	}
}

// allFaults does faults in turn, each kind at least once.
func allFaults(t *testing.T, c *cluster, load *workload, r *rand.Rand) error {
	n, next := &nemesis{c}, schedule(rand.New(rand.NewPCG(r.Uint64(), 0)), len(c.members))
	began := time.Now()
	for i := 0; i < len(faults) || time.Since(began) < *longFlag; i++ {
		f := next()
		before := load.acked.Load()
		if err := n.do(f); err != nil {
			return err
		}
		load.generation.Add(1)
		t.Logf("%6.1f s: %v; %d operations", time.Since(began).Seconds(), f, load.acked.Load()-before)
	}
	return nil
}

// underLoad is a whole run: faults while clients work, then the end of all faults, then what must hold.
func underLoad(t *testing.T, c *cluster, r *rand.Rand, faults func(*workload) error) {
	load := &workload{history: newHistory()}
	load.prepare(t, c, r)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for i := range workers {
		w := load.worker(t, i, c.addrs(), rand.New(rand.NewPCG(r.Uint64(), 1)))
		group.Go(func() {
			w.run(ctx)
			_ = w.c.Detach()
		})
	}
	err := faults(load)
	stop()
	group.Wait()
	if err != nil {
		t.Fatal(err)
	}
	c.allServe()
	ended(t, c, load)
	load.history.check(t, deletes)
}

// ended reads everything, from each member: what was acknowledged is there, on all of them.
func ended(t *testing.T, c *cluster, load *workload) {
	contents := map[string]string{}
	for i, m := range c.members {
		w := load.worker(t, workers+1+i, []string{m.addr()}, rand.New(rand.NewPCG(0, 0)))
		var b strings.Builder
		for step := range load.generation.Load() + 1 {
			for k := range keysAtOnce {
				name := key(step, k)
				w.do(t.Context(), input{kind: read, key: name, how: onePiece})
				data, stat, err := w.c.Get(t.Context(), name)
				if err != nil && outcomeOf(err) != noNode {
					t.Fatalf("member %d: %v", m.id, err)
				}
				fmt.Fprintf(&b, "%s %q %+v\n", name, data, stat)
			}
		}
		w.c.Close()
		contents[b.String()] = fmt.Sprint(contents[b.String()], " ", m.id)
	}
	if len(contents) > 1 {
		t.Errorf("the members differ: %d states", len(contents))
		for content, who := range contents {
			t.Logf("members%s:\n%s", who, content)
		}
	}
}
