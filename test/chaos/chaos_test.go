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
	seedFlag = flag.Uint64("seed", 0, "which faults there are, in which order and for how long; 0 for any")
	longFlag = flag.Duration("long", 0, "how long faults are done; 0 for each kind once")
)

// TestFaults does faults to three and to five members while clients write and read.
func TestFaults(t *testing.T) {
	needNamespaces(t)
	for _, size := range []int{3, 5} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			seed := *seedFlag
			if seed == 0 {
				seed = rand.Uint64()
			}
			t.Logf("-seed %d", seed)
			r := rand.New(rand.NewPCG(seed, uint64(size)))
			underFaults(t, newCluster(t, size, size), r)
		})
	}
}

// underFaults is a whole run: work and faults, then the end of all faults, then what must hold.
func underFaults(t *testing.T, c *cluster, r *rand.Rand) {
	load := &workload{history: newHistory()}
	next := schedule(rand.New(rand.NewPCG(r.Uint64(), 0)), len(c.members))
	first := load.worker(t, workers, c.addrs(), r)
	defer first.c.Close()
	if _, err := first.c.Create(t.Context(), "/r", nil); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for i := range workers {
		w := load.worker(t, i, c.addrs(), rand.New(rand.NewPCG(r.Uint64(), 1)))
		group.Go(func() {
			w.run(ctx)
			_ = w.c.Detach()
		})
	}
	n := &nemesis{c}
	began := time.Now()
	for i := 0; i < len(faults) || time.Since(began) < *longFlag; i++ {
		f := next()
		before := load.acked.Load()
		if err := n.do(f); err != nil {
			t.Error(err)
			break
		}
		load.generation.Add(1)
		t.Logf("%6.1f s: %v; %d operations", time.Since(began).Seconds(), f, load.acked.Load()-before)
	}
	stop()
	group.Wait()
	if t.Failed() {
		return
	}
	c.allServe()
	ended(t, c, load)
	load.history.check(t, deletes)
}

// ended reads everything, from each member: what was acknowledged is there, on all of them.
func ended(t *testing.T, c *cluster, load *workload) {
	t.Helper()
	contents := map[string]string{}
	for i, m := range c.members {
		w := load.worker(t, workers+1+i, []string{m.addr()}, rand.New(rand.NewPCG(0, 0)))
		var b strings.Builder
		for step := range load.generation.Load() + 1 {
			for k := range keysAtOnce {
				name := key(step, k)
				w.do(t.Context(), input{kind: read, key: name})
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
