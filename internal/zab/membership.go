package zab

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/quollhq/quoll/internal/zab/quorum"
)

// Member is a server of an ensemble.
type Member struct {
	ID       int64
	Observer bool
	// Addr is where learners connect to it. It is compared, never used: a leader
	// whose address changes does not stay leader.
	Addr string
}

// Membership is one configuration of an ensemble. It is immutable.
type Membership struct {
	// Version is the zxid of the reconfiguration that made it, 0 at the beginning.
	Version int64
	// Text is how it travels.
	Text    []byte
	Members []Member
	Quorum  quorum.System
}

// Member is the member with the id.
func (m *Membership) Member(id int64) (Member, bool) {
	i := slices.IndexFunc(m.Members, func(s Member) bool { return s.ID == id })
	if i < 0 {
		return Member{}, false
	}
	return m.Members[i], true
}

func (m *Membership) isVoter(id int64) bool { return quorum.IsVoter(m.Quorum, id) }

// same tells whether two configurations differ in their version at most.
func (m *Membership) same(o *Membership) bool {
	return slices.Equal(m.Members, o.Members) && slices.Equal(m.Quorum.Voters(), o.Quorum.Voters()) &&
		!slices.ContainsFunc(m.Quorum.Voters(), func(id int64) bool { return m.Quorum.Weight(id) != o.Quorum.Weight(id) })
}

// valid says what is wrong with a configuration.
func (m *Membership) valid() error {
	if m == nil || m.Quorum == nil {
		return fmt.Errorf("%w: a configuration without a quorum system", ErrConfig)
	}
	for _, id := range m.Quorum.Voters() {
		if s, ok := m.Member(id); !ok || s.Observer {
			return fmt.Errorf("%w: voter %d is no participant", ErrConfig, id)
		}
	}
	return nil
}

// view is the configuration in force and the one that shall follow it. While
// they differ, every decision needs a quorum of both.
type view struct {
	active   *Membership
	lastSeen *Membership // version >= active's
	// activeDecides is a planted bug: a quorum of active is enough.
	activeDecides bool
}

func (v *view) pending() bool { return v.lastSeen.Version > v.active.Version }

// isVoter tells whether id votes in the one or the other.
func (v *view) isVoter(id int64) bool {
	return v.active.isVoter(id) || v.pending() && v.lastSeen.isVoter(id)
}

// voters are those of both, ascending.
func (v *view) voters() []int64 {
	ids := slices.Clone(v.active.Quorum.Voters())
	if v.pending() {
		ids = append(ids, v.lastSeen.Quorum.Voters()...)
		slices.Sort(ids)
		ids = slices.Compact(ids)
	}
	return ids
}

// hasQuorum tells whether those that in names are a quorum of both.
func (v *view) hasQuorum(in func(int64) bool) bool {
	return v.active.Quorum.Contains(in) && (!v.pending() || v.activeDecides || v.lastSeen.Quorum.Contains(in))
}

// hasAnyQuorum tells whether those that in names are a quorum of one of both.
func (v *view) hasAnyQuorum(in func(int64) bool) bool {
	return v.active.Quorum.Contains(in) || v.pending() && v.lastSeen.Quorum.Contains(in)
}

func appendHex(b []byte, v int64) []byte { return strconv.AppendUint(b, uint64(v), 16) }
