// Package migrate moves a data directory from Apache's server to quoll and
// back, and compares the whole trees.
package migrate

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

var znodes = flag.Int("znodes", 50_000, "how many znodes the data directory has")

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

const (
	perParent = 1000
	sessions  = 20
	owned     = 10 // ephemerals of each session
	workers   = 32
)

// TestThereAndBack fills Apache's server with znodes of every kind and kills
// it, serves its directory by quoll, writes some more, and serves it by
// Apache's server again: at each change of hands the trees are equal, and the
// sessions go on.
func TestThereAndBack(t *testing.T) {
	if testing.Short() {
		t.Skip("servers are slow")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute+time.Duration(*znodes)*2*time.Millisecond)
	defer cancel()
	keys := map[string]string{
		"extendedTypesEnabled": "true", "maxSessionTimeout": "3600000", "snapCount": "20000",
		"maxClientCnxns": "0", "jute.maxbuffer": "4194304",
	}
	config := harness.Config{Keys: keys, Properties: map[string]string{"jute.maxbuffer": "4194304"}}
	t.Setenv("ZK_SERVER_HEAP", fmt.Sprint(512+*znodes/500)) // Apache's server needs about 500 bytes for a znode, and room to collect
	apache := harness.Start(t, harness.Apache, config)
	fill(ctx, t, apache.Addr())
	alive := ephemerals(ctx, t, apache.Addr())
	before := look(ctx, t, apache.Addr())
	apache.Kill()
	t.Logf("Apache's server had %d znodes", len(before))

	config.DataDir = apache.DataDir()
	quoll := harness.Start(t, harness.Quoll, config)
	compare(t, "quoll on Apache's directory", before, look(ctx, t, quoll.Addr()))
	resume(ctx, t, quoll.Addr(), alive)
	change(ctx, t, quoll.Addr())
	after := look(ctx, t, quoll.Addr())
	quoll.Kill()

	back := harness.Start(t, harness.Apache, config)
	compare(t, "Apache's server on quoll's directory", after, look(ctx, t, back.Addr()))
	resume(ctx, t, back.Addr(), alive)
	back.Stop()
}

func dial(ctx context.Context, t *testing.T, addr string, opts ...client.Option) *client.Client {
	t.Helper()
	opts = append(opts, client.WithSessionTimeout(time.Hour), client.WithMaxReply(64<<20))
	c, err := client.Dial(ctx, addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// parallel calls f for every number below n, many at a time.
func parallel(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	next := make(chan int)
	for range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				if err := f(i); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for i := range n {
		if t.Failed() {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func parentOf(i int) string { return fmt.Sprintf("/data/d%04d", i/perParent) }

// fill makes plain znodes, and among them some with an ACL, a time to live,
// children below a container, and later versions.
func fill(ctx context.Context, t *testing.T, addr string) {
	t.Helper()
	c := dial(ctx, t, addr)
	defer c.Close()
	if err := c.AddAuth(ctx, "digest", []byte("owner:secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create(ctx, "/data", nil); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < *znodes; i += perParent {
		if _, err := c.Create(ctx, parentOf(i), nil); err != nil {
			t.Fatal(err)
		}
	}
	data := []byte(strings.Repeat("x", 100))
	parallel(t, *znodes/workers+1, func(batch int) error {
		var ops []client.Op
		for i := batch * workers; i < min((batch+1)*workers, *znodes); i++ {
			path := fmt.Sprintf("%s/n%07d", parentOf(i), i)
			switch i % 50 {
			case 1:
				ops = append(ops, client.CreateOp(path, data, client.CreatorACL()))
			case 2:
				ops = append(ops, client.CreateOp(path, data, client.TTL(24*time.Hour)))
			case 3:
				ops = append(ops, client.CreateOp(path, nil, client.Container), client.CreateOp(path+"/child", data))
			case 4:
				ops = append(ops, client.CreateOp(path, data), client.SetOp(path, []byte(fmt.Sprint(i)), 0))
			case 5:
				ops = append(ops, client.CreateOp(path+"-", data, client.PersistentSequential))
			default:
				ops = append(ops, client.CreateOp(path, data))
			}
		}
		if len(ops) == 0 {
			return nil
		}
		_, err := c.Multi(ctx, ops...)
		return err
	})
}

// held is a session that nobody is connected to.
type held struct {
	id       int64
	password []byte
	paths    []string
}

// ephemerals makes sessions that own some and leaves them without closing.
func ephemerals(ctx context.Context, t *testing.T, addr string) []held {
	t.Helper()
	var all []held
	for s := range sessions {
		c := dial(ctx, t, addr)
		var h held
		for n := range owned {
			path, err := c.Create(ctx, fmt.Sprintf("/data/e%02d-%02d", s, n), []byte("here"), client.Ephemeral)
			if err != nil {
				t.Fatal(err)
			}
			h.paths = append(h.paths, path)
		}
		h.id, h.password = c.Session().ID(), c.Session().Password()
		if err := c.Detach(); err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
	return all
}

// resume takes up the sessions: each still owns what it made.
func resume(ctx context.Context, t *testing.T, addr string, all []held) {
	t.Helper()
	for _, h := range all {
		c := dial(ctx, t, addr, client.WithSession(h.id, h.password))
		if c.Session().ID() != h.id {
			t.Fatalf("session 0x%x became 0x%x", h.id, c.Session().ID())
		}
		paths, err := c.Ephemerals(ctx, "/")
		if err != nil || len(paths) != len(h.paths) {
			t.Errorf("session 0x%x owns %v (%v), wanted %v", h.id, paths, err, h.paths)
		}
		if err := c.Detach(); err != nil {
			t.Error(err)
		}
	}
}

// change writes after the change of hands, past a snapshot.
func change(ctx context.Context, t *testing.T, addr string) {
	t.Helper()
	c := dial(ctx, t, addr)
	defer c.Close()
	parallel(t, min(*znodes, 60_000), func(i int) error {
		path := fmt.Sprintf("%s/n%07d", parentOf(i), i)
		switch i % 50 {
		case 10:
			return c.Delete(ctx, path, 0)
		case 11:
			_, err := c.Create(ctx, path+"/below", []byte("new"))
			return err
		case 12, 13, 14, 15, 16, 17, 18, 19, 20:
			_, err := c.Set(ctx, path, []byte(fmt.Sprint("changed", i)), 0)
			return err
		}
		return nil
	})
}

// look gives a fingerprint of every znode by its path: data, stat and ACL.
func look(ctx context.Context, t *testing.T, addr string) map[string][8]byte {
	t.Helper()
	c := dial(ctx, t, addr)
	defer c.Close()
	if err := c.AddAuth(ctx, "digest", []byte("owner:secret")); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	found := make(map[string][8]byte, *znodes)
	level := []string{"/"}
	for len(level) > 0 {
		var below []string
		parallel(t, len(level), func(i int) error {
			path := level[i]
			sum, children, err := one(ctx, c, path)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			mu.Lock()
			defer mu.Unlock()
			found[path] = sum
			for _, name := range children {
				below = append(below, client.Join(path, name))
			}
			return nil
		})
		level = below
	}
	return found
}

func one(ctx context.Context, c *client.Client, path string) (sum [8]byte, children []string, err error) {
	data, stat, err := c.Get(ctx, path)
	if err != nil {
		return sum, nil, err
	}
	acl, _, err := c.ACL(ctx, path)
	if err != nil {
		return sum, nil, err
	}
	if stat.NumChildren > 0 {
		if children, err = c.ChildNames(ctx, path); err != nil {
			return sum, nil, err
		}
	}
	full := sha256.Sum256(fmt.Appendf(nil, "%q %v %v", data, stat, acl))
	return [8]byte(full[:8]), children, nil
}

func compare(t *testing.T, what string, want, got map[string][8]byte) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d znodes instead of %d", what, len(got), len(want))
	}
	differ := 0
	for path, sum := range want {
		if g, ok := got[path]; !ok || g != sum {
			if differ++; differ <= 10 {
				t.Errorf("%s: %s differs (there: %v)", what, path, ok)
			}
		}
	}
	if differ == 0 && len(want) == len(got) {
		t.Logf("%s: %d znodes, all equal", what, len(got))
	}
}
