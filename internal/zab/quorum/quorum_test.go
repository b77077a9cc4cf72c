package quorum

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// dumb decides by the definition, in another way than the package does.
func dumb(groups []Group, set []int64) bool {
	counted, won := 0, 0
	for _, g := range groups {
		var all, have int64
		for id, w := range g {
			all += w
			if slices.Contains(set, id) {
				have += w
			}
		}
		if all == 0 {
			continue
		}
		counted++
		if 2*have > all {
			won++
		}
	}
	return 2*won > counted
}

func draw(r *rand.Rand) ([]Group, []int64) {
	var groups []Group
	var all []int64
	for range 1 + r.IntN(4) {
		g := Group{}
		for range 1 + r.IntN(4) {
			id := int64(len(all) + 1)
			g[id] = int64(r.IntN(4))
			all = append(all, id)
		}
		groups = append(groups, g)
	}
	return groups, all
}

func subset(r *rand.Rand, all []int64) []int64 {
	var s []int64
	for _, id := range all {
		if r.IntN(2) == 0 {
			s = append(s, id)
		}
	}
	return s
}

func contains(s System, set []int64) bool {
	return s.Contains(func(id int64) bool { return slices.Contains(set, id) })
}

func TestHierarchyAgainstDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		groups, all := draw(r)
		s, err := Hierarchy(groups...)
		if err != nil {
			continue // no weight at all
		}
		a, b := subset(r, all), subset(r, all)
		if got, want := contains(s, a), dumb(groups, a); got != want {
			t.Fatalf("%v in %v: quorum %v, want %v", a, groups, got, want)
		}
		if contains(s, a) && contains(s, b) && !slices.ContainsFunc(a, func(id int64) bool { return slices.Contains(b, id) }) {
			t.Fatalf("quorums %v and %v of %v share nobody", a, b, groups)
		}
	}
}

func TestMajorityIsOneGroupOfEqualWeight(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := int64(1); n < 8; n++ {
		g, all := Group{}, []int64{}
		for id := n; id > 0; id-- {
			g[id] = 1
			all = append(all, id)
		}
		m, err := Majority(all...)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			if s := subset(r, all); contains(m, s) != dumb([]Group{g}, s) {
				t.Fatalf("%v of %d", s, n)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	if _, err := Majority(); err == nil {
		t.Error("nobody votes, and it is a system")
	}
	if _, err := Majority(1, 2, 1); err == nil {
		t.Error("one votes twice")
	}
	if _, err := Hierarchy(Group{1: 0}, Group{2: 0}); err == nil {
		t.Error("no weight, and it is a system")
	}
	if _, err := Hierarchy(Group{1: 1}, Group{1: 1}); err == nil {
		t.Error("one server in two groups")
	}
	if _, err := Hierarchy(Group{1: -1}); err == nil {
		t.Error("negative weight")
	}
	h, _ := Hierarchy(Group{1: 3, 2: 0})
	if h.Weight(1) != 3 || h.Weight(2) != 0 || h.Weight(9) != 0 || !IsVoter(h, 2) || IsVoter(h, 9) {
		t.Error("weights or voters")
	}
}
