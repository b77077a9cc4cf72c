package configcenter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/internal/servertest"
)

type config struct {
	Color string
	Pool  struct{ Size int }
}

var orders = configcenter.App{Name: "orders", Profiles: []string{"prod"}, Instance: "i1", Labels: set{"zone": "z"}}

func open(t *testing.T, center *configcenter.Center, app configcenter.App, o configcenter.Options[config]) *configcenter.Live[config] {
	t.Helper()
	l, err := configcenter.Open(servertest.Context(t), center, app, o)
	must(t, err)
	t.Cleanup(l.Close)
	return l
}

// await returns the first configuration that is right.
func await(t *testing.T, l *configcenter.Live[config], right func(*config) bool) *config {
	t.Helper()
	for c, err := range l.Changes(servertest.Context(t)) {
		if err != nil {
			t.Fatalf("%v; the last one is %+v", err, c)
		}
		if right(c) {
			return c
		}
	}
	panic("unreachable")
}

func color(want string) func(*config) bool { return func(c *config) bool { return c.Color == want } }

// poll waits until something is so that nobody tells of.
func poll(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx := servertest.Context(t)
	for !so() {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatal("waited in vain until " + what)
		}
	}
}

// What changes nothing for a program is no change to it.
func TestNoChange(t *testing.T) {
	server := servertest.Start(t)
	center := configcenter.New(servertest.Dial(t, server))
	publish(t, center, "application", set{"color": "grey"})
	l := open(t, configcenter.New(servertest.Dial(t, server)), orders, configcenter.Options[config]{})
	first := l.Current()
	publish(t, center, "application", set{"of.others": "1"})
	poll(t, "the publication is seen", func() bool { return l.View().Properties["of.others"] == "1" })
	if l.Current() != first {
		t.Errorf("%+v became %+v", first, l.Current())
	}
	publish(t, center, "application", set{"color": "red"})
	if got := await(t, l, func(c *config) bool { return c != first }); got.Color != "red" {
		t.Errorf("%+v", got)
	}
}

func TestLive(t *testing.T) {
	server := servertest.Start(t)
	c := servertest.Dial(t, server)
	center := configcenter.New(servertest.Dial(t, server))
	publish(t, center, "application", set{"color": "grey", "pool.size": "1"})
	l := open(t, configcenter.New(c), orders, configcenter.Options[config]{Default: config{Color: "none"}})
	if got := l.Current(); got.Color != "grey" || got.Pool.Size != 1 {
		t.Errorf("%+v", got)
	}
	publish(t, center, "orders,prod", set{"color": "red", "pool.size": "2"})
	if got := await(t, l, color("red")); got.Pool.Size != 2 {
		t.Errorf("half of a publication: %+v", got)
	}
	publish(t, center, "orders", set{"color": "blue"}) // under another layer
	create(t, c, "/config/orders,prod/pool", "")
	_, err := c.Set(servertest.Context(t), "/config/orders,prod/color", []byte("by hand"), client.AnyVersion)
	must(t, err)
	await(t, l, color("by hand"))
	if v := l.View(); v.Origins["color"] != "orders,prod" || v.Revisions["orders"] != 1 || v.Stale {
		t.Errorf("%+v", v)
	}
	publish(t, center, "orders,prod", nil, "color")
	publish(t, center, "orders", nil, "color")
	publish(t, center, "application", nil, "color")
	await(t, l, color("none"))
	l.Close()
	for _, err := range l.Changes(t.Context()) {
		if err != nil {
			wantIs(t, err, configcenter.ErrClosed)
		}
	}
}

// What makes no valid configuration is not used, and everybody can see why.
func TestRefused(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	center := configcenter.New(servertest.Dial(t, server))
	publish(t, center, "orders", set{"color": "red", "pool.size": "1"})
	noBlack := func(c *config) error {
		if c.Color == "black" {
			return errors.New("color must not be black")
		}
		return nil
	}
	l := open(t, center, orders, configcenter.Options[config]{Validate: noBlack})
	for _, bad := range []set{{"color": "black"}, {"pool.size": "x", "color": "green"}, {"color": "{quoll:k}AAAA", "pool.size": "1"}} {
		publish(t, center, "orders", bad)
		poll(t, "it is refused", func() bool { return l.Err() != nil })
		poll(t, "the list says so", func() bool {
			list, err := center.Subscribers(ctx, "orders")
			return err == nil && len(list) == 1 && list[0].Error != ""
		})
		if got := l.Current(); got.Color != "red" || got.Pool.Size != 1 {
			t.Fatalf("%v made %+v", bad, got)
		}
		publish(t, center, "orders", set{"color": "red", "pool.size": "1"})
		poll(t, "it is good again", func() bool { return l.Err() == nil })
	}
	_, err := configcenter.Open(ctx, center, orders, configcenter.Options[config]{Validate: func(*config) error { return errors.New("never") }, Unlisted: true})
	if err == nil || !strings.Contains(err.Error(), "never") {
		t.Errorf("error %v", err)
	}
	for _, app := range []configcenter.App{{}, {Name: "a/b"}, {Name: "a", Profiles: []string{"x/y"}}, {Name: "a", Instance: "x/y"}} {
		_, err := configcenter.Open(ctx, center, app, configcenter.Options[config]{})
		wantIs(t, err, configcenter.ErrInvalid)
	}
}

// Who ranges over updates learns of what is refused, and of its end; who ranges over
// changes only of what is used.
func TestUpdates(t *testing.T) {
	center := configcenter.New(servertest.Dial(t, servertest.Start(t)))
	publish(t, center, "orders", set{"color": "red"})
	keep := func(c *config) error {
		if c.Color == "black" {
			return errors.New("color must not be black")
		}
		return nil
	}
	l := open(t, center, orders, configcenter.Options[config]{Validate: keep})
	next, stop := iter.Pull2(l.Updates(servertest.Context(t)))
	defer stop()
	var last configcenter.Update[config]
	wantUpdate := func(color string, revision int64, why string) {
		t.Helper()
		for {
			u, err, ok := next()
			if !ok || err != nil {
				t.Fatal(err)
			}
			if u.Config == last.Config && u.Err == last.Err { // the server was away, or is back
				continue
			}
			last = u
			said := ""
			if u.Err != nil {
				said = u.Err.Error()
			}
			if u.Config.Color != color || u.View.Revisions["orders"] != revision || (why == "") != (said == "") || !strings.Contains(said, why) {
				t.Fatalf("%+v of %v, %q; want %s at %d, %q", u.Config, u.View, said, color, revision, why)
			}
			return
		}
	}
	wantUpdate("red", 1, "")
	for i, test := range []struct {
		bad set
		why string
	}{
		{set{"color": "black"}, "color must not be black"},
		{set{"color": "green", "pool.size": "x"}, "Pool.Size"},
		{set{"color": "{quoll:k}AAAA", "pool.size": "1"}, `in orders: property "color" cannot be decrypted`},
	} {
		n := int64(2*i + 1)
		publish(t, center, "orders", test.bad)
		wantUpdate("red", n, test.why)
		if at := fmt.Sprintf("(orders@%d)", n+1); !strings.Contains(l.Err().Error(), at) {
			t.Errorf("%v does not say %s", l.Err(), at)
		}
		publish(t, center, "orders", set{"color": "red", "pool.size": "1"})
		wantUpdate("red", n+2, "")
	}
	colors := make(chan string)
	go func() {
		defer close(colors)
		for c := range l.Changes(context.Background()) {
			colors <- c.Color
		}
	}()
	if got := <-colors; got != "red" {
		t.Error(got)
	}
	publish(t, center, "orders", set{"color": "black"})
	wantUpdate("red", 7, "black")
	publish(t, center, "orders", set{"color": "blue"})
	wantUpdate("blue", 9, "")
	if got := <-colors; got != "blue" {
		t.Error(got)
	}
	l.Close()
	if got := <-colors; got != "blue" { // with the error that ends it
		t.Error(got)
	}
	for _, err, ok := next(); ok; _, err, ok = next() {
		if err != nil {
			wantIs(t, err, configcenter.ErrClosed)
		}
	}
}

func TestSubscribers(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	center := configcenter.New(servertest.Dial(t, server))
	publish(t, center, "orders", set{"color": "red"})
	l := open(t, configcenter.New(servertest.Dial(t, server)), orders, configcenter.Options[config]{})
	runs := func(revision int64, canaries ...string) {
		t.Helper()
		poll(t, "it is listed", func() bool {
			list, err := center.Subscribers(ctx, "orders")
			must(t, err)
			return len(list) == 1 && list[0].Instance == "i1" && list[0].Revisions["orders"] == revision &&
				strings.Join(list[0].Canaries, " ") == strings.Join(canaries, " ") && list[0].Labels["zone"] == "z"
		})
	}
	runs(1)
	canary := configcenter.Canary{Name: "c", Set: set{"color": "yellow"}, Match: configcenter.Match{Instances: []string{"i1"}}}
	_, err := center.StartCanary(ctx, "orders", canary, configcenter.Change{})
	must(t, err)
	await(t, l, color("yellow"))
	runs(2, "orders#c")
	_, err = center.AbortCanary(ctx, "orders", "c", configcenter.Change{})
	must(t, err)
	await(t, l, color("red"))
	runs(3)
	l.Close()
	poll(t, "it is listed no more", func() bool {
		list, err := center.Subscribers(ctx, "orders")
		return err == nil && len(list) == 0
	})
}

func TestEncrypted(t *testing.T) {
	center := configcenter.New(servertest.Dial(t, servertest.Start(t)))
	line, err := configcenter.NewKey("k")
	must(t, err)
	keys, err := configcenter.ParseKeyring(line)
	must(t, err)
	publish(t, center, "orders", set{"color": keys.Encrypt("color", "secret")})
	file := filepath.Join(t.TempDir(), "last")
	l := open(t, center, orders, configcenter.Options[config]{Keys: keys, File: file})
	if got := l.Current(); got.Color != "secret" {
		t.Errorf("%+v", got)
	}
	if data, err := os.ReadFile(file); err != nil || bytes.Contains(data, []byte("secret")) {
		t.Errorf("%s, %v", data, err)
	}
}

// The last configuration stands while there is no server, even through a start.
func TestServersAway(t *testing.T) {
	ctx := servertest.Context(t)
	server := servertest.Start(t)
	proxy := servertest.NewProxy(t, server)
	direct := configcenter.New(servertest.Dial(t, server))
	publish(t, direct, "orders", set{"color": "red"})
	file := filepath.Join(t.TempDir(), "last")
	o := configcenter.Options[config]{File: file, Wait: time.Minute}
	l := open(t, configcenter.New(servertest.Dial(t, proxy.Addr())), orders, o)
	proxy.Cut()
	poll(t, "it is stale", func() bool { return l.View().Stale })
	if got := l.Current(); got.Color != "red" {
		t.Errorf("%+v", got)
	}

	away, err := client.New(proxy.Addr())
	must(t, err)
	defer away.Close()
	o.Wait = time.Millisecond
	started := open(t, configcenter.New(away), orders, o)
	if v := started.View(); started.Current().Color != "red" || !v.Stale || v.Saved.IsZero() {
		t.Errorf("%+v from %+v", started.Current(), v)
	}
	other := orders
	other.Profiles = nil
	_, err = configcenter.Open(ctx, configcenter.New(away), other, o)
	wantIs(t, err, configcenter.ErrInvalid)
	wantIs(t, err, context.DeadlineExceeded)
	must(t, os.WriteFile(file, []byte("damaged"), 0o600))
	_, err = configcenter.Open(ctx, configcenter.New(away), orders, o)
	wantIs(t, err, configcenter.ErrInvalid)
	if !strings.Contains(err.Error(), file) {
		t.Errorf("%v does not name the file", err)
	}

	publish(t, direct, "orders", set{"color": "green"})
	proxy.Heal()
	for _, one := range []*configcenter.Live[config]{l, started} {
		await(t, one, color("green"))
		poll(t, "it is not stale", func() bool { return !one.View().Stale && one.View().Saved.IsZero() })
	}
}

// A session that expires is no end.
func TestSessionExpires(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	center := configcenter.New(servertest.Dial(t, server))
	c := servertest.Dial(t, server)
	publish(t, center, "orders", set{"color": "red"})
	l := open(t, configcenter.New(c), orders, configcenter.Options[config]{})
	s := c.Session()
	thief, err := client.Dial(ctx, server, client.WithSession(s.ID(), s.Password()))
	must(t, err)
	must(t, thief.Close())
	publish(t, center, "orders", set{"color": "green"})
	await(t, l, color("green"))
	poll(t, "it is listed again", func() bool {
		list, err := center.Subscribers(ctx, "orders")
		return err == nil && len(list) == 1 && list[0].Revisions["orders"] == 2
	})
	// A head that is none stops nothing.
	head, _, err := c.Get(ctx, "/config.quoll/orders/head")
	must(t, err)
	_, err = c.Set(ctx, "/config.quoll/orders/head", []byte("none"), client.AnyVersion)
	must(t, err)
	poll(t, "it is seen", func() bool { return l.Err() != nil })
	wantIs(t, l.Err(), configcenter.ErrInvalid)
	_, err = c.Set(ctx, "/config.quoll/orders/head", head, client.AnyVersion)
	must(t, err)
	poll(t, "it is mended", func() bool { return l.Err() == nil })
}
