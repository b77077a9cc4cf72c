package balance

import "github.com/cespare/xxhash/v2"

// overprovision is how much more than its part the own zone is trusted to take,
// as Envoy's overprovisioning factor of priorities.
const overprovision = 1.4

// ZoneFirst calls the targets of a zone as long as enough of them are up: with the
// part h of them up, the part min(1, 1.4 h) of the calls stays there, the rest
// spills over to the other zones. Within and outside are the policies for the two:
//
//	balance.ZoneFirst("eu-1a", balance.RoundRobin(), balance.RoundRobin())
func ZoneFirst(zone string, within, outside Policy) Policy {
	return &zoneFirst{zone: zone, within: within, outside: outside}
}

type zoneFirst struct {
	zone            string
	within, outside Policy
	stay            float64 // part of the calls
	rand            Rand
}

func (p *zoneFirst) Update(now Set) {
	own, others := Set{Rand: now.Rand}, Set{Rand: now.Rand}
	for _, t := range now.All {
		s := &others
		if t.Zone == p.zone {
			s = &own
		}
		s.All = append(s.All, t)
	}
	for _, t := range now.Up {
		s := &others
		if t.Zone == p.zone {
			s = &own
		}
		s.Up = append(s.Up, t)
	}
	p.rand = now.Rand
	switch {
	case len(own.Up) == 0:
		p.stay = 0
	case len(others.Up) == 0:
		p.stay = 1
	default:
		p.stay = overprovision * float64(len(own.Up)) / float64(len(own.All))
	}
	p.within.Update(own)
	p.outside.Update(others)
}

func (p *zoneFirst) Pick(key string) *Target {
	if p.stay >= 1 || p.stay > 0 && p.draw(key) < p.stay {
		return p.within.Pick(key)
	}
	return p.outside.Pick(key)
}

// draw is the same for the same key, so that a key that need not spill over
// stays.
func (p *zoneFirst) draw(key string) float64 {
	if key == "" {
		return p.rand.Float()
	}
	return Rand(func() uint64 { return mix(xxhash.Sum64String(key)) }).Float()
}
