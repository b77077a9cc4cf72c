package configcenter_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
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

type set = map[string]string

func publish(t *testing.T, center *configcenter.Center, name string, values set, remove ...string) configcenter.Revision {
	t.Helper()
	r, err := center.Publish(servertest.Context(t), name, configcenter.Change{Set: values, Delete: remove, Author: "ann", Reason: "why"})
	must(t, err)
	return r
}

func wantProperties(t *testing.T, center *configcenter.Center, name string, revision int64, want set) {
	t.Helper()
	got, n, err := center.Properties(servertest.Context(t), name)
	if err != nil || n != revision || !maps.Equal(got, want) {
		t.Fatalf("%v at %d, %v; want %v at %d", got, n, err, want, revision)
	}
}

func create(t *testing.T, c *client.Client, path, data string) {
	t.Helper()
	_, err := c.Create(servertest.Context(t), path, []byte(data))
	must(t, err)
}

func TestPublish(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	center := configcenter.New(c)
	wantProperties(t, center, "orders", 0, set{})
	first := publish(t, center, "orders", set{"pool.size": "8", "color": "red", "empty": ""})
	if first.Number != 1 || first.Action != configcenter.ActionPublish || first.Author != "ann" || first.Reason != "why" || first.Time.IsZero() {
		t.Errorf("%+v", first)
	}
	// What Spring Cloud reads, and zkCli.sh.
	if data, _, err := c.Get(ctx, "/config/orders/pool.size"); err != nil || string(data) != "8" {
		t.Errorf("%q, %v", data, err)
	}
	publish(t, center, "orders", set{"color": "blue", "new": "x"}, "empty", "never there")
	wantProperties(t, center, "orders", 2, set{"pool.size": "8", "color": "blue", "new": "x"})
	diff, err := center.DiffRevisions(ctx, "orders", 1, 2)
	want := []configcenter.Difference{
		{Key: "color", Old: "red", New: "blue"}, {Key: "empty", Removed: true}, {Key: "new", New: "x", Added: true},
	}
	if err != nil || !slices.Equal(diff, want) {
		t.Errorf("%+v, %v", diff, err)
	}
	_, err = center.Publish(ctx, "orders", configcenter.Change{Set: set{"color": "blue"}, Delete: []string{"gone"}})
	wantIs(t, err, configcenter.ErrUnchanged)
	_, err = center.Publish(ctx, "orders", configcenter.Change{Set: set{"color": "x"}, Base: 1})
	wantIs(t, err, configcenter.ErrConflict)
	back, err := center.Rollback(ctx, "orders", 1, configcenter.Change{Author: "bob"})
	if err != nil || back.Number != 3 || back.Reason != "back to revision 1" || back.Action != configcenter.ActionRollback {
		t.Errorf("%+v, %v", back, err)
	}
	wantProperties(t, center, "orders", 3, set{"pool.size": "8", "color": "red", "empty": ""})
	_, err = center.Rollback(ctx, "orders", 9, configcenter.Change{})
	wantIs(t, err, configcenter.ErrUnknown)
	history, err := center.History(ctx, "orders", 2)
	if err != nil || len(history) != 2 || history[0].Number != 3 || history[1].Number != 2 {
		t.Errorf("%+v, %v", history, err)
	}
	if names, err := center.Contexts(ctx); err != nil || !slices.Equal(names, []string{"orders"}) {
		t.Errorf("%q, %v", names, err)
	}
}

// What was written otherwise is read, changed where it lies, and told apart.
func TestForeignProperties(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	center := configcenter.New(c)
	must(t, c.EnsurePath(ctx, "/config/orders/pool", client.Persistent))
	create(t, c, "/config/orders/pool/size", "4")
	create(t, c, "/config/orders/pool/size/max", "9")
	create(t, c, "/config/orders/leaf", "")
	wantProperties(t, center, "orders", 0, set{"pool.size": "4", "pool.size.max": "9", "leaf": ""})
	publish(t, center, "orders", set{"pool.size": "5"})
	if data, _, err := c.Get(ctx, "/config/orders/pool/size"); err != nil || string(data) != "5" {
		t.Errorf("%q, %v", data, err)
	}
	publish(t, center, "orders", nil, "pool.size") // it has children, which stay
	wantProperties(t, center, "orders", 2, set{"pool.size.max": "9", "leaf": ""})
	_, err := c.Set(ctx, "/config/orders/leaf", []byte("by hand"), client.AnyVersion)
	must(t, err)
	drift, err := center.Drift(ctx, "orders")
	if err != nil || !slices.Equal(drift, []configcenter.Difference{{Key: "leaf", New: "by hand"}}) {
		t.Errorf("%+v, %v", drift, err)
	}
	create(t, c, "/config/orders/pool.size.max", "10")
	create(t, c, "/config/orders/pool.size", "")
	create(t, c, "/config/orders/pool.size/max", "11")
	var log bytes.Buffer
	center = configcenter.New(c, configcenter.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))))
	wantProperties(t, center, "orders", 2, set{"pool.size.max": "10", "leaf": "by hand"})
	for _, path := range []string{"/config/orders/pool/size/max", "/config/orders/pool.size/max", "/config/orders/pool.size.max"} {
		if !strings.Contains(log.String(), path) {
			t.Errorf("%q does not name %s", &log, path)
		}
	}
	publish(t, center, "orders", set{"pool.size.max": "12"}) // where it counts
	wantProperties(t, center, "orders", 3, set{"pool.size.max": "12", "leaf": "by hand"})
	publish(t, center, "orders", nil, "pool.size.max")             // all that there is of it
	wantProperties(t, center, "orders", 4, set{"leaf": "by hand"}) // nor of the steps to it
}

// Base 0 of a change says nothing, NeverPublished wants it to be the first.
func TestFirstPublication(t *testing.T) {
	ctx := servertest.Context(t)
	center := configcenter.New(servertest.Dial(t, servertest.Start(t)))
	first := configcenter.Change{Set: set{"a": "1"}, Base: configcenter.NeverPublished}
	_, err := center.Publish(ctx, "orders", first)
	must(t, err)
	first.Set = set{"a": "2"}
	_, err = center.Publish(ctx, "orders", first)
	wantIs(t, err, configcenter.ErrConflict)
}

func TestInvalidPublications(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	center := configcenter.New(c)
	for name, change := range map[string]configcenter.Change{
		"":        {Set: set{"a": "b"}},
		"a/b":     {Set: set{"a": "b"}},
		"..":      {Set: set{"a": "b"}},
		"slash":   {Set: set{"fine": "x", "a/b": "b"}},
		"dots":    {Set: set{"a..b": "b"}},
		"control": {Set: set{"a\x00": "b"}},
		"x,":      {Set: set{"a": "b"}},
		",x":      {Set: set{"a": "b"}},
		"x,y,z":   {Set: set{"a": "b"}},
		"x y":     {Set: set{"a": "b"}},
		"blank":   {Set: set{"a b": "b"}},
		"both":    {Set: set{"a": "b"}, Delete: []string{"a"}},
	} {
		_, err := center.Publish(ctx, name, change)
		wantIs(t, err, configcenter.ErrInvalid)
	}
	_, err := center.Publish(ctx, "large", configcenter.Change{Set: set{"a": strings.Repeat("x", 1<<20)}})
	wantIs(t, err, configcenter.ErrTooLarge)
	if !strings.Contains(err.Error(), "/config/large") {
		t.Errorf("%v does not name the path", err)
	}
	if names, err := c.ChildNames(ctx, "/"); err != nil || len(names) != 1 {
		t.Errorf("half published: %q, %v", names, err)
	}
	must(t, c.EnsurePath(ctx, "/config.quoll/broken", client.Persistent))
	create(t, c, "/config.quoll/broken/head", "seven")
	_, err = center.Publish(ctx, "broken", configcenter.Change{Set: set{"a": "b"}})
	wantIs(t, err, configcenter.ErrInvalid)
	if !strings.Contains(err.Error(), "/config.quoll/broken/head") {
		t.Errorf("%v does not name the path", err)
	}
	must(t, c.EnsurePath(ctx, "/config.quoll/broken/revisions", client.Persistent))
	create(t, c, "/config.quoll/broken/revisions/0000000007", "{")
	_, err = center.Revision(ctx, "broken", 7)
	wantIs(t, err, configcenter.ErrInvalid)
	create(t, c, "/config.quoll/broken/revisions/foreign", "")
	_, err = center.History(ctx, "broken", 0)
	wantIs(t, err, configcenter.ErrInvalid)
}

// Why a name is none is said.
func TestInvalidNames(t *testing.T) {
	center := configcenter.New(servertest.Dial(t, servertest.Start(t)))
	for key, why := range map[string]string{
		"": "property without a name", "a/b": `"a/b": there is a slash in its name`, ".a": "dots", "a.": "dots", "a..b": "between dots", "a b": "blanks",
	} {
		_, err := center.Publish(servertest.Context(t), "orders", configcenter.Change{Set: set{key: "1"}})
		wantIs(t, err, configcenter.ErrInvalid)
		if !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", key, err, why)
		}
	}
}

// Nothing is lost between publishers, and no reader sees half of a publication.
func TestConcurrentPublishers(t *testing.T) {
	const publishers, each = 4, 10
	server := servertest.Start(t)
	ctx, cancel := context.WithCancel(servertest.Context(t))
	reader := configcenter.New(servertest.Dial(t, server))
	var reading, publishing sync.WaitGroup
	reading.Go(func() {
		for ctx.Err() == nil {
			got, _, err := reader.Properties(ctx, "orders")
			if err == nil && got["one"] != got["two"] {
				t.Errorf("half of a publication: %v", got)
				return
			}
		}
	})
	for i := range publishers {
		center := configcenter.New(servertest.Dial(t, server))
		publishing.Go(func() {
			for n := range each {
				value := fmt.Sprint(i, "-", n)
				_, err := center.Publish(ctx, "orders", configcenter.Change{Set: set{"one": value, "two": value, fmt.Sprint("own", i): value}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishing.Wait()
	cancel()
	reading.Wait()
	got, n, err := reader.Properties(servertest.Context(t), "orders")
	if err != nil || n != publishers*each || len(got) != 2+publishers {
		t.Errorf("%v at %d, %v", got, n, err)
	}
	for i := range publishers {
		if got[fmt.Sprint("own", i)] != fmt.Sprint(i, "-", each-1) {
			t.Errorf("%v", got)
		}
	}
}

// A publication whose request or reply gets lost takes place once.
func TestPublishOverBrokenConnections(t *testing.T) {
	server := servertest.Start(t)
	for i := range 6 {
		breaker := new(servertest.Breaker)
		center := configcenter.New(servertest.Dial(t, server, client.WithDialer(breaker.Dial)))
		_, _, err := center.Properties(servertest.Context(t), "orders")
		must(t, err)
		if i%2 == 0 {
			breaker.LoseReply()
		} else {
			breaker.LoseRequest()
		}
		if r := publish(t, center, "orders", set{"n": fmt.Sprint(i)}); r.Number != int64(i+1) {
			t.Errorf("revision %d, want %d", r.Number, i+1)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	center := configcenter.New(servertest.Dial(t, servertest.Start(t)), configcenter.WithHistory(3))
	for i := range 6 {
		publish(t, center, "orders", set{"n": fmt.Sprint(i), "large": strings.Repeat(fmt.Sprint(i), 5000)})
	}
	history, err := center.History(servertest.Context(t), "orders", 0)
	if err != nil || len(history) != 3 || history[2].Number != 4 || history[2].Properties["large"] != strings.Repeat("3", 5000) {
		t.Errorf("%d revisions, %v", len(history), err)
	}
}

func TestCanaries(t *testing.T) {
	ctx := servertest.Context(t)
	center := configcenter.New(servertest.Dial(t, servertest.Start(t)))
	publish(t, center, "orders", set{"a": "1", "b": "1"})
	sees := func(app configcenter.App) set {
		t.Helper()
		app.Name = "orders"
		v, err := center.Resolve(ctx, app)
		must(t, err)
		return v.Properties
	}
	canary := configcenter.Canary{
		Name: "two", Set: set{"a": "2", "c": "2"}, Delete: []string{"b"},
		Match: configcenter.Match{Instances: []string{"i7"}, Labels: set{"zone": "z", "tier": "web"}},
	}
	r, err := center.StartCanary(ctx, "orders", canary, configcenter.Change{Author: "ann"})
	if err != nil || r.Number != 2 || r.Action != configcenter.ActionCanary || r.Canary != "two" {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, test := range []struct {
		app  configcenter.App
		want set
	}{
		{configcenter.App{Instance: "i8"}, set{"a": "1", "b": "1"}},
		{configcenter.App{Instance: "i7"}, set{"a": "2", "c": "2"}},
		{configcenter.App{Labels: set{"zone": "z"}}, set{"a": "1", "b": "1"}},
		{configcenter.App{Labels: set{"zone": "z", "tier": "web", "more": "x"}}, set{"a": "2", "c": "2"}},
	} {
		if got := sees(test.app); !maps.Equal(got, test.want) {
			t.Errorf("%+v sees %v, want %v", test.app, got, test.want)
		}
	}
	wantProperties(t, center, "orders", 2, set{"a": "1", "b": "1"})
	if list, err := center.Canaries(ctx, "orders"); err != nil || len(list) != 1 || list[0].Name != "two" || list[0].Revision != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	_, err = center.PromoteCanary(ctx, "orders", "three", configcenter.Change{})
	wantIs(t, err, configcenter.ErrUnknown)
	_, err = center.PromoteCanary(ctx, "orders", "two", configcenter.Change{})
	must(t, err)
	wantProperties(t, center, "orders", 3, set{"a": "2", "c": "2"})
	canary.Set = set{"a": "3"}
	_, err = center.StartCanary(ctx, "orders", canary, configcenter.Change{})
	must(t, err)
	_, err = center.AbortCanary(ctx, "orders", "two", configcenter.Change{})
	must(t, err)
	if got := sees(configcenter.App{Instance: "i7"}); got["a"] != "2" {
		t.Errorf("%v", got)
	}
	for name, broken := range map[string]func(*configcenter.Canary){
		"name":    func(c *configcenter.Canary) { c.Name = "a/b" },
		"nobody":  func(c *configcenter.Canary) { c.Match = configcenter.Match{} },
		"percent": func(c *configcenter.Canary) { c.Match.Percent = 101 },
		"nothing": func(c *configcenter.Canary) { c.Set, c.Delete = nil, nil },
		"key":     func(c *configcenter.Canary) { c.Set = set{"a/b": ""} },
	} {
		one := canary
		broken(&one)
		if _, err := center.StartCanary(ctx, "orders", one, configcenter.Change{}); !errors.Is(err, configcenter.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range configcenter.MaxCanaries + 1 {
		canary.Name = fmt.Sprint("n", i)
		_, err = center.StartCanary(ctx, "orders", canary, configcenter.Change{})
	}
	wantIs(t, err, configcenter.ErrInvalid)
}

// A percentage is about that of the instances, and growing it keeps them.
func TestCanaryPercent(t *testing.T) {
	seeing := func(percent float64) (list []string) {
		canary := configcenter.Canary{Name: "c", Match: configcenter.Match{Percent: percent}}
		for i := range 2000 {
			if id := fmt.Sprint("instance-", i); canary.Chooses(id, nil) {
				list = append(list, id)
			}
		}
		return list
	}
	few, more := seeing(10), seeing(40)
	if len(few) < 150 || len(few) > 250 || len(more) < 700 || len(more) > 900 {
		t.Errorf("%d and %d of 2000", len(few), len(more))
	}
	for _, id := range few {
		if !slices.Contains(more, id) {
			t.Errorf("%s was chosen by 10 %% and is not by 40 %%", id)
		}
	}
	if len(seeing(0)) != 0 || len(seeing(100)) != 2000 {
		t.Error("none and all")
	}
}

func TestLayers(t *testing.T) {
	ctx := servertest.Context(t)
	center := configcenter.New(servertest.Dial(t, servertest.Start(t)))
	app := configcenter.App{Name: "orders", Profiles: []string{"blue"}, Environment: "prod"}
	want := []string{"application", "application,blue", "application,prod", "orders", "orders,blue", "orders,prod"}
	if got := app.Contexts(); !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	for i, name := range want {
		values := set{}
		for j := i; j < len(want); j++ {
			values[fmt.Sprint("k", j)] = name
		}
		publish(t, center, name, values)
	}
	v, err := center.Resolve(ctx, app)
	must(t, err)
	for i, name := range want {
		if key := fmt.Sprint("k", i); v.Properties[key] != name || v.Origins[key] != name || v.Revisions[name] != 1 {
			t.Errorf("%s is %q from %q at %d, want %q", key, v.Properties[key], v.Origins[key], v.Revisions[name], name)
		}
	}
}

func TestKeyring(t *testing.T) {
	old, err := configcenter.NewKey("2025")
	must(t, err)
	newer, err := configcenter.NewKey("2026")
	must(t, err)
	before, err := configcenter.ParseKeyring(old)
	must(t, err)
	both, err := configcenter.ParseKeyring("# keys\n\n" + newer + "\n" + old + "\n")
	must(t, err)
	sealed := before.Encrypt("db.password", "secret")
	if !configcenter.Encrypted(sealed) || strings.Contains(sealed, "secret") || sealed == before.Encrypt("db.password", "secret") {
		t.Error(sealed)
	}
	if plain, err := both.Decrypt("db.password", sealed); err != nil || plain != "secret" {
		t.Errorf("%q, %v", plain, err)
	}
	if plain, err := before.Decrypt("x", "{cipher}plain"); err != nil || plain != "{cipher}plain" {
		t.Errorf("%q, %v", plain, err)
	}
	for name, fails := range map[string]func() (string, error){
		"other property": func() (string, error) { return both.Decrypt("other", sealed) },
		"no such key":    func() (string, error) { return before.Decrypt("db.password", both.Encrypt("db.password", "x")) },
		"no keys":        func() (string, error) { return (*configcenter.Keyring)(nil).Decrypt("db.password", sealed) },
		"cut":            func() (string, error) { return both.Decrypt("db.password", sealed[:20]) },
		"no name":        func() (string, error) { return both.Decrypt("db.password", "{quoll:2025") },
	} {
		if plain, err := fails(); !errors.Is(err, configcenter.ErrSealed) || plain != "" {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
	for _, text := range []string{"", "# nothing", "a", "a b c", "a !!", "a " + strings.Repeat("A", 16), "{a} " + strings.Fields(old)[1]} {
		if _, err := configcenter.ParseKeyring(text); !errors.Is(err, configcenter.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
	_, err = configcenter.NewKey("a}")
	wantIs(t, err, configcenter.ErrInvalid)
}

func FuzzDecrypt(f *testing.F) {
	line, err := configcenter.NewKey("k")
	if err != nil {
		f.Fatal(err)
	}
	keys, err := configcenter.ParseKeyring(line)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(keys.Encrypt("p", "v"))
	f.Add("{quoll:k}")
	f.Fuzz(func(t *testing.T, value string) {
		plain, err := keys.Decrypt("other", value)
		if err == nil && plain != value || err != nil && !bytes.HasPrefix([]byte(value), []byte("{quoll:")) {
			t.Errorf("%q, %v", plain, err)
		}
	})
}
