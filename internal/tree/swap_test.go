package tree

import (
	"math/rand/v2"
	"testing"
)

// Two trees that exchange what they hold go on as if each had always held it.
func TestSwap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	drivers := []*driver{newDriver(t, Options{ExtendedTypes: true}, r.IntN), newDriver(t, Options{ExtendedTypes: true}, r.IntN)}
	for i, d := range drivers {
		for range 300 * (i + 1) {
			d.step()
		}
	}
	for range 3 {
		for _, d := range drivers {
			for len(d.views) > 0 {
				d.closeView(0)
			}
		}
		one, two := drivers[0], drivers[1]
		one.t.Lock()
		one.t.Swap(two.t)
		one.t.Unlock()
		one.t, two.t = two.t, one.t // each model stays with what it is of
		for _, d := range drivers {
			for range 100 {
				d.step()
			}
			d.checkAll()
		}
	}
	for _, d := range drivers {
		d.close()
	}
}

func TestSwapRefusesViews(t *testing.T) {
	one, two := New(), New()
	defer one.Close()
	defer two.Close()
	one.Lock()
	v := one.Freeze()
	one.Unlock()
	defer v.Close()
	defer func() {
		if recover() == nil {
			t.Error("swapped a tree that a View was of")
		}
	}()
	two.Swap(one)
}
