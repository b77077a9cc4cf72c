package badinput_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/barrier"
	"github.com/quollhq/quoll/recipe/cache"
	"github.com/quollhq/quoll/recipe/counter"
	"github.com/quollhq/quoll/recipe/election"
	"github.com/quollhq/quoll/recipe/group"
	"github.com/quollhq/quoll/recipe/id"
	"github.com/quollhq/quoll/recipe/lock"
	"github.com/quollhq/quoll/recipe/node"
	"github.com/quollhq/quoll/recipe/partition"
	"github.com/quollhq/quoll/recipe/queue"
	"github.com/quollhq/quoll/recipe/rate"
)

// second is the error of what is made.
func second[T any](_ T, err error) error { return err }

// What no node can be called is refused when a function is made, or at its first
// call, by an error that has the name; nothing is asked of a server.
func TestWrongNames(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	for _, path := range []string{"", "relative", "/ends/", "/double//slash", "/a/../b", "/nul\x00"} {
		for name, err := range map[string]error{
			"mutex":     second(lock.New(c, path)),
			"rw":        second(lock.NewRW(c, path)),
			"semaphore": second(lock.NewSemaphore(c, path, 1)),
			"election":  second(election.New(c, path)),
			"counter":   second(counter.New(c, path)),
			"promoted":  second(counter.New(c, "/a", counter.PromoteTo(path))),
			"queue":     second(queue.New(c, path)),
			"dead":      second(queue.New(c, "/a", queue.WithDeadLetters(path, 1))),
			"barrier":   second(barrier.New(c, path)),
			"double":    second(barrier.NewDouble(c, path, 1)),
			"group":     second(group.New(c, path)),
			"node":      second(node.Keep(ctx, c, path, nil)),
			"cache":     second(cache.Open(ctx, c, path, cache.Bytes)),
			"partition": second(partition.New(c, path, nil)),
			"id":        second(id.New(c, path)),
			"rate":      second(rate.New(c, path, 1, 1)),
		} {
			if name == "dead" && path == "" {
				continue // no dead letters
			}
			if !errors.Is(err, client.ErrBadArguments) {
				t.Errorf("%s of %q: %v", name, path, err)
			}
		}
	}
	members, err := group.New(c, "/members")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "a/b", "..", "a\x01"} {
		_, err := members.Join(ctx, name, nil)
		if !errors.Is(err, client.ErrBadArguments) {
			t.Errorf("member %q: %v", name, err)
		}
	}
	wantNodes(t, c, "/")
}

// wantNodes checks what there is, besides the server's own.
func wantNodes(t *testing.T, c *client.Client, path string, want ...string) {
	t.Helper()
	names, err := c.ChildNames(servertest.Context(t), path)
	if err != nil && !errors.Is(err, client.ErrNoNode) {
		t.Fatal(err)
	}
	var got []string
	for _, n := range names {
		if n != "zookeeper" {
			got = append(got, n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s has %q, want %q", path, got, want)
	}
}

// What no packet holds is refused by an error that names the path, and leaves nothing.
func TestTooLarge(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	large := make([]byte, client.DefaultMaxRequest)
	text := string(large)
	q, err := queue.New(c, "/queue")
	if err != nil {
		t.Fatal(err)
	}
	g, err := group.New(c, "/group")
	if err != nil {
		t.Fatal(err)
	}
	d, err := barrier.NewDouble(c, "/double", 2, barrier.WithData(large))
	if err != nil {
		t.Fatal(err)
	}
	for path, do := range map[string]func() error{
		"/lock": func() error {
			m, err := lock.New(c, "/lock", lock.WithData(large))
			if err != nil {
				return err
			}
			return second(m.Lock(ctx))
		},
		"/semaphore": func() error {
			s, err := lock.NewSemaphore(c, "/semaphore", 2, lock.WithData(large))
			if err != nil {
				return err
			}
			return second(s.Acquire(ctx))
		},
		"/election": func() error {
			e, err := election.New(c, "/election", election.WithID(text))
			if err != nil {
				return err
			}
			return second(e.Campaign(ctx))
		},
		"/queue":  func() error { return q.Put(ctx, large) },
		"/group":  func() error { return second(g.Join(ctx, "member", large)) },
		"/double": func() error { return d.Enter(ctx) },
		"/node":   func() error { return second(node.Keep(ctx, c, "/node", large)) },
		"/config": func() error {
			return second(configcenter.New(c).Publish(ctx, "app", configcenter.Change{Set: map[string]string{"key": text}}))
		},
		"/services": func() error {
			in := discovery.Instance{Service: "web", Address: "h", Port: 1, Metadata: map[string]string{"note": strings.Repeat("x", 1<<20)}}
			return second(discovery.New(c).Register(ctx, in))
		},
	} {
		err := do()
		if !errors.Is(err, client.ErrRequestTooLarge) && !errors.Is(err, configcenter.ErrTooLarge) && !errors.Is(err, discovery.ErrInvalid) {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if path != "/config" && path != "/services" && !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the error does not name it: %v", path, err)
		}
		wantNodes(t, c, path)
	}
	if err := q.PutAll(ctx, [][]byte{[]byte("small"), large}); !errors.Is(err, client.ErrRequestTooLarge) {
		t.Errorf("several messages: %v", err)
	}
	wantNodes(t, c, "/queue")
}

// A node that somebody else has put into a function's path is an error that names it.
func TestForeignNodes(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	plant := func(t *testing.T, path, data string) {
		t.Helper()
		parent := path[:strings.LastIndexByte(path, '/')]
		if parent != "" {
			if err := c.EnsurePath(ctx, parent, client.Persistent); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Create(ctx, path, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		path, data string
		do         func(ctx context.Context) error
	}{
		"mutex": {"/mutex/readme", "", func(ctx context.Context) error {
			m, err := lock.New(c, "/mutex")
			if err != nil {
				return err
			}
			return second(m.Lock(ctx))
		}},
		"reader": {"/rw/readme", "", func(ctx context.Context) error {
			m, err := lock.NewRW(c, "/rw")
			if err != nil {
				return err
			}
			return second(m.Reader().Lock(ctx))
		}},
		"semaphore": {"/semaphore/locks/readme", "", func(ctx context.Context) error {
			s, err := lock.NewSemaphore(c, "/semaphore", 1)
			if err != nil {
				return err
			}
			return second(s.Acquire(ctx))
		}},
		"election": {"/election/readme", "", func(ctx context.Context) error {
			e, err := election.New(c, "/election")
			if err != nil {
				return err
			}
			return second(e.Campaign(ctx))
		}},
		"participants": {"/participants/readme", "", func(ctx context.Context) error {
			e, err := election.New(c, "/participants")
			if err != nil {
				return err
			}
			return second(e.Participants(ctx))
		}},
		"counter": {"/counter", "twelve", func(ctx context.Context) error {
			n, err := counter.New(c, "/counter")
			if err != nil {
				return err
			}
			return second(n.Add(ctx, 1))
		}},
		"id": {"/id", "many", func(ctx context.Context) error {
			g, err := id.New(c, "/id")
			if err != nil {
				return err
			}
			return second(g.Next(ctx))
		}},
		"take": {"/take/readme", "", func(ctx context.Context) error {
			q, err := queue.New(c, "/take")
			if err != nil {
				return err
			}
			return second(q.TryTake(ctx))
		}},
		"receive": {"/receive/queue-0000000000", "not of this form", func(ctx context.Context) error {
			q, err := queue.New(c, "/receive")
			if err != nil {
				return err
			}
			return second(q.TryReceive(ctx))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			plant(t, tc.path, tc.data)
			err := tc.do(ctx)
			if err == nil || ctx.Err() != nil {
				t.Fatalf("overlooked: %v", err)
			}
			if !strings.Contains(err.Error(), tc.path) {
				t.Errorf("the error does not name %s: %v", tc.path, err)
			}
			data, _, err := c.Get(ctx, tc.path)
			if err != nil || string(data) != tc.data {
				t.Errorf("the node is %q, %v", data, err)
			}
			if parent := tc.path[:strings.LastIndexByte(tc.path, '/')]; parent != "" {
				wantNodes(t, c, parent, "the foreign one")
			}
		})
	}
}

// A program that has no logger hands on none.
func TestNoLogger(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t), client.WithLogger(nil))
	r, err := discovery.New(c, discovery.WithLogger(nil)).Register(ctx, discovery.Instance{Service: "quiet", Address: "10.0.0.1", Port: 80})
	fatal(t, err)
	fatal(t, r.Close(ctx))
	fatal(t, second(configcenter.New(c, configcenter.WithLogger(nil)).Publish(ctx, "quiet", configcenter.Change{Set: map[string]string{"a": "1"}})))
}
