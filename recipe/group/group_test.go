package group_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/group"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

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

func members(list []group.Info) []string {
	var got []string
	for _, m := range list {
		got = append(got, m.ID+"="+string(m.Data))
	}
	return got
}

func TestGroup(t *testing.T) {
	server := servertest.Start(t)
	ctx, cancel := context.WithCancel(servertest.Context(t))
	defer cancel()
	other := servertest.Dial(t, server)
	g := must[*group.Group](t)(group.New(servertest.Dial(t, server), "/app/group"))
	seen := make(chan []string, 100)
	ended := make(chan error, 1)
	go func() {
		for list, err := range must[*group.Group](t)(group.New(other, "/app/group")).Watch(ctx) {
			if err != nil {
				ended <- err
				return
			}
			seen <- members(list)
		}
	}()
	want := func(ids ...string) {
		t.Helper()
		for {
			select {
			case got := <-seen:
				if slices.Equal(got, ids) {
					return
				}
			case <-ctx.Done():
				t.Fatalf("never %v", ids)
			}
		}
	}
	want()
	a := must[*group.Member](t)(g.Join(ctx, "a", []byte("1")))
	want("a=1")
	b := must[*group.Member](t)(g.Join(ctx, "b", nil))
	want("a=1", "b=")
	check(t, a.Update(ctx, []byte("2")))
	want("a=2", "b=")
	was, _, err := other.Exists(ctx, a.Path())
	check(t, err)
	check(t, other.Delete(ctx, a.Path(), -1)) // it comes back, with its data; followers may not see that it was away
	for {
		now, ok, changed, err := other.ExistsW(ctx, a.Path())
		check(t, err)
		if ok && now.Czxid > was.Czxid {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatal("it never came back")
		}
	}
	check(t, b.Leave(ctx))
	want("a=2")
	<-b.Done()
	wantIs(t, b.Err(), context.Canceled)
	if got := members(must[[]group.Info](t)(g.Members(ctx))); !slices.Equal(got, []string{"a=2"}) {
		t.Errorf("members %v", got)
	}
	check(t, a.Leave(ctx))
	want()
	cancel()
	wantIs(t, <-ended, context.Canceled)
}

// Who joins with an id that is taken waits for it.
func TestTaken(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	former := must[*client.Client](t)(client.Dial(ctx, server))
	join := func(ctx context.Context, c *client.Client) (*group.Member, error) {
		return must[*group.Group](t)(group.New(c, "/taken")).Join(ctx, "me", []byte("x"))
	}
	m := must[*group.Member](t)(join(ctx, former))
	c := servertest.Dial(t, server)
	var err error
	for wait := time.Millisecond; !errors.Is(err, group.ErrTaken); wait *= 2 { // enough for it to find out
		short, cancel := context.WithTimeout(ctx, wait)
		_, err = join(short, c)
		cancel()
		wantIs(t, err, context.DeadlineExceeded)
	}
	joined := make(chan error, 1)
	go func() {
		m, err := join(ctx, c)
		if err == nil {
			err = m.Leave(ctx)
		}
		joined <- err
	}()
	check(t, former.Close())
	check(t, <-joined)
	<-m.Done()
	check(t, m.Leave(ctx))
}

func TestKazooLayouts(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	for layout, form := range map[group.Layout]string{group.KazooParty: `^[0-9a-f]{32}__party__$`, group.KazooShallowParty: `^[0-9a-f]{32}-me$`} {
		path := fmt.Sprint("/party", layout)
		g := must[*group.Group](t)(group.New(c, path, group.WithLayout(layout)))
		m := must[*group.Member](t)(g.Join(ctx, "me", nil))
		if name := m.Path()[len(path)+1:]; !regexp.MustCompile(form).MatchString(name) {
			t.Error(name)
		}
		if data, _, err := c.Get(ctx, m.Path()); err != nil || string(data) != "me" {
			t.Errorf("%q, %v", data, err)
		}
		must[string](t)(c.Create(ctx, path+"/other", nil))
		if got := members(must[[]group.Info](t)(g.Members(ctx))); !slices.Equal(got, []string{"me="}) {
			t.Errorf("members %v", got)
		}
		wantIs(t, m.Update(ctx, nil), client.ErrBadArguments)
		check(t, m.Leave(ctx))
	}
}

func TestBadInput(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	_, err := group.New(c, "x")
	wantIs(t, err, client.ErrBadArguments)
	g := must[*group.Group](t)(group.New(c, "/x"))
	for _, id := range []string{"", "a/b", "..", "a\x00"} {
		_, err := g.Join(ctx, id, nil)
		wantIs(t, err, client.ErrBadArguments)
	}
}

// A connection that breaks in the middle of each call leaves one member, or none.
func TestConnectionLost(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	var b servertest.Breaker
	g := must[*group.Group](t)(group.New(servertest.Dial(t, server, client.WithDialer(b.Dial)), "/lost"))
	b.LoseReply()
	m := must[*group.Member](t)(g.Join(ctx, "a", []byte("1")))
	b.LoseReply()
	check(t, m.Update(ctx, []byte("2")))
	if got := members(must[[]group.Info](t)(g.Members(ctx))); !slices.Equal(got, []string{"a=2"}) {
		t.Errorf("members %v", got)
	}
	b.LoseRequest()
	check(t, m.Leave(ctx))
	if got := must[[]group.Info](t)(g.Members(ctx)); len(got) != 0 {
		t.Errorf("members %v", got)
	}
}

func ExampleGroup() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		g, err := group.New(c, "/app/workers")
		if err != nil {
			return err
		}
		m, err := g.Join(ctx, "worker-7", []byte("10.0.0.7:8080"))
		if err != nil {
			return err
		}
		members, err := g.Members(ctx)
		for _, m := range members {
			fmt.Printf("%s at %s\n", m.ID, m.Data)
		}
		return errors.Join(err, m.Leave(ctx))
	})
	// Output: worker-7 at 10.0.0.7:8080
}

// Who stops looking does not have to wait for a server.
func TestWatchEndsWithoutServer(t *testing.T) {
	p := servertest.NewProxy(t, servertest.Start(t))
	ctx := servertest.Context(t)
	c := servertest.Dial(t, p.Addr())
	g := must[*group.Group](t)(group.New(c, "/group"))
	for _, err := range g.Watch(ctx) {
		check(t, err)
		p.Cut()
		break
	}
	watching, cancel := context.WithCancel(ctx)
	p.Heal()
	check(t, c.WaitConnected(ctx))
	for _, err := range g.Watch(watching) {
		if err == nil {
			p.Cut()
			cancel()
		} else {
			wantIs(t, err, context.Canceled)
		}
	}
	cancel()
	check(t, ctx.Err())
	p.Heal()
}
