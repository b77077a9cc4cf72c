package client

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

var extended = harness.Config{Properties: map[string]string{"zookeeper.extendedTypesEnabled": "true"}}

func TestNodes(t *testing.T) {
	each(t, extended, func(t *testing.T, s *harness.Server) {
		c := dial(t, s.Addr())
		for name, test := range map[string]func(t *testing.T, c *client.Client){
			"create modes": testCreateModes, "data": testData, "children": testChildren, "versions": testVersions,
			"multi": testMulti, "multiRead": testMultiRead, "bad paths": testBadPaths, "sync and config": testSyncAndConfig,
			"large data": testLargeData, "reconfig": testReconfig, "many at once": testManyAtOnce,
		} {
			t.Run(name, func(t *testing.T) { test(t, c) })
		}
		t.Run("chroot", func(t *testing.T) { testChroot(t, c, s.Addr()) })
	})
}

func testCreateModes(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	mustCreate(t, c, "/modes", "")
	for _, tc := range []struct {
		path      string
		opts      []client.CreateOption
		made      string
		ephemeral bool
	}{
		{"/modes/p", nil, "/modes/p", false},
		{"/modes/e", []client.CreateOption{client.Ephemeral}, "/modes/e", true},
		{"/modes/s-", []client.CreateOption{client.PersistentSequential}, "/modes/s-0000000002", false},
		{"/modes/", []client.CreateOption{client.EphemeralSequential}, "/modes/0000000003", true},
		{"/modes/c", []client.CreateOption{client.Container}, "/modes/c", false},
		{"/modes/t", []client.CreateOption{client.TTL(time.Hour)}, "/modes/t", false},
		{"/modes/ts-", []client.CreateOption{client.PersistentSequential, client.TTL(time.Hour)}, "/modes/ts-0000000006", false},
	} {
		made, stat, err := c.Create2(ctx, tc.path, []byte("data"), tc.opts...)
		must(t, err)
		if made != tc.made || stat.DataLength != 4 || (stat.EphemeralOwner != 0) != tc.ephemeral {
			t.Errorf("%s: made %s, %+v", tc.path, made, stat)
		}
		if tc.ephemeral && stat.EphemeralOwner != c.Session().ID() {
			t.Errorf("%s: owner %x, session %x", tc.path, stat.EphemeralOwner, c.Session().ID())
		}
	}
	got, err := c.Ephemerals(ctx, "/modes")
	must(t, err)
	slices.Sort(got)
	if want := []string{"/modes/0000000003", "/modes/e"}; !slices.Equal(got, want) {
		t.Errorf("ephemerals %q, want %q", got, want)
	}
	_, err = c.Create(ctx, "/modes/e/child", nil)
	wantErr(t, err, client.ErrNoChildrenForEphemerals)
	_, err = c.Create(ctx, "/modes/p", nil)
	wantErr(t, err, client.ErrNodeExists)
	_, err = c.Create(ctx, "/modes/x", nil, client.Ephemeral, client.TTL(time.Second))
	wantErr(t, err, client.ErrBadArguments)
	_, err = c.Create(ctx, "/modes/x", nil, client.TTL(time.Microsecond))
	wantErr(t, err, client.ErrBadArguments)
}

func testData(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	for path, data := range map[string][]byte{"/null": nil, "/empty": {}, "/binary": {0, 1, 0xff}} {
		if _, err := c.Create(ctx, path, data); err != nil {
			t.Fatal(err)
		}
		got, stat, err := c.Get(ctx, path)
		must(t, err)
		if !bytes.Equal(got, data) || (got == nil) != (data == nil) || int(stat.DataLength) != len(data) {
			t.Errorf("%s: %v, %+v", path, got, stat)
		}
	}
	_, _, err := c.Get(ctx, "/nothing")
	wantErr(t, err, client.ErrNoNode)
	var op *client.OpError
	if !errors.As(err, &op) || op.Path != "/nothing" || op.Op != "getData" || client.MaybeApplied(err) {
		t.Errorf("error %#v", err)
	}
	stat, found, err := c.Exists(ctx, "/binary")
	must(t, err)
	if !found || stat.DataLength != 3 || time.Since(stat.Created()) > time.Hour {
		t.Errorf("exists: %v %+v", found, stat)
	}
	if _, found, err := c.Exists(ctx, "/nothing"); err != nil || found {
		t.Errorf("exists of nothing: %v, %v", found, err)
	}
}

func testChildren(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	mustCreate(t, c, "/family", "")
	for _, name := range []string{"b", "a", "c", "a/grandchild"} {
		mustCreate(t, c, "/family/"+name, "")
	}
	names, stat, err := c.Children(ctx, "/family")
	must(t, err)
	slices.Sort(names)
	if !slices.Equal(names, []string{"a", "b", "c"}) || stat.NumChildren != 3 {
		t.Errorf("children %q, %+v", names, stat)
	}
	names, err = c.ChildNames(ctx, "/family/a")
	must(t, err)
	if !slices.Equal(names, []string{"grandchild"}) {
		t.Errorf("children %q", names)
	}
	n, err := c.AllChildrenNumber(ctx, "/family")
	must(t, err)
	if n != 4 {
		t.Errorf("%d below", n)
	}
	wantErr(t, c.Delete(ctx, "/family", client.AnyVersion), client.ErrNotEmpty)
}

func testVersions(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	mustCreate(t, c, "/versions", "")
	for v := range int32(3) {
		stat, err := c.Set(ctx, "/versions", []byte{byte(v)}, v)
		must(t, err)
		if stat.Version != v+1 {
			t.Fatalf("version %d after %d", stat.Version, v)
		}
	}
	_, err := c.Set(ctx, "/versions", nil, 1)
	wantErr(t, err, client.ErrBadVersion)
	wantErr(t, c.Delete(ctx, "/versions", 1), client.ErrBadVersion)
	must(t, c.Delete(ctx, "/versions", 3))
	wantErr(t, c.Delete(ctx, "/versions", client.AnyVersion), client.ErrNoNode)
}

func testMulti(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	results, err := c.Multi(ctx,
		client.CreateOp("/multi", []byte("m")),
		client.CreateOp("/multi/s-", nil, client.EphemeralSequential),
		client.CreateOp("/multi/c", nil, client.Container),
		client.CreateOp("/multi/t", nil, client.TTL(time.Hour)),
		client.SetOp("/multi", []byte("n"), 0),
		client.CheckOp("/multi", 1),
		client.DeleteOp("/multi/c", client.AnyVersion))
	must(t, err)
	if results[1].Path != "/multi/s-0000000000" || results[1].Stat.EphemeralOwner == 0 || results[4].Stat.Version != 1 {
		t.Errorf("results %+v", results)
	}

	results, err = c.Multi(ctx,
		client.SetOp("/multi", []byte("never"), client.AnyVersion),
		client.DeleteOp("/multi/nothing", client.AnyVersion),
		client.CreateOp("/multi/never", nil))
	wantErr(t, err, client.ErrNoNode)
	var failed *client.MultiError
	if !errors.As(err, &failed) || failed.Index != 1 || failed.Err.Path != "/multi/nothing" {
		t.Errorf("error %v", err)
	}
	for i, want := range []client.Code{0, client.ErrNoNode, client.ErrRuntimeInconsistency} {
		if results[i].Err != error(want) {
			t.Errorf("result %d: %v, want %v", i, results[i].Err, want)
		}
	}
	if data, _, err := c.Get(ctx, "/multi"); err != nil || string(data) != "n" {
		t.Errorf("a failed multi left %q, %v", data, err)
	}
	if results, err := c.Multi(ctx); err != nil || len(results) != 0 {
		t.Errorf("empty multi: %v, %v", results, err)
	}
	_, err = c.Multi(ctx, client.CheckOp("relative", 0))
	wantErr(t, err, client.ErrBadArguments)
}

func testMultiRead(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	mustCreate(t, c, "/mr", "data")
	mustCreate(t, c, "/mr/child", "")
	results, err := c.MultiRead(ctx, client.GetOp("/mr"), client.GetOp("/mr/no"), client.ChildrenOp("/mr"), client.ChildrenOp("/mr/no"))
	must(t, err)
	if string(results[0].Data) != "data" || results[0].Stat.NumChildren != 1 || !slices.Equal(results[2].Children, []string{"child"}) {
		t.Errorf("results %+v", results)
	}
	wantErr(t, results[1].Err, client.ErrNoNode)
	wantErr(t, results[3].Err, client.ErrNoNode)
}

func testBadPaths(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	for _, path := range []string{"", "a", "/a/", "//", "/a/../b", "/\x00"} {
		_, _, err := c.Get(ctx, path)
		wantErr(t, err, client.ErrBadArguments)
		_, err = c.Create(ctx, path, nil)
		wantErr(t, err, client.ErrBadArguments)
		_, err = c.AddWatch(ctx, path, client.WatchTree)
		wantErr(t, err, client.ErrBadArguments)
		_, err = c.MultiRead(ctx, client.GetOp(path))
		wantErr(t, err, client.ErrBadArguments)
	}
}

func testSyncAndConfig(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	must(t, c.Sync(ctx, "/"))
	if _, _, ch, err := c.ConfigW(ctx); err != nil || ch == nil {
		t.Errorf("config: %v", err)
	}
	infos, err := c.WhoAmI(ctx)
	must(t, err)
	if !slices.Contains(infos, client.ClientInfo{Scheme: "ip", User: "127.0.0.1"}) {
		t.Errorf("identities %v", infos)
	}
}

func testReconfig(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	_, _, err := c.Reconfigure(ctx, client.Reconfiguration{Joining: "server.2=localhost:2888:3888;2181", Version: -1})
	wantErr(t, err, client.ErrReconfigDisabled)
	_, _, err = c.Reconfigure(ctx, client.Reconfiguration{Joining: "x", Members: "y"})
	wantErr(t, err, client.ErrBadArguments)
}

func testLargeData(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	data := []byte(strings.Repeat("0123456789", 100_000))
	if _, err := c.Create(ctx, "/large", data); err != nil {
		t.Fatal(err)
	}
	got, _, err := c.Get(ctx, "/large")
	must(t, err)
	if !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back of %d", len(got), len(data))
	}
	must(t, c.Delete(ctx, "/large", 0))
}

// Requests of many goroutines share the connection; each gets its own reply.
func testManyAtOnce(t *testing.T, c *client.Client) {
	ctx := testContext(t)
	mustCreate(t, c, "/many", "")
	var wg sync.WaitGroup
	errs := make(chan error, 200)
	for i := range 200 {
		wg.Go(func() {
			data := []byte{byte(i), byte(i >> 8)}
			path, err := c.Create(ctx, "/many/n-", data, client.PersistentSequential)
			if err == nil {
				var got []byte
				if got, _, err = c.Get(ctx, path); err == nil && !bytes.Equal(got, data) {
					err = errors.New(path + " has another's data")
				}
			}
			errs <- err
		})
	}
	wg.Wait()
	for range 200 {
		must(t, <-errs)
	}
	names, _, err := c.Children(ctx, "/many")
	must(t, err)
	if len(names) != 200 {
		t.Errorf("%d children", len(names))
	}
}

func testChroot(t *testing.T, c *client.Client, addr string) {
	ctx := testContext(t)
	mustCreate(t, c, "/jail", "walls")
	inside := dial(t, addr+"/jail")
	if data, _, err := inside.Get(ctx, "/"); err != nil || string(data) != "walls" {
		t.Errorf("root inside: %q, %v", data, err)
	}
	if made, err := inside.Create(ctx, "/", nil, client.EphemeralSequential); err != nil || made != "/0000000000" {
		t.Errorf("made %q, %v", made, err)
	}
	w, err := inside.AddWatch(ctx, "/", client.WatchTree)
	must(t, err)
	_, _, once, err := inside.ChildrenW(ctx, "/")
	must(t, err)
	results, err := inside.Multi(ctx, client.CreateOp("/cell", []byte("x")))
	must(t, err)
	if results[0].Path != "/cell" {
		t.Errorf("made %q", results[0].Path)
	}
	if ev, err := w.Next(ctx); err != nil || ev.Path != "/cell" || ev.Type != client.EventCreated {
		t.Errorf("event %+v, %v", ev, err)
	}
	if ev := <-once; ev.Path != "/" || ev.Type != client.EventChildrenChanged {
		t.Errorf("event %+v", ev)
	}
	if paths, err := inside.Ephemerals(ctx, "/"); err != nil || !slices.Equal(paths, []string{"/0000000000"}) {
		t.Errorf("ephemerals %q, %v", paths, err)
	}
	if _, _, err := inside.Config(ctx); err != nil {
		t.Errorf("config inside: %v", err)
	}
	if data, _, err := c.Get(ctx, "/jail/cell"); err != nil || string(data) != "x" {
		t.Errorf("from outside: %q, %v", data, err)
	}
}
