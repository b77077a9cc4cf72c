package zab_test

import (
	"cmp"
	"testing"

	"github.com/quollhq/quoll/internal/zab"
	"github.com/quollhq/quoll/internal/zab/zabsim"
)

// TestPlanted plants each bug, and wants the simulation to find it by what it does.
func TestPlanted(t *testing.T) {
	for _, b := range zab.Bugs {
		t.Run(cmp.Or(b.Ticket, b.What), func(t *testing.T) {
			for _, c := range []bool{true, false} {
				opts := zabsim.Options{Prepare: b.Plant, Consequences: c}
				bad := simulate(1, 4000, opts, nil)
				if bad == nil {
					t.Errorf("consequences %v: not found", c)
					continue
				}
				t.Logf("consequences %v: seed %d: %v", c, bad.Seed, bad.Err)
			}
		})
	}
}
