package peer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/zab"
	"github.com/quollhq/quoll/internal/zab/quorum"
)

// Membership is a configuration as the agreement takes it.
func Membership(m config.Membership) (*zab.Membership, error) {
	z := &zab.Membership{Version: m.Version, Text: []byte(m.String())}
	var voters []int64
	for _, s := range m.Members {
		observer := s.Role == config.ObserverRole
		z.Members = append(z.Members, zab.Member{ID: s.ID, Observer: observer, Addr: quorumAddress(s)})
		if !observer {
			voters = append(voters, s.ID)
		}
	}
	var err error
	if z.Quorum, err = system(m, voters); err != nil {
		return nil, fmt.Errorf("configuration %x: %w", uint64(m.Version), err)
	}
	return z, nil
}

// quorumAddress is where a member listens for its learners.
func quorumAddress(s config.Member) string {
	var b strings.Builder
	for _, a := range s.Addrs {
		fmt.Fprintf(&b, "%s|%d ", a.Host, a.Quorum)
	}
	return b.String()
}

func system(m config.Membership, voters []int64) (quorum.System, error) {
	if !m.Hierarchical() {
		return quorum.Majority(voters...)
	}
	var groups []quorum.Group
	for _, g := range m.Groups {
		group := quorum.Group{}
		for _, id := range g.Members {
			group[id] = m.Weights[id]
		}
		groups = append(groups, group)
	}
	return quorum.Hierarchy(groups...)
}

// parse reads a configuration that another member has sent.
func (p *Peer) parse(text []byte) (*zab.Membership, error) {
	m, err := config.ParseMembership(string(text), p.cfg.MultiAddress)
	if err != nil {
		return nil, err
	}
	z, err := Membership(m)
	if err == nil {
		z.Text = text
	}
	return z, err
}

// directory is where the members of the configurations that are known can be found. While the ports of a member change it
// has the old and the new ones.
type directory struct {
	active, lastSeen *zab.Membership // that it is made of
	election, quorum map[int64][]wire.Address
	own              map[int64]ports // of the members of the active one
}

// ports are where a member listens.
type ports struct{ election, quorum []wire.Address }

func newDirectory(multi bool, active, lastSeen *zab.Membership) (*directory, error) {
	d := &directory{active: active, lastSeen: lastSeen, election: map[int64][]wire.Address{}, quorum: map[int64][]wire.Address{}, own: map[int64]ports{}}
	for _, z := range []*zab.Membership{active, lastSeen} {
		m, err := config.ParseMembership(string(z.Text), multi)
		if err != nil {
			return nil, err
		}
		for _, s := range m.Members {
			for _, a := range s.Addrs {
				addOnce(d.election, s.ID, wire.Address{Host: a.Host, Port: uint16(a.Election)})
				addOnce(d.quorum, s.ID, wire.Address{Host: a.Host, Port: uint16(a.Quorum)})
			}
			if z == active {
				d.own[s.ID] = ports{slices.Clone(d.election[s.ID]), slices.Clone(d.quorum[s.ID])}
			}
		}
	}
	return d, nil
}

func addOnce(to map[int64][]wire.Address, sid int64, a wire.Address) {
	if !slices.Contains(to[sid], a) {
		to[sid] = append(to[sid], a)
	}
}
