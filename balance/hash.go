package balance

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// Sizes of the tables that hash policies make.
const (
	pointsPerWeight = 160     // on the ring; so shares are right within some 8 %
	maxRing         = 1 << 20 // points
	maglevSize      = 65537   // a prime; Envoy's default
)

// hashed is the part that hash policies have in common: a call without a key
// goes to any target.
type hashed struct{ set }

// any draws a target for a call without a key.
func (h *hashed) any() *Target { return h.draw() }

// Ring takes the target that follows the key on a ring of hashes, on which
// each has points by its weight. When one comes or goes, about its share of
// the keys moves, and no others.
func Ring() Policy { return new(ring) }

type ring struct {
	hashed
	points []point
}

type point struct {
	at uint64
	t  *Target
}

func (p *ring) Update(now Set) {
	p.Set = now
	p.points = p.points[:0:0]
	// The points of one do not depend on who else there is, as long as there is
	// room for all.
	for _, t := range now.Up {
		n := min(t.BaseWeight()*pointsPerWeight, float64(maxRing/len(now.Up)))
		for i := range max(int(n), 1) {
			p.points = append(p.points, point{xxhash.Sum64String(t.ID + "_" + strconv.Itoa(i)), t})
		}
	}
	slices.SortFunc(p.points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.t.ID, b.t.ID))
	})
}

func (p *ring) Pick(key string) *Target {
	if key == "" || len(p.points) == 0 {
		return p.any()
	}
	h := xxhash.Sum64String(key)
	i := sort.Search(len(p.points), func(i int) bool { return p.points[i].at >= h })
	return p.points[i%len(p.points)].t
}

// Rendezvous takes the target that scores highest with the key, by weight
// (highest random weight). It moves the least keys of all and has no table, but
// looks at each target.
func Rendezvous() Policy { return new(rendezvous) }

type rendezvous struct{ hashed }

func (p *rendezvous) Pick(key string) *Target {
	if key == "" {
		return p.any()
	}
	return highest(p.Up, key, func(*Target) bool { return true })
}

// highest is the target with the highest score of those that will do.
func highest(targets []*Target, key string, does func(*Target) bool) *Target {
	var best *Target
	most := math.Inf(-1)
	h := xxhash.Sum64String(key)
	for _, t := range targets {
		if score := score(h, t); score > most && does(t) {
			best, most = t, score
		}
	}
	return best
}

// score is -w/ln(u), where u in (0, 1) is the hash of key and target: the
// probability that it is the highest is the target's share of the weight.
func score(key uint64, t *Target) float64 {
	u := (float64(mix(key^xxhash.Sum64String(t.ID))>>11) + 0.5) / (1 << 53)
	return -t.BaseWeight() / math.Log(u)
}

// mix spreads the bits of a hash (the finalizer of splitmix64).
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// Maglev takes the target from a table that the targets have filled in turns,
// each in its own order and by its weight, as in Google's Maglev. A pick is one
// look; when a target comes or goes, few keys of others move.
func Maglev() Policy { return new(maglev) }

type maglev struct {
	hashed
	table []*Target
}

// filler is a target that fills the table.
type filler struct {
	t        *Target
	at, skip uint32 // its next slot, and how far it is to the one after that
	credit   float64
}

// slot is its next slot: it goes through all of them.
func (f *filler) slot() uint32 {
	at := f.at
	if f.at += f.skip; f.at >= maglevSize {
		f.at -= maglevSize
	}
	return at
}

func (p *maglev) Update(now Set) {
	p.Set, p.table = now, nil
	if len(now.Up) == 0 {
		return
	}
	p.table = make([]*Target, maglevSize)
	fillers, heaviest := make([]filler, len(now.Up)), 0.0
	for i, t := range now.Up {
		h := xxhash.Sum64String(t.ID)
		fillers[i] = filler{t: t, at: uint32(h % maglevSize), skip: uint32(mix(h)%(maglevSize-1) + 1)}
		heaviest = max(heaviest, t.BaseWeight())
	}
	for filled := 0; filled < maglevSize; {
		for i := range fillers {
			f := &fillers[i]
			if f.credit += f.t.BaseWeight() / heaviest; f.credit < 1 || filled == maglevSize {
				continue // it has its turn less often than the heaviest
			}
			f.credit--
			at := f.slot()
			for p.table[at] != nil {
				at = f.slot()
			}
			p.table[at] = f.t
			filled++
		}
	}
}

func (p *maglev) Pick(key string) *Target {
	if key == "" || len(p.table) == 0 {
		return p.any()
	}
	return p.table[xxhash.Sum64String(key)%maglevSize]
}

// Bounded takes what a hash policy takes, unless that target already has more
// than its share of the calls under way, times the factor: then the next one in
// an order that depends on the key alone. Factors from 1.25 to 2 are usual; it is
// at least 1.
func Bounded(inner Policy, factor float64) Policy {
	return &bounded{inner: inner, factor: max(factor, 1)}
}

type bounded struct {
	set
	inner  Policy
	factor float64
	weight float64
}

func (p *bounded) Update(now Set) {
	p.Set, p.weight = now, 0
	for _, t := range now.Up {
		p.weight += t.BaseWeight()
	}
	p.inner.Update(now)
}

func (p *bounded) Pick(key string) *Target {
	t := p.inner.Pick(key)
	if t == nil {
		return nil
	}
	calls := 1
	for _, other := range p.Up {
		calls += other.InFlight()
	}
	room := func(t *Target) bool {
		return float64(t.InFlight()) < math.Ceil(p.factor*float64(calls)*t.BaseWeight()/p.weight)
	}
	if room(t) {
		return t
	}
	if other := highest(p.Up, key, room); other != nil {
		return other
	}
	return t // calls have come meanwhile
}
