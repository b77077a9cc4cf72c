package watch

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// handed is how many handles the lists of a watcher hold, and how many of them wait in a sweep.
func handed(m *Manager, id ID) (all, rest int) {
	l := m.roster.lane(id)
	all = int(l.record(id).n)
	if s := l.sweeps[id]; s != nil {
		rest = int(s.rest.n)
	}
	return all + rest, rest
}

// No Add looks at more than a few handles, however many a watcher has, and however many of them are stale.
func TestAddSweepsLittleAtATime(t *testing.T) {
	const (
		watches = 20_000
		most    = 256 // handles that one Add may look at
	)
	m := poisoned(t)
	id := m.Attach()
	path := func(i int) string { return fmt.Sprintf("/p/%d", i) }
	fire := func(i int) { m.Fire(path(i), proto.EventNodeDataChanged, func(ID) {}) }
	longest, swept := 0, 0
	add := func(i int) {
		all, rest := handed(m, id)
		m.Add(id, path(i), Data)
		left, later := handed(m, id)
		looked := 0
		switch {
		case rest > 0:
			looked = rest - later
		case later > 0:
			looked = all + 1 - later
		case left <= all:
			looked = all + 1
		}
		swept += looked
		longest = max(longest, looked)
		if now := m.Len(); left > 3*max(now, watches) {
			t.Fatalf("the list holds %d handles for %d watches", left, now)
		}
	}
	for i := range watches {
		add(i)
	}
	for range 2 { // all are used up, and set again
		for i := range watches {
			fire(i)
		}
		for i := range watches {
			add(i)
		}
	}
	if swept < watches {
		t.Errorf("of %d handles, nearly all stale, %d have been looked at", 2*watches, swept)
	}
	swept = 0
	for i := range 4 * watches { // one is used up, and set again
		fire(i % watches)
		add(i % watches)
	}
	if swept < 4*watches {
		t.Errorf("%d handles have been looked at while %d came", swept, 4*watches)
	}
	if longest > most {
		t.Errorf("one Add has looked at %d handles", longest)
	}
	if n := m.Len(); n != watches {
		t.Errorf("%d watches, want %d", n, watches)
	}
	m.Detach(id)
	if all, _ := handed(m, id); all != 0 || m.Len() != 0 || len(m.roster.lane(id).sweeps) != 0 {
		t.Errorf("%d handles and %d watches are left behind", all, m.Len())
	}
}

// TestSweepsAgreeWithModel does what TestAgreesWithModel does with few watchers of many paths, and looks also while
// their lists are being swept.
func TestSweepsAgreeWithModel(t *testing.T) {
	const nodes = 500
	rng := rand.New(rand.NewPCG(5, 6))
	p := newPair(t)
	p.attach(3)
	during, left := 0, 0 // sweeps under way when all was compared, or their watcher left
	for i := range 24_000 {
		a := uint(rng.IntN(len(p.ids)))
		id, path := p.ids[a], fmt.Sprintf("/node-%d", rng.IntN(nodes))
		l := p.m.roster.lane(id)
		switch op := rng.IntN(100); {
		case op < 55:
			p.add(id, path, Kind(rng.IntN(3)))
		case op < 90:
			p.fire(path, events[rng.IntN(len(events))])
		default:
			p.remove(id, path, types[rng.IntN(len(types))])
		}
		if sweeping := len(l.sweeps) > 0; sweeping && i%100 == 0 {
			during++
			check(t, p.m)
		} else if sweeping && i%999 == 0 {
			left++
			p.detach(a)
			p.attach(1)
			p.compare()
		}
	}
	p.compare()
	if during == 0 || left == 0 {
		t.Errorf("%d sweeps were looked at, %d ended with their watcher", during, left)
	}
}
