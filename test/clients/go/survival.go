package main

import (
	"github.com/go-zookeeper/zk"
)

// survivor is a client whose server is killed, with what it knows from before.
type survivor struct {
	*checks
	zc, tls                       *client
	session                       int64
	stats                         map[string]zk.Stat
	data, exist, child, ephemeral <-chan zk.Event
}

// survival checks that sessions, what they own and what they watch go on after a kill of the server.
func (c *checks) survival() {
	s := &survivor{checks: c, zc: c.client(), tls: c.connectBy(c.dialTLS, c.secure)}
	defer s.zc.Close()
	defer s.tls.Close()
	c.check("survival/prepare", s.prepare)
	c.check("survival/kill", s.kill)
	c.check("survival/session", s.sameSession)
	c.check("survival/data", s.sameData)
	c.check("survival/watches", s.sameWatches)
	c.check("survival/identity", s.sameIdentity)
	c.check("survival/sequence", func() {
		equal("path", must(s.zc.Create("/s/seq", nil, zk.FlagSequence, open)), "/s/seq0000000005")
	})
	c.check("survival/tls", func() { must(s.tls.Set("/s/watched", nil, -1)) })
	c.check("survival/again", s.again)
}

func (s *survivor) prepare() {
	s.session = s.zc.SessionID()
	none(s.zc.AddAuth("digest", []byte("eve:secret")))
	must(s.zc.Create("/s", nil, 0, open))
	must(s.zc.Create("/s/e", []byte("e"), zk.FlagEphemeral, open))
	must(s.zc.Create("/s/seq", nil, zk.FlagSequence, open))
	must(s.zc.Create("/s/private", nil, 0, zk.AuthACL(zk.PermAll)))
	must(s.zc.Create("/s/watched", []byte("0"), 0, open))
	must(s.zc.Set("/s/watched", []byte("1"), 0))
	s.stats = s.tree()
	var err error
	_, _, s.data, err = s.zc.GetW("/s/watched")
	none(err)
	_, _, s.exist, err = s.zc.ExistsW("/s/absent")
	none(err)
	_, _, s.child, err = s.zc.ChildrenW("/s/watched")
	none(err)
	_, _, s.ephemeral, err = s.tls.ExistsW("/s/e")
	none(err)
}

func (s *survivor) tree() map[string]zk.Stat {
	names, _, err := s.zc.Children("/s")
	none(err)
	tree := make(map[string]zk.Stat)
	for _, name := range names {
		_, stat, err := s.zc.Exists("/s/" + name)
		none(err)
		tree[name] = *stat
	}
	return tree
}

func (s *survivor) kill() {
	s.control("kill")
	s.zc.await(zk.StateDisconnected)
	s.tls.await(zk.StateDisconnected)
	s.control("start")
	s.zc.await(zk.StateHasSession)
	s.tls.await(zk.StateHasSession)
}

func (s *survivor) sameSession() {
	equal("session", s.zc.SessionID(), s.session)
	_, stat, err := s.zc.Exists("/s/e")
	none(err)
	equal("owner", stat.EphemeralOwner, s.session)
}

func (s *survivor) sameData() {
	equal("stats", s.tree(), s.stats)
	data, _, err := s.zc.Get("/s/watched")
	none(err)
	equal("data", string(data), "1")
}

func (s *survivor) sameWatches() {
	must(s.zc.Set("/s/watched", nil, -1))
	expect(s.data, zk.EventNodeDataChanged, "/s/watched")
	must(s.zc.Create("/s/absent", nil, 0, open))
	expect(s.exist, zk.EventNodeCreated, "/s/absent")
	must(s.zc.Create("/s/watched/c", nil, 0, open))
	expect(s.child, zk.EventNodeChildrenChanged, "/s/watched")
	quiet(s.ephemeral)
	none(s.zc.Delete("/s/e", -1))
	expect(s.ephemeral, zk.EventNodeDeleted, "/s/e")
}

func (s *survivor) sameIdentity() {
	must(s.zc.Set("/s/private", nil, -1))
	other := s.client()
	defer other.Close()
	_, _, err := other.Get("/s/private")
	refused(zk.ErrNoAuth, err)
}

// again is a second crash, with changes since the first.
func (s *survivor) again() {
	must(s.zc.Create("/s/e", []byte("2"), zk.FlagEphemeral, open))
	none(s.zc.Delete("/s/private", -1))
	_, _, gone, err := s.tls.ExistsW("/s/e")
	none(err)
	s.kill()
	s.sameSession()
	exists, _, err := s.zc.Exists("/s/private")
	none(err)
	equal("a deleted node", exists, false)
	s.zc.Close()
	expect(gone, zk.EventNodeDeleted, "/s/e")
}
