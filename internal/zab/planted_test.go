package zab_test

import (
	"cmp"
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/zab"
	"github.com/quollhq/quoll/internal/zab/zabsim"
)

var consequencesFlag = flag.Bool("consequences", false, "find planted bugs only by what users would notice; some need many schedules")

// planted is a bug and how a simulation has it.
type planted struct {
	ticket, what string
	opts         zabsim.Options
}

// plantedBugs are the bugs of the agreement and those of a disk below it.
func plantedBugs() []planted {
	var list []planted
	for _, b := range zab.Bugs {
		list = append(list, planted{b.Ticket, b.What, zabsim.Options{Prepare: b.Plant}})
	}
	return append(list,
		planted{"ZOOKEEPER-2872", "a snapshot of which a crash left a part counts as whole", zabsim.Options{TornSnapshots: true}},
		planted{"ZOOKEEPER-3701", "a log that could not be cut is gone on with", zabsim.Options{TruncationIgnored: true}},
		planted{"", "a failed sync is taken for a good one", zabsim.Options{SyncFailureIgnored: true}},
	)
}

// enoughForAll is within how many schedules all of them are found.
const enoughForAll = 20_000

// TestPlanted plants each bug, and wants the simulation to find it.
func TestPlanted(t *testing.T) {
	limit := cmp.Or(*schedulesFlag, plantedLimit)
	bugs := plantedBugs()
	slices.SortFunc(bugs, func(a, b planted) int { return cmp.Compare(a.ticket, b.ticket) })
	for _, b := range bugs {
		t.Run(cmp.Or(b.ticket, b.what), func(t *testing.T) {
			b.opts.Consequences = *consequencesFlag
			_, bad := simulate(*seedFlag, limit, time.Now().Add(time.Hour), b.opts, func(zabsim.Report) {})
			switch {
			case bad != nil:
			case limit < enoughForAll:
				t.Skipf("not within %d schedules", limit)
			default:
				t.Fatalf("%s: not found within %d schedules", b.what, limit)
			}
			t.Logf("| %s | %s | %d | %.120s |", b.ticket, b.what, bad.Seed, bad.Err)
		})
	}
}
