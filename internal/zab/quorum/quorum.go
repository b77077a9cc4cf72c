// Package quorum counts votes: which sets of servers may decide for all.
//
// Any two quorums of one system share a member; everything that the agreement
// promises rests on that. There are two systems, as in Apache's servers: the
// majority of the voters, and groups of servers with weights, where more than
// half of the weight in more than half of the groups is needed.
package quorum

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// System is a quorum system. It is immutable and can be shared.
type System interface {
	// Contains tells whether the servers that in says yes to form a quorum.
	Contains(in func(id int64) bool) bool
	// Weight is what a server's vote counts. A server of weight 0 never leads.
	Weight(id int64) int64
	// Voters are the servers that vote, ascending. Callers do not change it.
	Voters() []int64
}

// ErrSystem is what every refusal of a system wraps.
var ErrSystem = errors.New("quorum system")

// IsVoter tells whether id votes in s.
func IsVoter(s System, id int64) bool {
	_, ok := slices.BinarySearch(s.Voters(), id)
	return ok
}

// Set is a helper for sets that are maps.
func Set[V any](m map[int64]V) func(int64) bool {
	return func(id int64) bool {
		_, ok := m[id]
		return ok
	}
}

type majority []int64

// Majority is the system in which more than half of the voters decide.
func Majority(voters ...int64) (System, error) {
	m := slices.Clone(voters)
	slices.Sort(m)
	if len(m) == 0 {
		return nil, fmt.Errorf("%w: it has no voter", ErrSystem)
	}
	if len(slices.Compact(slices.Clone(m))) != len(m) {
		return nil, fmt.Errorf("%w: a voter stands twice in %v", ErrSystem, m)
	}
	return majority(m), nil
}

func (m majority) Contains(in func(int64) bool) bool {
	n := 0
	for _, id := range m {
		if in(id) {
			n++
		}
	}
	return n > len(m)/2
}

func (m majority) Weight(id int64) int64 {
	if IsVoter(m, id) {
		return 1
	}
	return 0
}

func (m majority) Voters() []int64 { return m }

// Group is one group of a hierarchical system: the weights of its servers.
type Group map[int64]int64

type hierarchy struct {
	voters []int64
	groups []Group
	sums   []int64
	needed int // so many groups, at least
}

// Hierarchy is the system of weighted groups. A group whose weights are all 0
// does not count. Every server is in one group at most.
func Hierarchy(groups ...Group) (System, error) {
	h := &hierarchy{}
	counted := 0
	for _, g := range groups {
		var sum int64
		for id, w := range g {
			if w < 0 || sum > 1<<62-w {
				return nil, fmt.Errorf("%w: server %d has weight %d", ErrSystem, id, w)
			}
			sum += w
			h.voters = append(h.voters, id)
		}
		h.groups = append(h.groups, maps.Clone(g))
		h.sums = append(h.sums, sum)
		if sum > 0 {
			counted++
		}
	}
	slices.Sort(h.voters)
	if counted == 0 {
		return nil, fmt.Errorf("%w: no group has weight", ErrSystem)
	}
	if len(slices.Compact(slices.Clone(h.voters))) != len(h.voters) {
		return nil, fmt.Errorf("%w: a server stands in two groups", ErrSystem)
	}
	h.needed = counted/2 + 1
	return h, nil
}

func (h *hierarchy) Contains(in func(int64) bool) bool {
	won := 0
	for i, g := range h.groups {
		var sum int64
		for id, w := range g {
			if in(id) {
				sum += w
			}
		}
		if sum > h.sums[i]/2 {
			won++
		}
	}
	return won >= h.needed
}

func (h *hierarchy) Weight(id int64) int64 {
	for _, g := range h.groups {
		if w, ok := g[id]; ok {
			return w
		}
	}
	return 0
}

func (h *hierarchy) Voters() []int64 { return h.voters }
