package bench

import "fmt"

// pickMode says which of the existing znodes an operation goes to.
type pickMode int

const (
	pickUniform pickMode = iota
	pickSequential
	pickZipf
)

var pickNames = map[string]pickMode{"uniform": pickUniform, "sequential": pickSequential, "zipf": pickZipf}

func parsePick(s string) (pickMode, error) {
	m, ok := pickNames[s]
	if !ok {
		return 0, fmt.Errorf("unknown --pick %q (uniform, sequential or zipf)", s)
	}
	return m, nil
}

// existingKey chooses among the znodes that were there before; the creates
// of a multi make new ones.
func (l *lane) existingKey(k kind) int64 {
	if k == kindMulti && l.multiCreates {
		return l.created.Add(1) - 1
	}
	if l.existing <= 0 {
		return 0
	}
	switch l.pick {
	case pickSequential:
		l.seq++
		return l.seq % l.existing
	case pickZipf:
		return int64(l.zipf.Uint64())
	}
	return int64(below(l.rng, uint64(l.existing)))
}
