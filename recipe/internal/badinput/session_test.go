package badinput_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/barrier"
	"github.com/quollhq/quoll/recipe/counter"
	"github.com/quollhq/quoll/recipe/election"
	"github.com/quollhq/quoll/recipe/group"
	"github.com/quollhq/quoll/recipe/id"
	"github.com/quollhq/quoll/recipe/lock"
	"github.com/quollhq/quoll/recipe/node"
	"github.com/quollhq/quoll/recipe/queue"
)

// reaper ends a client's session, at the server, before its n-th request from now is sent, or after it was.
type reaper struct {
	t     *testing.T
	addr  string
	owner atomic.Pointer[client.Client]
	left  atomic.Int32 // requests until then; none if it is not positive
	after atomic.Bool
	ended atomic.Int32 // sessions
}

func (r *reaper) dial(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return reaped{nc, r}, err
}

type reaped struct {
	net.Conn
	r *reaper
}

func (c reaped) Write(b []byte) (int, error) {
	n := requests(b)
	if left := c.r.left.Load(); n == 0 || left <= 0 || c.r.left.Add(-n) > 0 {
		return c.Conn.Write(b)
	}
	if c.r.after.Load() {
		if n, err := c.Conn.Write(b); err != nil {
			return n, err
		}
	}
	c.r.end()
	return 0, errors.Join(errors.New("broken by the test"), c.Close())
}

// requests counts those that are the caller's: no ping, no end of the session.
func requests(b []byte) (n int32) {
	for len(b) >= 12 {
		switch proto.Op(int32(binary.BigEndian.Uint32(b[8:]))) {
		case proto.OpPing, proto.OpCloseSession, proto.OpSetWatches, proto.OpSetWatches2:
		default:
			n++
		}
		b = b[min(len(b), 4+int(binary.BigEndian.Uint32(b))):]
	}
	return n
}

// end takes the session over and closes it.
func (r *reaper) end() {
	s := r.owner.Load().Session()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, r.addr, client.WithSession(s.ID(), s.Password()), client.WithSingleSession())
	if err == nil {
		err = c.Close()
	}
	if err != nil {
		r.t.Errorf("ending the session: %v", err)
	}
	r.ended.Add(1)
}

// A session that ends at any moment of a call lets it fail, by an error that says so and names the path, or the call
// gets over it. When it has failed, nothing of it is left; what it has made is there once.
func TestSessionEndsWithin(t *testing.T) {
	addr := servertest.Start(t)
	judge := servertest.Dial(t, addr)
	t.Cleanup(func() { wholePublications(t, addr) }) // when all subtests have ended
	for name, tc := range map[string]struct {
		path string
		// call does it, and what gives back what it has got.
		call func(ctx context.Context, c *client.Client, path string) error
		// left is how many children the path has afterwards, if the call has worked and if it has failed.
		worked, failed int
		// doubtful calls may fail with an outcome that is unknown: then either is fine.
		doubtful bool
	}{
		"mutex": {call: func(ctx context.Context, c *client.Client, path string) error {
			m, err := lock.New(c, path)
			if err != nil {
				return err
			}
			h, err := m.Lock(ctx)
			if err != nil {
				return err
			}
			return expected(h.Unlock(ctx), lock.ErrLost)
		}},
		"semaphore": {path: "/leases", call: func(ctx context.Context, c *client.Client, path string) error {
			m, err := lock.NewSemaphore(c, strings.TrimSuffix(path, "/leases"), 1)
			if err != nil {
				return err
			}
			h, err := m.Acquire(ctx)
			if err != nil {
				return err
			}
			return expected(h.Unlock(ctx), lock.ErrLost)
		}},
		"election": {call: func(ctx context.Context, c *client.Client, path string) error {
			e, err := election.New(c, path)
			if err != nil {
				return err
			}
			term, err := e.Campaign(ctx)
			if err != nil {
				return err
			}
			return expected(term.Resign(ctx), lock.ErrLost)
		}},
		"put": {worked: 1, doubtful: true, call: func(ctx context.Context, c *client.Client, path string) error {
			q, err := queue.New(c, path)
			if err != nil {
				return err
			}
			return q.Put(ctx, []byte("message"))
		}},
		"group": {call: func(ctx context.Context, c *client.Client, path string) error {
			g, err := group.New(c, path)
			if err != nil {
				return err
			}
			m, err := g.Join(ctx, "me", nil)
			if err != nil {
				return err
			}
			return m.Leave(ctx)
		}},
		"node": {call: func(ctx context.Context, c *client.Client, path string) error {
			if err := c.EnsurePath(ctx, path, client.Persistent); err != nil {
				return err
			}
			k, err := node.Keep(ctx, c, path+"/kept", nil)
			if err != nil {
				return err
			}
			return k.Close(ctx)
		}},
		"double barrier": {call: func(ctx context.Context, c *client.Client, path string) error {
			d, err := barrier.NewDouble(c, path, 1)
			if err != nil {
				return err
			}
			if err := d.Enter(ctx); err != nil {
				return err
			}
			return expected(d.Leave(ctx), client.ErrSessionExpired, barrier.ErrInside)
		}, worked: -1, failed: -1},
		"counter": {worked: -1, failed: -1, doubtful: true, call: func(ctx context.Context, c *client.Client, path string) error {
			n, err := counter.New(c, path)
			if err != nil {
				return err
			}
			v, err := n.Add(ctx, 1)
			if err == nil && v != 1 {
				err = errors.New("counted twice")
			}
			return err
		}},
		"id": {worked: -1, failed: -1, doubtful: true, call: func(ctx context.Context, c *client.Client, path string) error {
			g, err := id.New(c, path)
			if err != nil {
				return err
			}
			return second(g.Next(ctx))
		}},
		"register": {call: func(ctx context.Context, c *client.Client, path string) error {
			in := discovery.Instance{Service: path[1:], Address: "10.0.0.1", Port: 80, ID: "one"}
			r, err := discovery.New(c, discovery.WithLayout(discovery.Curator{Base: "/services"})).Register(ctx, in)
			if err != nil {
				return err
			}
			return r.Close(ctx)
		}},
		"publish": {worked: -1, failed: -1, call: func(ctx context.Context, c *client.Client, path string) error {
			_, err := configcenter.New(c).Publish(ctx, path[1:], configcenter.Change{Set: map[string]string{"a": "1", "b": "2"}})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, after := range []bool{false, true} {
				for n, fired := int32(1), true; fired; n++ {
					root := "/" + strings.ReplaceAll(name, " ", "-") + map[bool]string{false: "-before-", true: "-after-"}[after] + string('a'+rune(n))
					path := root + tc.path
					fired = endWithin(t, addr, n, after, func(ctx context.Context, c *client.Client) error {
						return tc.call(ctx, c, path)
					}, func(err error) {
						if err != nil && !errors.Is(err, client.ErrSessionExpired) && !client.MaybeApplied(err) {
							t.Errorf("%s: %v", path, err)
						}
						if err != nil && !strings.Contains(err.Error(), root) && !strings.Contains(err.Error(), root[1:]) {
							t.Errorf("%s: the error does not name it: %v", path, err)
						}
						if err != nil && client.MaybeApplied(err) && !tc.doubtful {
							t.Errorf("%s: the outcome is unknown: %v", path, err)
						}
						want := tc.worked
						if err != nil {
							want = tc.failed
						}
						if want >= 0 && !(tc.doubtful && client.MaybeApplied(err)) {
							wantCount(t, judge, path, want)
						}
					})
				}
			}
		})
	}
}

// wholePublications checks that nothing is half published: both properties are there, or none.
func wholePublications(t *testing.T, addr string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	names, err := c.ChildNames(ctx, "/config")
	if err != nil || len(names) == 0 {
		t.Errorf("published %q, %v", names, err)
	}
	for _, name := range names {
		properties, err := c.ChildNames(ctx, "/config/"+name)
		if n := len(properties); err != nil || n != 0 && n != 2 {
			t.Errorf("%s has %d properties, %v", name, n, err)
		}
	}
}

// expected is err, unless it is what a session's end may lead to.
func expected(err error, ends ...error) error {
	for _, end := range ends {
		if errors.Is(err, end) {
			return nil
		}
	}
	return err
}

// endWithin makes a call during which the session ends at its n-th request, and tells whether it did.
func endWithin(t *testing.T, addr string, n int32, after bool, call func(context.Context, *client.Client) error, check func(error)) bool {
	t.Helper()
	ctx := servertest.Context(t)
	r := &reaper{t: t, addr: addr}
	r.after.Store(after)
	c, err := client.Dial(ctx, addr, client.WithDialer(r.dial))
	if err != nil {
		t.Fatal(err)
	}
	r.owner.Store(c)
	r.left.Store(n)
	err = call(ctx, c)
	r.left.Store(0)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call does not come to its end: %v", err)
	}
	if closed := c.Close(); closed != nil && !errors.Is(closed, client.ErrSessionExpired) {
		t.Error(closed)
	}
	check(err)
	return r.ended.Load() > 0
}

func wantCount(t *testing.T, c *client.Client, path string, want int) {
	t.Helper()
	if strings.HasPrefix(path, "/register") {
		path = "/services" + path
	}
	names, err := c.ChildNames(servertest.Context(t), path)
	if err != nil && !errors.Is(err, client.ErrNoNode) {
		t.Fatal(err)
	}
	if len(names) != want {
		t.Errorf("%s has %q, want %d", path, names, want)
	}
}
