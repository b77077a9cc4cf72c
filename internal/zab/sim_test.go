package zab_test

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/zab/zabsim"
)

var (
	seedFlag      = flag.Uint64("seed", 1, "the first seed of the simulation")
	schedulesFlag = flag.Int("schedules", 0, "how many schedules to simulate, 0 for the usual number")
	traceFlag     = flag.Bool("narrate", false, "print everything that happens in the simulation")
)

// simulate runs seeds from first on, and returns the first report that is an
// error, by seed, or nil.
func simulate(first uint64, n int, opts zabsim.Options, each func(zabsim.Report)) *zabsim.Report {
	var next, failed atomic.Uint64
	next.Store(first)
	failed.Store(first + uint64(n))
	var mu sync.Mutex
	var worst *zabsim.Report
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := next.Add(1) - 1; seed < failed.Load(); seed = next.Add(1) - 1 {
				rep := zabsim.Run(seed, opts)
				mu.Lock()
				if each != nil {
					each(rep)
				}
				if rep.Err != nil && (worst == nil || rep.Seed < worst.Seed) {
					worst = &rep
					failed.Store(rep.Seed)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return worst
}

// TestSimulation runs whole ensembles through faults of every kind.
func TestSimulation(t *testing.T) {
	n := usualSchedules
	if testing.Short() {
		n /= 10
	}
	if *schedulesFlag > 0 {
		n = *schedulesFlag
	}
	var opts zabsim.Options
	if *traceFlag {
		opts.Trace = func(line string) { fmt.Println(line) }
	}
	var events, commits, terms, reads int
	var virtual time.Duration
	faults := map[string]int{}
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // ensembles are small and short-lived
	began := time.Now()
	bad := simulate(*seedFlag, n, opts, func(r zabsim.Report) {
		events += r.Events
		commits += r.Commits
		terms += r.Terms
		reads += r.Reads
		virtual += r.Virtual
		for k, v := range r.Faults {
			faults[k] += v
		}
	})
	if bad != nil {
		t.Fatalf("%v\nin a world of %s\nreplay: go test ./internal/zab -run 'TestSimulation$' -schedules 1 -narrate -seed %d", bad.Err, bad.World, bad.Seed)
	}
	took := time.Since(began)
	t.Logf("%d schedules, %.0f a minute; %d events, %d commits, %d terms, %d confirmed reads, %v of virtual time, faults %v",
		n, float64(n)/took.Minutes(), events, commits, terms, reads, virtual, faults)
}
