package cache_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/cache"
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, c *client.Client, path string) *cache.Tree[string] {
	t.Helper()
	tree := must[*cache.Tree[string]](t)(cache.Open(servertest.Context(t), c, path, cache.String))
	t.Cleanup(tree.Close)
	return tree
}

// walk reads the tree as it is.
func walk(t *testing.T, c *client.Client, path string, into map[string]string) {
	t.Helper()
	ctx := servertest.Context(t)
	data, _, err := c.Get(ctx, path)
	if errors.Is(err, client.ErrNoNode) {
		return
	}
	check(t, err)
	into[path] = string(data)
	for _, name := range must[[]string](t)(c.ChildNames(ctx, path)) {
		walk(t, c, client.Join(path, name), into)
	}
}

func contents(tree *cache.Tree[string]) map[string]string {
	got := make(map[string]string)
	for n := range tree.View().All() {
		got[n.Path] = n.Value
	}
	return got
}

// wantSame compares the cache with the tree, when nobody changes it.
func wantSame(t *testing.T, tree *cache.Tree[string], c *client.Client, path string) {
	t.Helper()
	check(t, tree.Refresh(servertest.Context(t)))
	want := make(map[string]string)
	walk(t, c, path, want)
	if got := contents(tree); !maps.Equal(got, want) {
		t.Fatalf("cache has %v\nwant %v", got, want)
	}
	if tree.Len() != len(want) {
		t.Errorf("%d nodes, want %d", tree.Len(), len(want))
	}
	for p := range want {
		if kids, names := tree.Children(p), must[[]string](t)(c.ChildNames(servertest.Context(t), p)); len(kids) != len(names) {
			t.Errorf("%s has %d children, want %v", p, len(kids), names)
		}
	}
}

// randomly changes nodes below path.
func randomly(t *testing.T, c *client.Client, path string, n int) {
	t.Helper()
	ctx := servertest.Context(t)
	for i := range n {
		p := path
		for range 1 + rand.IntN(3) {
			p += fmt.Sprint("/", rand.IntN(4))
		}
		var err error
		switch rand.IntN(4) {
		case 0, 1:
			_, err = c.Create(ctx, p, fmt.Append(nil, i))
		case 2:
			_, err = c.Set(ctx, p, fmt.Append(nil, "set ", i), client.AnyVersion)
		case 3:
			err = c.Delete(ctx, p, client.AnyVersion)
		}
		if err != nil && !errors.Is(err, client.ErrNoNode) && !errors.Is(err, client.ErrNodeExists) && !errors.Is(err, client.ErrNotEmpty) {
			t.Error(err)
			return
		}
	}
}

// The cache and who follows its changes end up with what there is, whatever
// happens to their connection and session meanwhile.
func TestFollows(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	writer := servertest.Dial(t, server)
	_, err := writer.Create(ctx, "/t", nil)
	check(t, err)
	randomly(t, writer, "/t", 100)
	var link breakable
	c := servertest.Dial(t, server, client.WithDialer(link.dial))
	tree := open(t, c, "/t")
	following, stop := context.WithCancel(ctx)
	replica := newReplica(t, following, tree)
	for round := range 8 {
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { randomly(t, writer, "/t", 60) })
		}
		switch round % 4 {
		case 1:
			link.cut()
		case 3:
			servertest.Expire(t, server, c.Session())
		}
		wg.Wait()
		for tree.Refresh(ctx) != nil { // the session ends in the middle of it
			check(t, tree.Err())
			check(t, c.WaitConnected(ctx))
		}
		wantSame(t, tree, writer, "/t")
	}
	replica.want(contents(tree))
	stop()
	if err := <-replica.ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// replica follows the changes of a cache.
type replica struct {
	t     *testing.T
	mu    sync.Mutex
	nodes map[string]string
	ended chan error
}

func newReplica(t *testing.T, ctx context.Context, tree *cache.Tree[string]) *replica {
	r := &replica{t: t, nodes: make(map[string]string), ended: make(chan error, 1)}
	go func() {
		for change, err := range tree.Changes(ctx) {
			if err != nil {
				r.ended <- err
				return
			}
			r.apply(change)
		}
	}()
	return r
}

func (r *replica) apply(c cache.Change[string]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, known := r.nodes[c.Path]
	if known != (c.Old != nil) || known && old != c.Old.Value {
		r.t.Errorf("%s: told of a change from %v, had %q", c.Path, c.Old, old)
	}
	if c.New == nil {
		delete(r.nodes, c.Path)
	} else {
		r.nodes[c.Path] = c.New.Value
	}
}

func (r *replica) want(nodes map[string]string) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		same := maps.Equal(r.nodes, nodes)
		r.mu.Unlock()
		if same {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("followed to %v, want %v", r.nodes, nodes)
		}
	}
}

// breakable is a link that can be cut.
type breakable struct {
	mu   sync.Mutex
	conn net.Conn
}

func (b *breakable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn = conn
	return conn, err
}

func (b *breakable) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != nil {
		b.conn.Close()
	}
}

// One's own write is there when it was awaited, and the view does not change.
func TestAwait(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	tree := open(t, c, "/mine")
	if tree.Len() != 0 {
		t.Error("not empty")
	}
	for i := range 100 {
		before := tree.View()
		data := fmt.Sprint(i)
		var zxid int64
		if i == 0 {
			_, stat, err := c.Create2(ctx, "/mine", []byte(data))
			check(t, err)
			zxid = stat.Czxid
		} else {
			stat, err := c.Set(ctx, "/mine", []byte(data), client.AnyVersion)
			check(t, err)
			zxid = stat.Mzxid
		}
		check(t, tree.Await(ctx, zxid))
		if n, ok := tree.Get("/mine"); !ok || n.Value != data || n.Stat.Mzxid != zxid || tree.Zxid() < zxid {
			t.Fatalf("%d: %+v", i, n)
		}
		if now := tree.View(); now.Zxid() < zxid || before.Zxid() >= zxid {
			t.Errorf("views at %d, %d; change %d", before.Zxid(), now.Zxid(), zxid)
		}
	}
	// A change elsewhere brings the cache on, too.
	_, stat, err := c.Create2(ctx, "/elsewhere", nil)
	check(t, err)
	check(t, tree.Await(ctx, stat.Czxid))
}

type route struct{ Host string }

// What cannot be decoded or read is told, and takes nothing else along.
func TestBadNodes(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	_, err := c.Multi(ctx, client.CreateOp("/r", nil), client.CreateOp("/r/good", []byte(`{"Host":"a"}`)), client.CreateOp("/r/bad", []byte(`{`)),
		client.CreateOp("/r/hidden", nil, client.ACLs{{Perms: client.PermWrite, Scheme: "world", ID: "anyone"}}))
	check(t, err)
	tree := must[*cache.Tree[route]](t)(cache.Open(ctx, c, "/r", cache.JSON[route]))
	defer tree.Close()
	if n, ok := tree.Get("/r/good"); !ok || n.Err != nil || n.Value.Host != "a" {
		t.Errorf("%+v", n)
	}
	if n, ok := tree.Get("/r/bad"); !ok || n.Err == nil {
		t.Errorf("%+v", n)
	}
	if n, ok := tree.Get("/r/hidden"); !ok || !errors.Is(n.Err, client.ErrNoAuth) || !strings.Contains(n.Err.Error(), "/r/hidden") {
		t.Errorf("%+v", n)
	}
	stat, err := c.Set(ctx, "/r/bad", []byte(`{"Host":"b"}`), client.AnyVersion)
	check(t, err)
	check(t, tree.Await(ctx, stat.Mzxid))
	if n, _ := tree.Get("/r/bad"); n.Err != nil || n.Value.Host != "b" {
		t.Errorf("%+v", n)
	}
	var below []string
	for n := range tree.View().Below("/r") {
		below = append(below, n.Path)
	}
	if !slices.Equal(below, []string{"/r/bad", "/r/good", "/r/hidden"}) {
		t.Error(below)
	}
	_, err = cache.Open(ctx, c, "r", cache.Bytes)
	if !errors.Is(err, client.ErrBadArguments) {
		t.Error(err)
	}
}

// The end of the client is the end of the cache, for all who use it.
func TestClientCloses(t *testing.T) {
	ctx := servertest.Context(t)
	server := servertest.Start(t)
	c := must[*client.Client](t)(client.Dial(ctx, server))
	tree := open(t, c, "/")
	check(t, c.Close())
	<-tree.Done()
	if err := tree.Await(ctx, 1<<62); !errors.Is(err, client.ErrClosed) {
		t.Error(err)
	}
	for _, err := range tree.Changes(ctx) {
		if err != nil && !errors.Is(err, client.ErrClosed) {
			t.Error(err)
		}
	}
}

// With a chroot, paths are the client's.
func TestChroot(t *testing.T) {
	ctx := servertest.Context(t)
	server := servertest.Start(t)
	outside := servertest.Dial(t, server)
	_, err := outside.Multi(ctx, client.CreateOp("/in", nil), client.CreateOp("/in/a", []byte("1")))
	check(t, err)
	c := servertest.Dial(t, server+"/in")
	tree := open(t, c, "/")
	_, err = outside.Create(ctx, "/in/a/b", []byte("2"))
	check(t, err)
	wantSame(t, tree, c, "/")
}

func ExampleTree_Changes() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		if _, err := c.Multi(ctx, client.CreateOp("/routes", nil), client.CreateOp("/routes/eu", []byte(`{"Host":"10.0.0.1"}`))); err != nil {
			return err
		}
		t, err := cache.Open(ctx, c, "/routes", cache.JSON[struct{ Host string }])
		if err != nil {
			return err
		}
		defer t.Close()
		for change, err := range t.Changes(ctx) {
			switch {
			case err != nil:
				return err
			case change.Path != "/routes/eu":
			case change.New == nil:
				fmt.Println("gone:", change.Path)
				return nil
			default:
				fmt.Println("now:", change.New.Value.Host)
				if err := c.Delete(ctx, change.Path, client.AnyVersion); err != nil {
					return err
				}
			}
		}
		return nil
	})
	// Output:
	// now: 10.0.0.1
	// gone: /routes/eu
}

func BenchmarkOpen100000(b *testing.B) {
	ctx := servertest.Context(b)
	c := servertest.Dial(b, servertest.Start(b))
	_, err := c.Create(ctx, "/many", nil)
	check(b, err)
	for i := range 100 {
		var ops []client.Op
		for j := range 1000 {
			ops = append(ops, client.CreateOp(fmt.Sprintf("/many/node-%05d", i*1000+j), make([]byte, 100)))
		}
		_, err := c.Multi(ctx, ops...)
		check(b, err)
	}
	for b.Loop() {
		tree, err := cache.Open(ctx, c, "/many", cache.Bytes)
		check(b, err)
		if tree.Len() != 100001 {
			b.Fatal(tree.Len())
		}
		tree.Close()
	}
}

// The cache of a client that makes no request twice goes on, too, when a
// connection breaks.
func TestCacheWithoutRetries(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	other := servertest.Dial(t, server)
	var b servertest.Breaker
	c := servertest.Dial(t, server, client.WithDialer(b.Dial), client.WithRetry(client.NeverRetry))
	_ = must[string](t)(other.Create(ctx, "/broken", []byte("0")))
	tree := open(t, c, "/broken")
	for _, data := range []string{"1", "2", "3"} {
		b.LoseRequest() // the next one reads the node
		_ = must[client.Stat](t)(other.Set(ctx, "/broken", []byte(data), client.AnyVersion))
		for n, _ := tree.Get("/broken"); n.Value != data; n, _ = tree.Get("/broken") {
			check(t, ctx.Err())
			check(t, tree.Err())
			time.Sleep(time.Millisecond)
		}
	}
}
