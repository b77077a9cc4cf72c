package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// sessions checks how they expire and end, and locks, which live on them.
func (c *checks) sessions() {
	c.check("session/expiry", c.expiry)
	c.check("session/short-cut", c.shortCut)
	c.check("session/close", c.closed)
	c.check("lock", c.lock)
}

func (c *checks) expiry() {
	witness, lost := c.client(), c.connect(c.proxy, 5*time.Second)
	defer witness.Close()
	defer lost.Close()
	must(lost.Create("/expired", nil, zk.FlagEphemeral, open))
	session := lost.SessionID()
	_, _, gone, err := witness.ExistsW("/expired")
	none(err)
	c.control("cut")
	expect(gone, zk.EventNodeDeleted, "/expired")
	c.control("heal")
	lost.await(zk.StateExpired)
	lost.await(zk.StateHasSession)
	that(lost.SessionID() != session, "a new session")
	must(lost.Create("/expired", nil, zk.FlagEphemeral, open))
}

func (c *checks) shortCut() {
	witness, cut := c.client(), c.connect(c.proxy, timeout)
	defer witness.Close()
	defer cut.Close()
	must(cut.Create("/short-cut", nil, zk.FlagEphemeral, open))
	session := cut.SessionID()
	for range 3 {
		c.control("cut")
		cut.await(zk.StateDisconnected)
		c.control("heal")
		cut.await(zk.StateHasSession)
	}
	_, stat, err := witness.Exists("/short-cut")
	none(err)
	equal("owner", stat.EphemeralOwner, session)
	equal("session", cut.SessionID(), session)
}

func (c *checks) closed() {
	one, two := c.client(), c.client()
	defer two.Close()
	must(one.Create("/closed", nil, zk.FlagEphemeral, open))
	one.Close()
	until("the ephemeral goes with its session", func() bool {
		exists, _, err := two.Exists("/closed")
		none(err)
		return !exists
	})
	_, err := one.Create("/closed", nil, 0, open)
	that(err != nil, "a closed client refuses")
}

// lock: workers of two clients count without losing one; never two of them are inside.
func (c *checks) lock() {
	one, two := c.client(), c.client()
	defer one.Close()
	defer two.Close()
	must(one.Create("/count", []byte("0"), 0, open))
	var inside atomic.Int32
	work := func(zc *client) (err error) {
		for range 5 {
			l := zk.NewLock(zc.Conn, "/lock", open)
			if err := l.Lock(); err != nil {
				return err
			}
			if inside.Add(1) != 1 {
				return fmt.Errorf("two inside")
			}
			data, _, err := zc.Get("/count")
			if err != nil {
				return err
			}
			var n int
			if _, err := fmt.Sscan(string(data), &n); err != nil {
				return err
			}
			if _, err := zc.Set("/count", fmt.Append(nil, n+1), -1); err != nil {
				return err
			}
			inside.Add(-1)
			if err := l.Unlock(); err != nil {
				return err
			}
		}
		return nil
	}
	ended := make(chan error)
	for i := range 4 {
		go func() { ended <- work([]*client{one, two}[i%2]) }()
	}
	for range 4 {
		none(<-ended)
	}
	data, _, err := one.Get("/count")
	none(err)
	equal("count", string(data), "20")
}
