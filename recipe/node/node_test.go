package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/node"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error %v, want %v", err, target)
	}
}

// await waits until the node has these data.
func await(t *testing.T, c *client.Client, path, data string) client.Stat {
	t.Helper()
	for {
		got, stat, err := c.Get(servertest.Context(t), path)
		if err == nil && string(got) == data {
			return stat
		}
		if err != nil && !errors.Is(err, client.ErrNoNode) {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestComesBack(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	other := servertest.Dial(t, server)
	for name, opts := range map[string][]node.Option{"ephemeral": nil, "persistent": {node.Persistent()}} {
		t.Run(name, func(t *testing.T) {
			c := servertest.Dial(t, server)
			path := "/back/" + name
			k, err := node.Keep(ctx, c, path, []byte("1"), opts...)
			check(t, err)
			check(t, other.Delete(ctx, path, client.AnyVersion))
			stat := await(t, other, path, "1")
			if ephemeral := stat.EphemeralOwner == c.Session().ID(); ephemeral != (opts == nil) {
				t.Errorf("owner %x", stat.EphemeralOwner)
			}
			check(t, k.Set(ctx, []byte("2")))
			await(t, other, path, "2")
			check(t, k.Close(ctx))
			<-k.Done()
			wantIs(t, k.Err(), context.Canceled)
			if _, found, err := other.Exists(ctx, path); found || err != nil {
				t.Error(found, err)
			}
			check(t, k.Close(ctx))
		})
	}
}

// A persistent node may be there already; it gets the data.
func TestPersistentIsThere(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	_, err := c.Create(ctx, "/there", []byte("old"))
	check(t, err)
	k, err := node.Keep(ctx, c, "/there", []byte("new"), node.Persistent())
	check(t, err)
	await(t, c, "/there", "new")
	check(t, k.Close(ctx))
}

// The node comes back in the next session.
func TestSessionExpires(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c, other := servertest.Dial(t, server), servertest.Dial(t, server)
	k, err := node.Keep(ctx, c, "/expires", []byte("x"))
	check(t, err)
	old := c.Session()
	servertest.Expire(t, server, old)
	for {
		if stat := await(t, other, "/expires", "x"); stat.EphemeralOwner != old.ID() {
			break
		}
	}
	check(t, k.Close(ctx))
}

// Data that no node can have are refused, and the node is kept with those that it had.
func TestSetTooLarge(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c, other := servertest.Dial(t, server), servertest.Dial(t, server)
	k, err := node.Keep(ctx, c, "/large", []byte("x"))
	check(t, err)
	was, _, err := other.Exists(ctx, "/large")
	check(t, err)
	wantIs(t, k.Set(ctx, make([]byte, 2<<20)), client.ErrRequestTooLarge)
	check(t, other.Delete(ctx, "/large", -1))
	for await(t, other, "/large", "x").Czxid == was.Czxid {
	}
	check(t, k.Err())
	check(t, k.Close(ctx))
}

func TestBadPath(t *testing.T) {
	_, err := node.Keep(t.Context(), nil, "x", nil)
	wantIs(t, err, client.ErrBadArguments)
}

func ExampleKeep() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		k, err := node.Keep(ctx, c, "/app/workers/7", []byte("10.0.0.7:8080"))
		if err != nil {
			return err
		}
		data, stat, err := c.Get(ctx, k.Path())
		fmt.Printf("%s ephemeral=%v\n", data, stat.EphemeralOwner != 0)
		return errors.Join(err, k.Close(ctx))
	})
	// Output: 10.0.0.7:8080 ephemeral=true
}

// What is set while the node is on its way back is what it has then.
func TestSetWhileItComesBack(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	other := servertest.Dial(t, server)
	var kept atomic.Pointer[node.Kept]
	c := servertest.Dial(t, server, client.WithHooks(client.Hooks{Request: func(ctx context.Context, r client.Request) func(client.Outcome) {
		if k := kept.Load(); k != nil && strings.HasPrefix(r.Op, "create") {
			kept.Store(nil)
			wantIs(t, k.Set(ctx, []byte("new")), client.ErrNoNode)
		}
		return nil
	}}))
	k, err := node.Keep(ctx, c, "/set", []byte("old"))
	check(t, err)
	kept.Store(k)
	check(t, other.Delete(ctx, "/set", client.AnyVersion))
	await(t, other, "/set", "new")
	check(t, k.Close(ctx))
}

// A client that makes no request twice keeps its node, too, when a connection
// breaks.
func TestKeptWithoutRetries(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	other := servertest.Dial(t, server)
	var b servertest.Breaker
	c := servertest.Dial(t, server, client.WithDialer(b.Dial), client.WithRetry(client.NeverRetry))
	k, err := node.Keep(ctx, c, "/kept", []byte("x"))
	check(t, err)
	for range 3 {
		b.LoseRequest() // the next one looks what has become of the node
		check(t, other.Delete(ctx, "/kept", client.AnyVersion))
		await(t, other, "/kept", "x")
	}
	check(t, k.Close(ctx))
}
