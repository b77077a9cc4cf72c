package zab

import (
	"errors"
	"fmt"
)

// errMoved ends a role because a reconfiguration gave this server another one,
// or gave it another leader.
var errMoved = errors.New("a reconfiguration changed the role or the leader")

// parse reads a configuration.
func (p *Peer) parse(text []byte) (*Membership, error) {
	if p.opts.Parse == nil {
		return nil, fmt.Errorf("%w: there is nothing to read it with", ErrConfig)
	}
	m, err := p.opts.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return m, m.valid()
}

// see takes a configuration as the one that shall follow. From now on every
// decision needs a quorum of it, too.
func (p *Peer) see(m *Membership) {
	p.view.lastSeen = m
	p.view.activeDecides = p.faults.electByOld
	p.write(Write{Kind: WriteLastSeen, Config: m.Text})
}

// notice looks whether a transaction is a reconfiguration.
func (p *Peer) notice(e *Entry) error {
	if e.Config == nil || !p.opts.Reconfig {
		return nil
	}
	m, err := p.parse(e.Config)
	if err != nil {
		return fmt.Errorf("transaction %s: %w", zxidText(e.Zxid), err)
	}
	if m.Version > p.view.lastSeen.Version {
		p.see(m)
	}
	return nil
}

// forgetConfig forgets a proposed configuration whose transaction is not in the
// log: it was cut, or the server fell between the two writes. Kept, it would ask
// for a quorum of servers that need not exist. The first configuration of an ensemble
// is in no log, and may be in force elsewhere.
func (p *Peer) forgetConfig(last int64) {
	if p.view.pending() && p.view.lastSeen.Version > last && counterOf(p.view.lastSeen.Version) != 0 {
		p.see(p.view.active)
	}
}

// takeLeadersConfig takes what came with NEWLEADER. Apache's leaders send what
// they have seen last there, committed or not; which of the two it is, is known
// by UPTODATE.
func (p *Peer) takeLeadersConfig(text []byte) error {
	if len(text) <= 1 || !p.opts.Reconfig {
		return nil // leaders of before 3.5 send none
	}
	m, err := p.parse(text)
	if err != nil {
		return err
	}
	if m.Version < p.view.active.Version {
		return fmt.Errorf("%w: the leader's has version %x, and %x is in force here", ErrConfig, m.Version, p.view.active.Version)
	}
	if m.Version > p.view.lastSeen.Version {
		p.see(m)
	}
	p.learner.config = m
	return nil
}

// leadersConfigHolds tells whether what came with NEWLEADER is in force: its
// transaction is committed, or it has none, as the first configuration of an
// ensemble. One that is still under way comes into force by its own COMMITANDACTIVATE.
func (p *Peer) leadersConfigHolds() bool {
	c := p.learner.config
	return c != nil && c.Version > p.view.active.Version && (c.Version <= p.learner.commitTo || counterOf(c.Version) == 0)
}

// activate puts a configuration in force.
func (p *Peer) activate(m *Membership) {
	p.view.active = m
	if p.view.lastSeen.Version <= m.Version {
		p.view.lastSeen = m
	}
	p.out.Config = m
	p.write(Write{Kind: WriteActive, Config: m.Text})
}

// activateCommitted puts the configuration of a committed transaction in force,
// and tells whether this server's role or leader is another one now.
func (p *Peer) activateCommitted(m *Message, part []Entry) (moved bool, err error) {
	if len(part) != 1 || part[0].Config == nil {
		return false, p.refuse(m, "and the transaction is no reconfiguration")
	}
	if !p.opts.Reconfig {
		return false, nil
	}
	next, err := p.parse(part[0].Config)
	if err != nil {
		return false, err
	}
	return p.activateAs(next, m.Designated), nil
}

// activateAs puts a configuration in force for a learner. designated is who
// leads from now on, 0 if nobody said so.
func (p *Peer) activateAs(next *Membership, designated int64) (moved bool) {
	prev := p.view.active
	if !p.opts.Reconfig || next.Version <= prev.Version {
		return false
	}
	p.activate(next)
	if next.same(prev) {
		return false
	}
	is, _ := next.Member(p.opts.ID) // who is none follows without a vote
	roleChange := is.Observer != (p.state == Observing)
	if designated != 0 {
		if designated != p.leaderID || roleChange {
			p.expects = designated
		}
		return roleChange || designated != p.leaderID
	}
	before, okBefore := prev.Member(p.leaderID)
	after, okAfter := next.Member(p.leaderID)
	leaderChange := !okBefore || !okAfter || after.Observer || before.Addr != after.Addr
	return roleChange || leaderChange
}
