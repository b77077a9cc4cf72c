package main

import (
	"fmt"

	"github.com/go-zookeeper/zk"
)

// watches checks every one-shot watch, also across a lost connection.
func (c *checks) watches() {
	zc := c.client()
	defer zc.Close()
	must(zc.Create("/w", nil, 0, open))
	c.check("watch/exists", func() { watchExists(zc) })
	c.check("watch/data", func() { watchData(zc) })
	c.check("watch/children", func() { watchChildren(zc) })
	c.check("watch/one-shot", func() { oneShot(zc) })
	c.check("watch/session-end", func() { c.sessionEnd(zc) })
	c.check("watch/reconnect", func() { c.watchReconnect(zc) })
	c.check("watch/many", func() { c.watchMany(zc) })
}

func watchExists(zc *client) {
	exists, _, events, err := zc.ExistsW("/w/e")
	none(err)
	equal("exists", exists, false)
	must(zc.Create("/w/e", nil, 0, open))
	expect(events, zk.EventNodeCreated, "/w/e")
	_, _, events, err = zc.ExistsW("/w/e")
	none(err)
	must(zc.Set("/w/e", nil, -1))
	expect(events, zk.EventNodeDataChanged, "/w/e")
	_, _, events, err = zc.ExistsW("/w/e")
	none(err)
	none(zc.Delete("/w/e", -1))
	expect(events, zk.EventNodeDeleted, "/w/e")
}

func watchData(zc *client) {
	must(zc.Create("/w/d", nil, 0, open))
	_, _, events, err := zc.GetW("/w/d")
	none(err)
	must(zc.Set("/w/d", nil, -1))
	expect(events, zk.EventNodeDataChanged, "/w/d")
	_, _, events, err = zc.GetW("/w/d")
	none(err)
	none(zc.Delete("/w/d", -1))
	expect(events, zk.EventNodeDeleted, "/w/d")
}

func watchChildren(zc *client) {
	must(zc.Create("/w/c", nil, 0, open))
	_, _, events, err := zc.ChildrenW("/w/c")
	none(err)
	must(zc.Set("/w/c", nil, -1))
	must(zc.Create("/w/c/a", nil, 0, open))
	expect(events, zk.EventNodeChildrenChanged, "/w/c")
	_, _, events, err = zc.ChildrenW("/w/c")
	none(err)
	none(zc.Delete("/w/c/a", -1))
	expect(events, zk.EventNodeChildrenChanged, "/w/c")
	_, _, events, err = zc.ChildrenW("/w/c")
	none(err)
	none(zc.Delete("/w/c", -1))
	expect(events, zk.EventNodeDeleted, "/w/c")
}

// oneShot: the watch is gone after its event. The library closes the channel, so a second watch must be armed to see more.
func oneShot(zc *client) {
	must(zc.Create("/w/o", nil, 0, open))
	_, _, first, err := zc.GetW("/w/o")
	none(err)
	must(zc.Set("/w/o", nil, -1))
	expect(first, zk.EventNodeDataChanged, "/w/o")
	must(zc.Set("/w/o", nil, -1))
	_, _, second, err := zc.GetW("/w/o")
	none(err)
	quiet(second)
	must(zc.Set("/w/o", nil, -1))
	expect(second, zk.EventNodeDataChanged, "/w/o")
}

func (c *checks) sessionEnd(zc *client) {
	other := c.client()
	must(other.Create("/w/eph", nil, zk.FlagEphemeral, open))
	_, _, gone, err := zc.ExistsW("/w/eph")
	none(err)
	_, _, children, err := zc.ChildrenW("/w")
	none(err)
	other.Close()
	expect(gone, zk.EventNodeDeleted, "/w/eph")
	expect(children, zk.EventNodeChildrenChanged, "/w")
}

// watchReconnect: what happened while the client was cut off is told when it comes back; what did not happen, is not.
func (c *checks) watchReconnect(zc *client) {
	cut := c.connect(c.proxy, timeout)
	defer cut.Close()
	for _, name := range []string{"changed", "removed", "family", "quiet"} {
		must(zc.Create("/w/re-"+name, nil, 0, open))
	}
	_, _, changed, err := cut.GetW("/w/re-changed")
	none(err)
	_, _, removed, err := cut.ExistsW("/w/re-removed")
	none(err)
	_, _, family, err := cut.ChildrenW("/w/re-family")
	none(err)
	_, _, created, err := cut.ExistsW("/w/re-created")
	none(err)
	_, _, still, err := cut.GetW("/w/re-quiet")
	none(err)
	session := cut.SessionID()
	c.control("cut")
	cut.await(zk.StateDisconnected)
	must(zc.Set("/w/re-changed", nil, -1))
	none(zc.Delete("/w/re-removed", -1))
	must(zc.Create("/w/re-family/c", nil, 0, open))
	must(zc.Create("/w/re-created", nil, 0, open))
	c.control("heal")
	cut.await(zk.StateHasSession)
	equal("session", cut.SessionID(), session)
	expect(changed, zk.EventNodeDataChanged, "/w/re-changed")
	expect(removed, zk.EventNodeDeleted, "/w/re-removed")
	expect(family, zk.EventNodeChildrenChanged, "/w/re-family")
	expect(created, zk.EventNodeCreated, "/w/re-created")
	quiet(still)
	must(zc.Set("/w/re-quiet", nil, -1))
	expect(still, zk.EventNodeDataChanged, "/w/re-quiet")
}

// watchMany: more watches than one frame can carry come back in several.
func (c *checks) watchMany(zc *client) {
	cut := c.connect(c.proxy, timeout)
	defer cut.Close()
	const n = 3000
	channels := make([]<-chan zk.Event, n)
	for i := range channels {
		_, _, events, err := cut.ExistsW(fmt.Sprintf("/w/many-%0100d", i))
		none(err)
		channels[i] = events
	}
	c.control("cut")
	cut.await(zk.StateDisconnected)
	for i := 0; i < n; i += 1000 {
		must(zc.Create(fmt.Sprintf("/w/many-%0100d", i), nil, zk.FlagEphemeral, open))
	}
	c.control("heal")
	for i := 0; i < n; i += 1000 {
		expect(channels[i], zk.EventNodeCreated, fmt.Sprintf("/w/many-%0100d", i))
	}
	quiet(channels[1])
	last := fmt.Sprintf("/w/many-%0100d", n-1)
	must(zc.Create(last, nil, zk.FlagEphemeral, open))
	expect(channels[n-1], zk.EventNodeCreated, last)
}
