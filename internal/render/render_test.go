package render

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/internal/supervise"
)

func TestMain(m *testing.M) {
	supervise.Guard()
	os.Exit(m.Run())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bench is a Renderer with one template, in a directory of its own.
type bench struct {
	*Renderer
	t   *testing.T
	c   *client.Client
	dir string
}

func newBench(t *testing.T, text string) *bench {
	t.Helper()
	c, dir := servertest.Dial(t, servertest.Start(t)), t.TempDir()
	in := filepath.Join(dir, "in")
	must(t, os.WriteFile(in, []byte(text), 0o600))
	output, err := os.Create(filepath.Join(dir, "output"))
	must(t, err)
	t.Cleanup(func() { output.Close() })
	return &bench{&Renderer{
		Source:    &Source{Client: c, Discovery: discovery.New(c), Center: configcenter.New(c)},
		Templates: []Template{{In: in, Out: filepath.Join(dir, "out")}},
		Quiet:     time.Millisecond, Longest: 10 * time.Millisecond,
		Output: output, Log: slog.New(slog.DiscardHandler),
	}, t, c, dir}
}

func (b *bench) create(path, data string) {
	b.t.Helper()
	_, err := b.c.Create(servertest.Context(b.t), path, []byte(data))
	must(b.t, err)
}

func (b *bench) set(path, data string) {
	b.t.Helper()
	_, err := b.c.Set(servertest.Context(b.t), path, []byte(data), client.AnyVersion)
	must(b.t, err)
}

func (b *bench) read(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Fatal(err)
	}
	return string(text)
}

// await waits until a file holds a text.
func (b *bench) await(name, want string) {
	b.t.Helper()
	ctx := servertest.Context(b.t)
	for b.read(name) != want {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			b.t.Fatalf("%s holds %q, want %q", name, b.read(name), want)
		}
	}
}

// run renders in the background until the end of the test.
func (b *bench) run() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error)
	go func() { ended <- b.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			b.t.Errorf("ended with %v", err)
		}
		left, err := filepath.Glob(filepath.Join(b.dir, ".out*"))
		left = slices.DeleteFunc(left, func(name string) bool { return name == b.Templates[0].marker() }) // a reload that was interrupted
		if err != nil || len(left) != 0 {
			b.t.Errorf("left over: %q, %v", left, err)
		}
	})
}

// Everything that a template can show is followed.
func TestRun(t *testing.T) {
	b := newBench(t, `{{key "/a"}} {{keyOrDefault "/b" "none"}} {{keyExists "/b"}} {{join "," (ls "/dir")}} `+
		`{{range service "web"}}{{.HostPort}} {{end}}{{property "orders" "color"}} {{range $k, $v := config "orders" "prod"}}{{$k}}={{$v}} {{end}}`)
	b.Reload = "echo reloaded >> " + filepath.Join(b.dir, "reloads")
	ctx := servertest.Context(t)
	b.create("/a", "1")
	publish := func(name, key, value string) {
		t.Helper()
		_, err := b.Source.Center.Publish(ctx, name, configcenter.Change{Set: map[string]string{key: value}})
		must(t, err)
	}
	publish("orders", "color", "red")
	b.run()
	b.await("out", "1 none false  red color=red ")
	b.set("/a", "2")
	b.await("out", "2 none false  red color=red ")
	b.create("/b", "3")
	b.create("/dir", "")
	b.create("/dir/y", "")
	b.create("/dir/x", "")
	b.await("out", "2 3 true x,y red color=red ")
	reg, err := b.Source.Discovery.Register(ctx, discovery.Instance{Service: "web", ID: "w", Address: "10.0.0.7", Port: 80})
	must(t, err)
	b.await("out", "2 3 true x,y 10.0.0.7:80 red color=red ")
	publish("orders,prod", "color", "blue")
	b.await("out", "2 3 true x,y 10.0.0.7:80 red color=blue ")
	must(t, reg.Close(ctx))
	b.await("out", "2 3 true x,y red color=blue ")
	if n := strings.Count(b.read("reloads"), "reloaded"); n < 3 {
		t.Errorf("%d reloads", n)
	}
}

// A reload that has failed is made good after the next change, also if that leaves
// the files as they are.
func TestReloadAgain(t *testing.T) {
	b := newBench(t, `{{key "/a"}}{{keyExists "/b"}}`)
	ready := filepath.Join(b.dir, "ready")
	b.Reload = "echo >> " + filepath.Join(b.dir, "tried") + "; test -f " + ready + " && cp " + filepath.Join(b.dir, "out") + " " + filepath.Join(b.dir, "loaded")
	b.create("/a", "1")
	b.create("/b", "")
	b.run()
	for ctx := servertest.Context(t); b.read("tried") == ""; time.Sleep(time.Millisecond) {
		must(t, ctx.Err())
	}
	must(t, os.WriteFile(ready, nil, 0o600))
	b.set("/b", "changed, and shown nowhere")
	b.await("loaded", "1true")
}

// A value that is missing, and a check that fails, leave files as they are.
func TestFailuresLeaveFiles(t *testing.T) {
	b := newBench(t, `{{key "/a"}}`)
	b.Check = "grep -q good {} && test -s $QUOLL_FILE && echo checked"
	b.create("/a", "good 1")
	must(t, os.WriteFile(filepath.Join(b.dir, "out"), []byte("old"), 0o640))
	b.run()
	b.await("out", "good 1")
	b.set("/a", "bad")
	b.set("/a", "good 2")
	b.await("out", "good 2")
	must(t, b.c.Delete(servertest.Context(t), "/a", client.AnyVersion))
	b.create("/a", "good 3")
	b.await("out", "good 3")
	if info, err := os.Stat(filepath.Join(b.dir, "out")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if !strings.Contains(b.read("output"), "checked") {
		t.Errorf("%q", b.read("output"))
	}
}

func TestOnce(t *testing.T) {
	ctx := servertest.Context(t)
	b := newBench(t, `{{key "/a"}} {{toUpper (index (parseJSON (key "/json")) "k")}} {{toJSON (split "," "a,b")}}`)
	err := b.Once(ctx)
	if !errors.Is(err, client.ErrNoNode) || !strings.Contains(err.Error(), "/a") {
		t.Errorf("error %v", err)
	}
	b.create("/a", "1")
	b.create("/json", `{"k":"v"}`)
	b.Templates[0].Mode = 0o600
	must(t, b.Once(ctx))
	if got := b.read("out"); got != `1 V ["a","b"]` {
		t.Errorf("%q", got)
	}
	if info, err := os.Stat(filepath.Join(b.dir, "out")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// Two files: the second fails, and the first stays.
	b.Templates = append(b.Templates, Template{In: filepath.Join(b.dir, "in2"), Out: filepath.Join(b.dir, "out2")})
	must(t, os.WriteFile(filepath.Join(b.dir, "in2"), []byte(`{{key "/missing"}}`), 0o600))
	b.set("/a", "2")
	if err := b.Once(ctx); !errors.Is(err, client.ErrNoNode) || !strings.HasPrefix(b.read("out"), "1") {
		t.Errorf("%q, %v", b.read("out"), err)
	}
	b.Reload = "exit 3"
	must(t, os.WriteFile(filepath.Join(b.dir, "in2"), []byte(`{{property "orders" "x"}}`), 0o600))
	if err := b.Once(ctx); err == nil || !strings.Contains(err.Error(), `"orders" has no property "x"`) {
		t.Errorf("error %v", err)
	}
	must(t, os.WriteFile(filepath.Join(b.dir, "in2"), []byte(`fixed`), 0o600))
	if err := b.Once(ctx); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v", err)
	}
	b.Dry, b.Reload = true, ""
	b.set("/a", "3")
	must(t, b.Once(ctx))
	if !strings.Contains(b.read("output"), "3 V") || !strings.HasPrefix(b.read("out"), "2") {
		t.Errorf("%q, %q", b.read("output"), b.read("out"))
	}
	must(t, os.WriteFile(filepath.Join(b.dir, "in2"), []byte(`{{`), 0o600))
	if err := b.Once(ctx); err == nil {
		t.Error("a template that is none")
	}
}

// A reload that has failed is done by the next who makes the same file, which has not
// changed, and then no more.
func TestReloadIsOwed(t *testing.T) {
	b := newBench(t, `{{key "/a"}}`)
	b.create("/a", "1")
	ctx := servertest.Context(t)
	again := func(reload string) error {
		r := *b.Renderer
		r.Source = &Source{Client: b.c, Discovery: b.Source.Discovery, Center: b.Source.Center}
		r.Reload = reload
		return r.Once(ctx)
	}
	if err := again("exit 1"); !errors.Is(err, errFailed) || b.read("out") != "1" {
		t.Fatal(err, b.read("out"))
	}
	reload := "echo reloaded >> " + filepath.Join(b.dir, "reloads")
	for range 2 {
		must(t, again(reload))
		if got := b.read("reloads"); got != "reloaded\n" {
			t.Errorf("reloads: %q", got)
		}
	}
	left, err := filepath.Glob(filepath.Join(b.dir, ".out*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %q, %v", left, err)
	}
}
