package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/internal/servertest"
)

func must(t *testing.T, err error) {
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

func orders(id string, port int) discovery.Instance {
	return discovery.Instance{Service: "orders", ID: id, Address: "10.0.0.7", Port: port}
}

func register(t *testing.T, d *discovery.Discovery, in discovery.Instance, opts ...discovery.RegisterOption) *discovery.Registration {
	t.Helper()
	r, err := d.Register(servertest.Context(t), in, opts...)
	must(t, err)
	return r
}

func follow(t *testing.T, d *discovery.Discovery, service string) *discovery.Service {
	t.Helper()
	s, err := d.Follow(servertest.Context(t), service)
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// await returns the first snapshot that is right.
func await(t *testing.T, s *discovery.Service, right func(discovery.Snapshot) bool) discovery.Snapshot {
	t.Helper()
	var last discovery.Snapshot
	for now, err := range s.Snapshots(servertest.Context(t)) {
		if err != nil {
			t.Fatalf("%v; last %+v", err, last)
		}
		if last = now; right(now) {
			return now
		}
	}
	panic("unreachable")
}

// ids tells whether exactly these are there.
func ids(want ...string) func(discovery.Snapshot) bool {
	return func(s discovery.Snapshot) bool { return slices.Equal(idsOf(s.Instances), want) && !s.Stale }
}

func idsOf(instances []discovery.Instance) []string {
	var have []string
	for _, in := range instances {
		have = append(have, in.ID)
	}
	return have
}

func awaitStatus(t *testing.T, r *discovery.Registration, want discovery.Status) error {
	t.Helper()
	ctx := servertest.Context(t)
	for {
		changed := r.Changed()
		status, err := r.Status()
		if status == want {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("status %v, %v, want %v", status, err, want)
		}
	}
}

func TestRegisterAndFollow(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	d := discovery.New(servertest.Dial(t, server))
	s := follow(t, discovery.New(servertest.Dial(t, server)), "orders")
	await(t, s, ids())
	a, b := register(t, d, orders("a", 1)), register(t, d, orders("b", 2))
	await(t, s, ids("a", "b"))
	must(t, a.Update(func(in *discovery.Instance) { in.Weight, in.Zone, in.Service = 5, "z", "ignored" }))
	now := await(t, s, func(s discovery.Snapshot) bool { return s.Instances[0].Weight == 5 })
	if in := now.Instances[0]; in.Zone != "z" || in.Path != "/services/orders/a" || in.Session == 0 {
		t.Errorf("%+v", in)
	}
	must(t, a.Drain())
	await(t, s, func(s discovery.Snapshot) bool { return slices.Equal(idsOf(s.Ready()), []string{"b"}) })
	names, err := d.Services(ctx)
	if err != nil || !slices.Equal(names, []string{"orders"}) {
		t.Errorf("%q, %v", names, err)
	}
	if once, err := d.Instances(ctx, "orders"); err != nil || !ids("a", "b")(once) {
		t.Errorf("%+v, %v", once, err)
	}
	must(t, a.Close(ctx))
	await(t, s, ids("b"))
	must(t, b.Close(ctx))
	await(t, s, ids())
	if status, err := b.Status(); status != discovery.Gone || err != nil {
		t.Error(status, err)
	}
	<-b.Done()
}

// In each layout, an instance is registered, found, changed and removed.
func TestEveryLayout(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	for _, layout := range []discovery.Layout{discovery.Curator{Base: "/curator/here"}, discovery.Dubbo{}, discovery.ServerSet{Base: "/sets"}} {
		t.Run(fmt.Sprintf("%T", layout), func(t *testing.T) {
			d := discovery.New(c, discovery.WithLayout(layout))
			s := follow(t, d, "orders")
			one, two := register(t, d, orders("a", 1)), register(t, d, orders("b", 2))
			await(t, s, func(s discovery.Snapshot) bool { return len(s.Instances) == 2 })
			must(t, one.Update(func(in *discovery.Instance) { in.Port = 3 }))
			await(t, s, func(s discovery.Snapshot) bool {
				return slices.ContainsFunc(s.Instances, func(in discovery.Instance) bool { return in.Port == 3 }) && len(s.Instances) == 2
			})
			must(t, one.Close(ctx))
			must(t, two.Close(ctx))
			await(t, s, ids())
			left, err := c.Ephemerals(ctx, "/")
			if err != nil || len(left) != 0 {
				t.Errorf("left over: %q, %v", left, err)
			}
		})
	}
}

// What is no instance is reported with its path, and disturbs nobody.
func TestForeignNodes(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	d := discovery.New(c)
	defer register(t, d, orders("a", 1)).Close(ctx)
	_, err := c.Create(ctx, "/services/orders/junk", []byte("10.0.0.1"))
	must(t, err)
	_, err = c.Create(ctx, "/services/orders/junk/below", []byte("x"))
	must(t, err)
	s := follow(t, d, "orders")
	now := await(t, s, ids("a"))
	if len(now.Problems) != 1 {
		t.Fatalf("%v", now.Problems)
	}
	wantIs(t, now.Problems[0], discovery.ErrInvalid)
	var node *discovery.NodeError
	if !errors.As(now.Problems[0], &node) || node.Path != "/services/orders/junk" {
		t.Errorf("%v", now.Problems)
	}
}

func TestInvalidInstances(t *testing.T) {
	d := discovery.New(nil)
	ctx := servertest.Context(t)
	for _, in := range []discovery.Instance{
		{}, {Service: "s"}, {Service: "s", Address: "h", Port: 65536}, {Service: "s/", Address: "h"},
		{Service: "s", Address: "not a host"}, {Service: "s", Address: "10.0.0.7:8080"}, {Service: "s", Address: "http://h"}, {Service: "s", Address: "a..b"},
		{Service: "s", Address: "-a"}, {Service: "s", Address: "[::1]"}, {Service: "s", Address: strings.Repeat("a.", 127) + "a"},
		{Service: "s", ID: "a/b", Address: "h"}, {Service: "s", Address: "h", Weight: -1}, {Service: "s", Address: "h", Payload: []byte("{")},
	} {
		_, err := d.Register(ctx, in)
		wantIs(t, err, discovery.ErrInvalid)
	}
	_, err := d.Follow(ctx, "a//b")
	wantIs(t, err, discovery.ErrInvalid)
	_, err = d.Instances(ctx, "")
	wantIs(t, err, discovery.ErrInvalid)
}

// An instance too large for a packet is refused, and nothing stays.
func TestTooLarge(t *testing.T) {
	server := servertest.Start(t)
	ctx, cancel := context.WithCancel(servertest.Context(t))
	defer cancel()
	c := servertest.Dial(t, server)
	in := orders("a", 1)
	in.Metadata = map[string]string{"k": strings.Repeat("v", 1<<20)}
	_, err := discovery.New(c).Register(ctx, in)
	wantIs(t, err, discovery.ErrInvalid)
}

// A node that is deleted comes back; one whose session has expired does, too.
func TestKeptRegistered(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	d := discovery.New(c)
	s := follow(t, discovery.New(servertest.Dial(t, server)), "orders")
	r := register(t, d, orders("a", 1))
	first := await(t, s, ids("a")).Instances[0]
	other := servertest.Dial(t, server)
	must(t, other.Delete(ctx, first.Path, client.AnyVersion))
	await(t, s, ids("a"))

	expire(t, c, server)
	await(t, s, func(s discovery.Snapshot) bool { return ids("a")(s) && s.Instances[0].Session != first.Session })
	must(t, r.Close(ctx))
	await(t, s, ids())
}

// expire ends a client's session behind its back.
func expire(t *testing.T, c *client.Client, server string) {
	t.Helper()
	s := c.Session()
	thief, err := client.Dial(servertest.Context(t), server, client.WithSession(s.ID(), s.Password()))
	must(t, err)
	must(t, thief.Close())
}

// What somebody else writes into the node stands until Update.
func TestEditedByHand(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	d := discovery.New(c)
	s := follow(t, d, "orders")
	r := register(t, d, orders("a", 1))
	edited, err := discovery.Curator{}.Encode(discovery.Instance{Service: "orders", ID: "a", Address: "10.0.0.7", Port: 1, Draining: true})
	must(t, err)
	_, err = c.Set(ctx, "/services/orders/a", edited.Data, client.AnyVersion)
	must(t, err)
	await(t, s, func(s discovery.Snapshot) bool { return len(s.Ready()) == 0 })
	must(t, r.Update(func(in *discovery.Instance) { in.Port = 2 }))
	await(t, s, func(s discovery.Snapshot) bool { return len(s.Ready()) == 1 && s.Ready()[0].Port == 2 })
	must(t, r.Close(ctx))
}

// The later of two programs with one id has it.
func TestReplaced(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	first := register(t, discovery.New(servertest.Dial(t, server)), orders("a", 1))
	d := discovery.New(servertest.Dial(t, server))
	second := register(t, d, orders("a", 2))
	wantIs(t, awaitStatus(t, first, discovery.Gone), discovery.ErrReplaced)
	must(t, first.Close(ctx))
	now, err := d.Instances(ctx, "orders")
	if err != nil || len(now.Instances) != 1 || now.Instances[0].Port != 2 {
		t.Errorf("%+v, %v", now, err)
	}
	must(t, second.Close(ctx))
}

func TestStatic(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	in := orders("a", 1)
	in.Static = true
	c, err := client.Dial(ctx, server)
	must(t, err)
	register(t, discovery.New(c), in)
	must(t, c.Close())
	d := discovery.New(servertest.Dial(t, server))
	s := follow(t, d, "orders")
	if now := await(t, s, ids("a")); !now.Instances[0].Static || now.Instances[0].Session != 0 {
		t.Errorf("%+v", now)
	}
	must(t, register(t, d, in).Close(ctx))
	await(t, s, ids())
}

// A registration whose requests and replies get lost leaves one node, and none
// when it is over.
func TestBrokenConnections(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	watcher := servertest.Dial(t, server)
	for name, layout := range map[string]discovery.Layout{"curator": discovery.Curator{}, "dubbo": discovery.Dubbo{}, "serverset": discovery.ServerSet{Base: "/sets"}} {
		for i := range 6 {
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				breaker := new(servertest.Breaker)
				c := servertest.Dial(t, server, client.WithDialer(breaker.Dial))
				d := discovery.New(c, discovery.WithLayout(layout))
				warm := register(t, d, orders("warm", 9))
				defer warm.Close(ctx)
				s := follow(t, discovery.New(watcher, discovery.WithLayout(layout)), "orders")
				if i%2 == 0 {
					breaker.LoseReply()
				} else {
					breaker.LoseRequest()
				}
				r := register(t, d, orders("a", 1))
				await(t, s, func(s discovery.Snapshot) bool { return len(s.Instances) == 2 })
				breaker.LoseReply()
				must(t, r.Close(ctx))
				await(t, s, func(s discovery.Snapshot) bool { return len(s.Instances) == 1 })
			})
		}
	}
}

// Who gives up registering leaves nothing.
func TestRegisterCancelled(t *testing.T) {
	server := servertest.Start(t)
	c := servertest.Dial(t, server)
	d := discovery.New(c)
	ctx, cancel := context.WithCancel(servertest.Context(t))
	started := make(chan struct{})
	never := func(ctx context.Context) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	}
	go func() {
		<-started
		cancel()
	}()
	_, err := d.Register(ctx, orders("a", 1), discovery.WithCheck(never, discovery.Checking{Name: "never", Timeout: time.Hour}))
	wantIs(t, err, context.Canceled)
	now, err := d.Instances(servertest.Context(t), "orders")
	if err != nil || len(now.Instances) != 0 {
		t.Errorf("%+v, %v", now, err)
	}
}

func TestChecks(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	d := discovery.New(servertest.Dial(t, server))
	s := follow(t, d, "orders")
	var sick atomic.Bool
	sick.Store(true)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer web.Close()
	r := register(t, d, orders("a", 1),
		discovery.WithCheck(discovery.HTTPCheck(nil, web.URL), discovery.Checking{Name: "web", Interval: time.Millisecond, Timeout: time.Minute}),
		discovery.WithCheck(discovery.TCPCheck(web.Listener.Addr().String()), discovery.Checking{Name: "port"}))
	if err := awaitStatus(t, r, discovery.Unhealthy); err == nil {
		t.Error("no reason")
	}
	await(t, s, ids())
	for range 2 {
		sick.Store(false)
		must(t, awaitStatus(t, r, discovery.Serving))
		await(t, s, ids("a"))
		sick.Store(true)
		awaitStatus(t, r, discovery.Unhealthy)
		await(t, s, ids())
	}
	must(t, r.Close(ctx))
}

// A program that is not ready at once is registered soon after it is, however seldom
// it is checked later.
func TestCheckedAtStart(t *testing.T) {
	d := discovery.New(servertest.Dial(t, servertest.Start(t)))
	var checks atomic.Int32
	check := func(context.Context) error {
		if checks.Add(1) == 1 {
			return errors.New("it is starting")
		}
		return nil
	}
	r := register(t, d, orders("a", 1), discovery.WithCheck(check, discovery.Checking{Name: "start", Interval: 24 * time.Hour, Rise: 2}))
	must(t, awaitStatus(t, r, discovery.Serving))
	must(t, r.Close(servertest.Context(t)))
}

// The last snapshot stands while there is no server, and instances that could
// not reach the servers either are kept for a while.
func TestServersAway(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	proxy := servertest.NewProxy(t, server)
	var registrations []*discovery.Registration
	d := discovery.New(servertest.Dial(t, server))
	for i := range 4 {
		registrations = append(registrations, register(t, d, orders(fmt.Sprint(i), i+1)))
	}
	held := follow(t, discovery.New(servertest.Dial(t, proxy.Addr()), discovery.WithPanicThreshold(0.5, time.Hour)), "orders")
	brief := follow(t, discovery.New(servertest.Dial(t, proxy.Addr()), discovery.WithPanicThreshold(0.5, time.Millisecond)), "orders")
	plain := follow(t, discovery.New(servertest.Dial(t, proxy.Addr()), discovery.WithPanicThreshold(0, 0)), "orders")
	proxy.Cut()
	for _, s := range []*discovery.Service{held, brief, plain} {
		now := await(t, s, func(s discovery.Snapshot) bool { return s.Stale })
		if len(now.Instances) != 4 {
			t.Errorf("%+v", now)
		}
	}
	for _, r := range registrations[1:] {
		must(t, r.Close(ctx))
	}
	proxy.Heal()
	await(t, plain, ids("0"))
	await(t, brief, ids("0"))
	now := await(t, held, ids("0", "1", "2", "3"))
	if now.Held != 3 {
		t.Errorf("%+v", now)
	}
	// Enough come back: the others are gone.
	registrations[1] = register(t, d, orders("1", 2))
	if now := await(t, held, ids("0", "1")); now.Held != 0 {
		t.Errorf("%+v", now)
	}
}

func TestFollowEnds(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c, err := client.Dial(ctx, server)
	must(t, err)
	closed, s := follow(t, discovery.New(c), "orders"), follow(t, discovery.New(c), "orders")
	closed.Close()
	for _, err := range closed.Snapshots(ctx) {
		wantIs(t, err, discovery.ErrClosed)
	}
	r := register(t, discovery.New(c), orders("a", 1))
	must(t, c.Close())
	wantIs(t, awaitStatus(t, r, discovery.Gone), client.ErrClosed)
	must(t, r.Close(ctx))
	for _, err := range s.Snapshots(ctx) {
		if err != nil {
			wantIs(t, err, client.ErrClosed)
		}
	}
	nobody, err := client.New("127.0.0.1:1")
	must(t, err)
	defer nobody.Close()
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err = discovery.New(nobody).Follow(short, "orders")
	wantIs(t, err, context.DeadlineExceeded)
	_, err = discovery.New(nobody).Register(short, orders("a", 1))
	wantIs(t, err, context.DeadlineExceeded)
}
