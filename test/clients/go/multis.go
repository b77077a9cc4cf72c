package main

import (
	"fmt"

	"github.com/go-zookeeper/zk"
)

// multis checks several operations as one.
func (c *checks) multis() {
	zc := c.client()
	defer zc.Close()
	must(zc.Create("/multi", nil, 0, open))
	c.check("multi/all", func() { multiAll(zc) })
	c.check("multi/failure", func() { multiFailure(zc) })
	c.check("multi/sequence", func() { multiSequence(zc) })
}

func multiAll(zc *client) {
	results := must(zc.Multi(
		&zk.CreateRequest{Path: "/multi/a", Data: []byte("1"), Acl: open},
		&zk.CheckVersionRequest{Path: "/multi/a", Version: 0},
		&zk.SetDataRequest{Path: "/multi/a", Data: []byte("22"), Version: 0},
		&zk.CreateRequest{Path: "/multi/a/e", Acl: open, Flags: zk.FlagEphemeral},
		&zk.DeleteRequest{Path: "/multi/a/e", Version: 0},
	))
	equal("results", len(results), 5)
	for i, r := range results {
		that(r.Error == nil, fmt.Sprint("result ", i))
	}
	equal("path", results[0].String, "/multi/a")
	equal("version, length", fmt.Sprint(results[2].Stat.Version, results[2].Stat.DataLength), "1 2")
	_, stat, err := zc.Exists("/multi/a")
	none(err)
	equal("stat", stat.Mzxid, stat.Czxid)
	equal("children, cversion", fmt.Sprint(stat.NumChildren, stat.Cversion), "0 2")
}

func multiFailure(zc *client) {
	for _, f := range []struct {
		op   any
		want error
	}{
		{&zk.CheckVersionRequest{Path: "/multi", Version: 9}, zk.ErrBadVersion},
		{&zk.DeleteRequest{Path: "/multi/none", Version: -1}, zk.ErrNoNode},
		{&zk.DeleteRequest{Path: "/multi", Version: -1}, zk.ErrNotEmpty},
		{&zk.SetDataRequest{Path: "/multi/none", Version: -1}, zk.ErrNoNode},
		{&zk.CreateRequest{Path: "/multi/f", Acl: open}, zk.ErrNodeExists},
	} {
		results, err := zc.Multi(&zk.CreateRequest{Path: "/multi/f", Acl: open}, f.op, &zk.DeleteRequest{Path: "/multi/f", Version: 0})
		refused(f.want, err)
		equal("results", len(results), 3)
		that(results[0].Error == nil, "the operation before")
		refused(f.want, results[1].Error)
		that(results[2].Error != nil, "the operation after")
		exists, _, err := zc.Exists("/multi/f")
		none(err)
		equal("rolled back", exists, false)
	}
}

func multiSequence(zc *client) {
	must(zc.Create("/multi/s", nil, 0, open))
	op := &zk.CreateRequest{Path: "/multi/s/n", Acl: open, Flags: zk.FlagSequence}
	results := must(zc.Multi(op, op, op))
	for i, r := range results {
		equal("path", r.String, fmt.Sprintf("/multi/s/n%010d", i))
	}
}
