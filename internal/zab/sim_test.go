package zab_test

import (
	"cmp"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/zab/zabsim"
)

var (
	seedFlag      = flag.Uint64("seed", 1, "the first seed of the simulation")
	schedulesFlag = flag.Int("schedules", 0, "how many schedules to simulate, 0 for the usual number and at most a minute")
	traceFlag     = flag.Bool("narrate", false, "print everything that happens in the simulation")
)

// simulate runs n seeds from first on, no new one after end, and returns how many
// it ran and the first report that is an error, by seed.
func simulate(first uint64, n int, end time.Time, opts zabsim.Options, each func(zabsim.Report)) (int, *zabsim.Report) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // ensembles are small and short-lived
	var next, failed atomic.Uint64
	next.Store(first)
	failed.Store(first + uint64(n))
	var mu sync.Mutex
	var ran int
	var worst *zabsim.Report
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := next.Add(1) - 1; seed < failed.Load() && time.Now().Before(end); seed = next.Add(1) - 1 {
				rep := zabsim.Run(seed, opts)
				mu.Lock()
				ran++
				each(rep)
				if rep.Err != nil && (worst == nil || rep.Seed < worst.Seed) {
					worst = &rep
					failed.Store(rep.Seed)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return ran, worst
}

// TestSimulation runs whole ensembles through faults of every kind.
func TestSimulation(t *testing.T) {
	n, end := usualSchedules, time.Now().Add(time.Minute)
	if testing.Short() {
		n /= 10
	}
	if *schedulesFlag > 0 {
		n, end = *schedulesFlag, time.Now().Add(1000*time.Hour)
	}
	var opts zabsim.Options
	if *traceFlag {
		opts.Trace = func(line string) { fmt.Println(line) }
	}
	var sum zabsim.Report
	faults := map[string]int{}
	began := time.Now()
	ran, bad := simulate(*seedFlag, n, end, opts, func(r zabsim.Report) {
		sum.Events += r.Events
		sum.Commits += r.Commits
		sum.Terms += r.Terms
		sum.Reads += r.Reads
		sum.Virtual += r.Virtual
		for k, v := range r.Faults {
			faults[k] += v
		}
	})
	if bad != nil {
		t.Fatalf("%v\nin a world of %s\nreplay: go test ./internal/zab -run 'TestSimulation$' -schedules 1 -narrate -seed %d", bad.Err, bad.World, bad.Seed)
	}
	t.Logf("%d schedules of %d, %.0f a minute; %d events, %d commits, %d terms, %d confirmed reads, %v of virtual time, faults %v",
		ran, n, float64(ran)/time.Since(began).Minutes(), sum.Events, sum.Commits, sum.Terms, sum.Reads, sum.Virtual, faults)
}

// TestSyncs is TestSimulation with syncs of learners.
func TestSyncs(t *testing.T) {
	reads := 0
	ran, bad := simulate(*seedFlag, cmp.Or(*schedulesFlag, usualSchedules/20), time.Now().Add(time.Minute), zabsim.Options{Syncs: true},
		func(r zabsim.Report) { reads += r.Reads })
	if bad != nil {
		t.Fatalf("seed %d: %v\nin a world of %s", bad.Seed, bad.Err, bad.World)
	}
	t.Logf("%d schedules, %d confirmed reads and syncs", ran, reads)
}

// TestMasters is TestSyncs with observers that followers feed.
func TestMasters(t *testing.T) {
	reads := 0
	opts := zabsim.Options{Syncs: true, Masters: true}
	if *traceFlag {
		opts.Trace = func(line string) { fmt.Println(line) }
	}
	ran, bad := simulate(*seedFlag, cmp.Or(*schedulesFlag, usualSchedules/20), time.Now().Add(time.Minute), opts,
		func(r zabsim.Report) { reads += r.Reads })
	if bad != nil {
		t.Fatalf("seed %d: %v\nin a world of %s", bad.Seed, bad.Err, bad.World)
	}
	t.Logf("%d schedules, %d confirmed reads and syncs", ran, reads)
}

// TestResyncs is TestSimulation with states that differ from what the log makes of them.
func TestResyncs(t *testing.T) {
	found := 0
	ran, bad := simulate(*seedFlag, cmp.Or(*schedulesFlag, usualSchedules/20), time.Now().Add(time.Minute), zabsim.Options{Resyncs: true},
		func(r zabsim.Report) { found += r.Faults["differing state"] })
	if bad != nil {
		t.Fatalf("seed %d: %v\nin a world of %s", bad.Seed, bad.Err, bad.World)
	}
	t.Logf("%d schedules, %d states differed", ran, found)
}

// TestReplay runs a seed twice: nothing may depend on anything but the seed.
func TestReplay(t *testing.T) {
	told := func() string {
		var b strings.Builder
		rep := zabsim.Run(7, zabsim.Options{Trace: func(line string) { b.WriteString(line + "\n") }})
		return fmt.Sprintf("%s%+v", b.String(), rep)
	}
	if first, again := told(), told(); first != again {
		t.Fatal("the same seed tells two stories")
	}
}
