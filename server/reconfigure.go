package server

import (
	"errors"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/zab"
)

// errVersion is for a change of a configuration that is not in force.
var errVersion = errors.New("another configuration is in force")

// Reconfigure is request.Ensemble's.
func (m *machine) Reconfigure(r *proto.ReconfigRequest, zxid int64) (text []byte, code proto.Code) {
	e := &m.s.cfg.Ensemble
	err := m.peer.Reconfigure(m.termNow(), func(active *zab.Membership) (*zab.Membership, error) {
		if r.Version != -1 && r.Version != active.Version {
			return nil, errVersion
		}
		now, err := config.ParseMembership(string(active.Text), e.Multi.Enabled)
		if err != nil {
			return nil, err
		}
		change := config.Change{Joining: nullable(r.Joining), Leaving: nullable(r.Leaving), Members: nullable(r.Members)}
		next, err := now.Change(change, e.Multi.Enabled, e.Standalone)
		if err != nil {
			return nil, err
		}
		next.Version = zxid
		z, err := peer.Membership(next)
		if err != nil {
			return nil, errors.Join(config.ErrBadChange, err)
		}
		text = z.Text
		return z, nil
	})
	if err != nil {
		m.s.log.Warn("a reconfiguration was refused", "error", err)
		return nil, refusal(err)
	}
	return text, proto.OK
}

func nullable(text []byte) *string {
	if text == nil {
		return nil
	}
	s := string(text)
	return &s
}

// refusal is the code for a reconfiguration that cannot be.
func refusal(err error) proto.Code {
	for _, c := range []struct {
		err  error
		code proto.Code
	}{
		{zab.ErrReconfigInProgress, proto.ReconfigInProgress},
		{errVersion, proto.BadVersion},
		{config.ErrBadChange, proto.BadArguments},
		{zab.ErrConfig, proto.BadArguments},
		{config.ErrChangeText, proto.MarshallingError},
		{zab.ErrNoQuorum, proto.NewConfigNoQuorum},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return proto.SystemError // it leads no more, so that nobody will hear of this
}

// Configured is peer.Machine's.
func (m *machine) Configured(c *zab.Membership) {
	m.mu.Lock()
	before := m.config
	was, gone, epoch := m.serves(), m.removed, m.role.Epoch
	m.config = c
	own, member := c.Member(m.s.cfg.MyID)
	switch _, wasMember := before.Member(m.s.cfg.MyID); {
	case member:
		m.removed = false
	case wasMember && before.Version != 0: // a server that is about to join has only believed that it is a member
		m.removed = true
	}
	removed, is := m.removed, m.serves()
	m.mu.Unlock()
	m.s.log.Info("configuration in force", "configuration", string(c.Text), "member", member, "observer", own.Observer)
	m.configure()
	switch {
	case removed && !gone:
		m.s.log.Warn("this server was removed from the ensemble: it serves no clients any more and can be stopped", "leader", m.leader())
	case gone && !removed:
		m.s.log.Info("this server was taken into the ensemble again")
	}
	if was != is {
		m.take(was, "this member was removed from the ensemble")
	}
	m.peer.IfLeading(epoch, m.s.engine.ConfigSettled)
	m.moveClientPort(c)
}

func (m *machine) leader() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.role.Leader
}

// members are those of the configuration in force.
func (m *machine) members() config.Membership {
	m.mu.Lock()
	text := m.config.Text
	m.mu.Unlock()
	members, err := config.ParseMembership(string(text), true)
	if err != nil {
		return config.Membership{} // it was read before
	}
	return members
}

// hosts are those of the members of the configuration in force.
func (m *machine) hosts() (hosts []string) {
	for _, s := range m.members().Members {
		for _, a := range s.Addrs {
			hosts = append(hosts, a.Host)
		}
	}
	return hosts
}

// moveClientPort has clients come in where the configuration in force says.
func (m *machine) moveClientPort(c *zab.Membership) {
	own, ok := m.members().Find(m.s.cfg.MyID)
	if !ok || !own.Client.Enabled {
		return
	}
	if err := m.s.moveClientPort(own.Client); err != nil {
		m.s.log.Error("clients cannot come in where a reconfiguration says, but where they could", "error", err)
	}
}
