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

// A View shows what it did after its tree was exchanged, and closed.
func TestViewOutlivesSwap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	d := newDriver(t, Options{}, r.IntN)
	for range 500 {
		d.step()
	}
	d.t.Lock()
	d.views = append(d.views, frozen{d.t.Freeze(), d.m.clone()})
	other := New(Options{poison: true})
	d.t.Swap(other)
	d.t.Unlock()
	must(t, d.t.Check())
	must(t, other.Check())
	slab := other.slab
	other.Close()
	for _, f := range d.views {
		compareView(t, f.v, f.m)
		if slab.Usage().Used == 0 {
			t.Fatal("memory was given back under a View")
		}
		f.v.Close()
	}
	if slab.Usage().Mapped != 0 {
		t.Fatal("memory was kept without a View")
	}
	d.t.Close()
}
