package main

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"
)

// nodes checks creating, reading, changing and deleting: results and stats to the field.
func (c *checks) nodes() {
	zc := c.client()
	defer zc.Close()
	must(zc.Create("/nodes", nil, 0, open))
	for flags := range int32(7) {
		c.check(fmt.Sprintf("create/flags-%d", flags), func() { create(zc, flags) })
	}
	c.check("create/protected", func() { protected(zc) })
	c.check("create/sequence", func() { sequence(zc) })
	c.check("create/errors", func() { createErrors(zc) })
	c.check("data/versions", func() { versions(zc) })
	c.check("data/nil", func() { nilData(zc) })
	c.check("children", func() { children(zc) })
	c.check("delete", func() { deletes(zc) })
	c.check("sync", func() { equal("path", must(zc.Sync("/nodes")), "/nodes") })
	c.check("container-and-ttl/removed", func() { removed(zc) })
	c.check("four-letter-words", func() { c.words(zc) })
	c.check("reconfig", func() { reconfig(zc) })
}

func createBy(zc *client, path string, flags int32) (string, error) {
	switch flags {
	case zk.FlagContainer:
		return zc.CreateContainer(path, []byte("value"), flags, open)
	case zk.FlagTTL, zk.FlagPersistentSequentialWithTTL:
		return zc.CreateTTL(path, []byte("value"), flags, open, time.Hour)
	default:
		return zc.Create(path, []byte("value"), flags, open)
	}
}

func create(zc *client, flags int32) {
	asked := fmt.Sprintf("/nodes/flags-%d-", flags)
	path := must(createBy(zc, asked, flags))
	if flags == 2 || flags == 3 || flags == 6 {
		that(regexp.MustCompile("^"+asked+`\d{10}$`).MatchString(path), path)
	} else {
		equal("path", path, asked)
	}
	data, stat, err := zc.Get(path)
	none(err)
	equal("data", string(data), "value")
	want := zk.Stat{Czxid: stat.Czxid, Mzxid: stat.Czxid, Pzxid: stat.Czxid, Ctime: stat.Ctime, Mtime: stat.Ctime, DataLength: 5}
	if flags == 1 || flags == 3 {
		want.EphemeralOwner = zc.SessionID()
	}
	equal("stat", *stat, want)
	that(stat.Czxid > 0 && time.Since(time.UnixMilli(stat.Ctime)).Abs() < time.Minute, "czxid, ctime")
	exists, same, err := zc.Exists(path)
	none(err)
	equal("exists", exists, true)
	equal("stat of exists", *same, want)
	none(zc.Delete(path, 0))
}

func protected(zc *client) {
	path := must(zc.CreateProtectedEphemeralSequential("/nodes/p-", []byte("x"), open))
	that(regexp.MustCompile(`^/nodes/_c_[0-9a-f]{32}-p-\d{10}$`).MatchString(path), path)
	none(zc.Delete(path, -1))
}

func sequence(zc *client) {
	must(zc.Create("/nodes/seq", nil, 0, open))
	for i := range 3 {
		equal("path", must(zc.Create("/nodes/seq/n", nil, zk.FlagSequence, open)), fmt.Sprintf("/nodes/seq/n%010d", i))
	}
	must(zc.Create("/nodes/seq/plain", nil, 0, open))
	none(zc.Delete("/nodes/seq/plain", -1))
	equal("path", must(zc.Create("/nodes/seq/", nil, zk.FlagEphemeralSequential, open)), "/nodes/seq/0000000004")
}

func createErrors(zc *client) {
	must(zc.Create("/nodes/eph", nil, zk.FlagEphemeral, open))
	_, err := zc.Create("/nodes/eph", nil, 0, open)
	refused(zk.ErrNodeExists, err)
	_, err = zc.Create("/nodes/eph/child", nil, 0, open)
	refused(zk.ErrNoChildrenForEphemerals, err)
	_, err = zc.Create("/nodes/none/child", nil, 0, open)
	refused(zk.ErrNoNode, err)
	_, err = zc.Create("/nodes/noacl", nil, 0, nil)
	refused(zk.ErrInvalidACL, err)
	none(zc.Delete("/nodes/eph", 0))
}

func versions(zc *client) {
	must(zc.Create("/nodes/v", []byte("0"), 0, open))
	_, before, err := zc.Get("/nodes/v")
	none(err)
	stat := must(zc.Set("/nodes/v", []byte("one"), 0))
	that(stat.Mzxid > before.Mzxid && stat.Mtime >= before.Mtime, "mzxid, mtime")
	want := *before
	want.Version, want.DataLength, want.Mzxid, want.Mtime = 1, 3, stat.Mzxid, stat.Mtime
	equal("stat", *stat, want)
	_, err = zc.Set("/nodes/v", nil, 0)
	refused(zk.ErrBadVersion, err)
	_, err = zc.Set("/nodes/none", nil, -1)
	refused(zk.ErrNoNode, err)
	_, _, err = zc.Get("/nodes/none")
	refused(zk.ErrNoNode, err)
	refused(zk.ErrBadVersion, zc.Delete("/nodes/v", 0))
	equal("version", must(zc.Set("/nodes/v", nil, -1)).Version, int32(2))
	none(zc.Delete("/nodes/v", 2))
}

func nilData(zc *client) {
	must(zc.Create("/nodes/nil", nil, 0, open))
	data, stat, err := zc.Get("/nodes/nil")
	none(err)
	equal("data, length", fmt.Sprint(len(data), stat.DataLength), "0 0")
	big := slices.Repeat([]byte("quoll"), 200_000)
	must(zc.Set("/nodes/nil", big, -1))
	data, _, err = zc.Get("/nodes/nil")
	none(err)
	that(string(data) == string(big), "a million bytes")
	none(zc.Delete("/nodes/nil", -1))
}

func children(zc *client) {
	must(zc.Create("/nodes/family", nil, 0, open))
	names, _, err := zc.Children("/nodes/family")
	none(err)
	equal("of a leaf", len(names), 0)
	for i := range 100 {
		must(zc.Create(fmt.Sprintf("/nodes/family/%03d", i), nil, 0, open))
	}
	names, stat, err := zc.Children("/nodes/family")
	none(err)
	slices.Sort(names)
	equal("first, last, number", fmt.Sprintln(names[0], names[99], len(names)), "000 099 100\n")
	equal("stat", fmt.Sprint(stat.NumChildren, stat.Cversion), "100 100")
	_, _, err = zc.Children("/nodes/none")
	refused(zk.ErrNoNode, err)
}

func deletes(zc *client) {
	must(zc.Create("/nodes/d", nil, 0, open))
	must(zc.Create("/nodes/d/e", nil, 0, open))
	refused(zk.ErrNotEmpty, zc.Delete("/nodes/d", -1))
	none(zc.Delete("/nodes/d/e", -1))
	none(zc.Delete("/nodes/d", -1))
	refused(zk.ErrNoNode, zc.Delete("/nodes/d", -1))
	refused(zk.ErrBadArguments, zc.Delete("/zookeeper", -1))
}

// removed are nodes that the server removes by itself.
func removed(zc *client) {
	must(zc.CreateContainer("/nodes/box", nil, zk.FlagContainer, open))
	must(zc.Create("/nodes/box/c", nil, 0, open))
	_, _, gone, err := zc.ExistsW("/nodes/box")
	none(err)
	none(zc.Delete("/nodes/box/c", -1))
	expect(gone, zk.EventNodeDeleted, "/nodes/box")
	_, _, created, err := zc.ExistsW("/nodes/ttl")
	none(err)
	must(zc.CreateTTL("/nodes/ttl", nil, zk.FlagTTL, open, 300*time.Millisecond))
	expect(created, zk.EventNodeCreated, "/nodes/ttl")
	exists, _, gone, err := zc.ExistsW("/nodes/ttl")
	none(err)
	if exists {
		expect(gone, zk.EventNodeDeleted, "/nodes/ttl")
	}
}

// words are the four-letter words whose answers the library parses.
func (c *checks) words(zc *client) {
	equal("ruok", zk.FLWRuok([]string{c.server}, wait), []bool{true})
	servers, _ := zk.FLWCons([]string{c.server}, wait) // never ok: it cannot parse the line of its own connection
	equal("servers", len(servers), 1)
	mine := slices.IndexFunc(servers[0].Clients, func(s *zk.ServerClient) bool { return s.SessionID == zc.SessionID() })
	that(mine >= 0, "cons lists this session")
	s := servers[0].Clients[mine]
	equal("timeout", s.Timeout, int32(timeout.Milliseconds()))
	that(s.Received > 0 && s.Sent > 0 && s.Lzxid > 0 && s.Lcxid > 0, fmt.Sprintf("counters %+v", s))
}

func reconfig(zc *client) {
	_, err := zc.IncrementalReconfig([]string{"server.9=127.0.0.1:1:2;3"}, nil, -1)
	refused(zk.ErrReconfigDisabled, err)
	_, err = zc.Reconfig([]string{"server.9=127.0.0.1:1:2;3"}, -1)
	refused(zk.ErrReconfigDisabled, err)
}
