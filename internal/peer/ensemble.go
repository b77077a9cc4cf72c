package peer

import (
	"fmt"

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
		z.Members = append(z.Members, zab.Member{ID: s.ID, Observer: observer, Addr: s.String()})
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

// directory is where the members of the configurations that are known can be found.
type directory struct {
	election, quorum map[int64][]wire.Address
}

// newDirectory reads configurations; the first one that has a member counts for it.
func newDirectory(multi bool, configs ...*zab.Membership) (*directory, error) {
	d := &directory{election: map[int64][]wire.Address{}, quorum: map[int64][]wire.Address{}}
	for _, z := range configs {
		m, err := config.ParseMembership(string(z.Text), multi)
		if err != nil {
			return nil, err
		}
		for _, s := range m.Members {
			if _, ok := d.election[s.ID]; ok {
				continue
			}
			for _, a := range s.Addrs {
				d.election[s.ID] = append(d.election[s.ID], wire.Address{Host: a.Host, Port: uint16(a.Election)})
				d.quorum[s.ID] = append(d.quorum[s.ID], wire.Address{Host: a.Host, Port: uint16(a.Quorum)})
			}
		}
	}
	return d, nil
}
