package naming

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// tick is the server's, so that sessions may be short.
const tick = 200 * time.Millisecond

func each(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		s := harness.Start(t, subject, harness.Config{Keys: map[string]string{"tickTime": strconv.FormatInt(tick.Milliseconds(), 10)}})
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		t.Cleanup(cancel)
		test(t, &bench{t: t, ctx: ctx, server: s})
	})
}

// bench is one server, and programs that use it.
type bench struct {
	t      *testing.T
	ctx    context.Context
	server *harness.Server
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) dial() *client.Client {
	b.t.Helper()
	c, err := client.Dial(b.ctx, b.server.Addr())
	b.must(err)
	b.t.Cleanup(func() { c.Close() })
	return c
}

// command is `quoll` with the server to use.
func (b *bench) command(args ...string) *exec.Cmd {
	b.t.Helper()
	binary, err := harness.Binary()
	b.must(err)
	cmd := exec.CommandContext(b.ctx, binary, args...)
	cmd.Env = append(os.Environ(), "QUOLL_SERVER="+b.server.Addr())
	return cmd
}

// quoll runs a command to its end and returns what it prints.
func (b *bench) quoll(args ...string) string {
	b.t.Helper()
	cmd := b.command(args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("quoll %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// fails runs a command that is to fail and returns what it says.
func (b *bench) fails(args ...string) string {
	b.t.Helper()
	out, err := b.command(args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		b.t.Fatalf("quoll %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// terminal is a command that runs, and what it prints.
type terminal struct {
	b     *bench
	cmd   *exec.Cmd
	lines chan string
	seen  []string
}

func (b *bench) open(args ...string) *terminal {
	b.t.Helper()
	t := &terminal{b: b, cmd: b.command(args...), lines: make(chan string, 1000)}
	t.cmd.WaitDelay = 5 * time.Second // for what it has started
	out, err := t.cmd.StdoutPipe()
	b.must(err)
	var errs bytes.Buffer
	t.cmd.Stderr = &errs
	b.must(t.cmd.Start())
	go func() {
		defer close(t.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			t.lines <- scan.Text()
		}
	}()
	b.t.Cleanup(func() {
		_ = t.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, as the test wants it to
		_ = t.cmd.Wait()
		if b.t.Failed() {
			b.t.Logf("quoll %s\n%s", strings.Join(args, " "), errs.String())
		}
	})
	return t
}

// await returns the next line that begins so.
func (t *terminal) await(prefix string) string {
	t.b.t.Helper()
	for {
		select {
		case line, more := <-t.lines:
			if !more {
				t.b.t.Fatalf("ended before %q; it printed %q", prefix, t.seen)
			}
			t.seen = append(t.seen, line)
			if strings.HasPrefix(line, prefix) {
				return line
			}
		case <-t.b.ctx.Done():
			t.b.t.Fatalf("no %q; it printed %q", prefix, t.seen)
		}
	}
}

// Three terminals: two instances, and who watches them. One is killed, one is interrupted.
func TestDiscoveryDemo(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		watch := b.open("discover", "orders", "--watch")
		session := "--session-timeout=" + (4 * tick).String()
		one := b.open("register", "orders", "--id", "one", "--address", "10.0.0.1", "--port", "8080", "--zone", "a", session)
		watch.await("+ one 10.0.0.1:8080 ready weight=1 zone=a")
		two := b.open("register", "orders", "--id", "two", "--address", "10.0.0.2", "--port", "8080", "--meta", "k=v", session)
		watch.await("+ two 10.0.0.2:8080 ready weight=1 zone=- k=v")
		one.await("orders one at 10.0.0.1:8080: serving")
		two.await("orders two at 10.0.0.2:8080: serving")
		if got := b.quoll("discover"); got != "orders\n" {
			t.Errorf("%q", got)
		}
		if got := b.quoll("discover", "orders"); !strings.Contains(got, "one") || !strings.Contains(got, "two") {
			t.Errorf("%q", got)
		}
		b.must(one.cmd.Process.Kill())
		watch.await("- one")
		b.must(two.cmd.Process.Signal(syscall.SIGTERM))
		watch.await("- two")
		b.must(two.cmd.Wait())
		three := b.open("register", "orders", "--id", "three", "--address", "10.0.0.3", "--port", "8080", session)
		three.await("orders three at 10.0.0.3:8080: serving") // before, a signal ends the attempt
		watch.await("+ three")
		end := syscall.SIGHUP // its terminal is closed
		if signal.Ignored(end) {
			end = syscall.SIGTERM // by nohup, which those that it starts inherit
		}
		b.must(three.cmd.Process.Signal(end))
		watch.await("- three")
		b.must(three.cmd.Wait())
		// The service's node, a container, goes sooner or later.
		out, err := b.command("discover", "orders", "-o", "json").CombinedOutput()
		if got := string(out); got != `{"service":"orders","instances":[]}`+"\n" && !(err != nil && strings.Contains(got, "there is no service")) {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A program is registered while it runs and passes its check.
func TestRegisterCommand(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		flag := filepath.Join(t.TempDir(), "healthy")
		watch := b.open("discover", "web", "--watch")
		b.open("register", "web", "--id", "w", "--port", "1", "--check", "script:test -e "+flag, "--interval", "10ms", "--timeout", "1m", "--", "sleep", "1000").
			await("web w at 127.0.0.1:1: unhealthy (check script:")
		b.must(os.WriteFile(flag, nil, 0o600))
		watch.await("+ w 127.0.0.1:1")
		b.must(os.Remove(flag))
		watch.await("- w")
		var exit *exec.ExitError
		if err := b.command("register", "web", "--port", "1", "--", "sh", "-c", "exit 7").Run(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Errorf("ended with %v", err)
		}
		for _, wrong := range [][]string{
			{"register"}, {"register", "a//b", "--port", "1"}, {"register", "web", "--port", "70000"}, {"register", "web", "--check", "ftp://x"},
			{"discover", "--watch"}, {"discover", "x", "--layout", "y"},
		} {
			if out := b.fails(wrong...); strings.TrimSpace(out) == "" {
				t.Errorf("%q fails without a word", wrong)
			}
		}
	})
}

// What is set is seen by an application, and by a file.
func TestConfigDemo(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		dir := t.TempDir()
		b.quoll("config", "set", "orders", "color=red", "pool.size=8", "--author", "ann", "--reason", "first")
		app := b.open("config", "watch", "orders", "--profile", "prod", "--instance", "i1")
		app.await("+ pool.size=8")
		b.must(os.WriteFile(filepath.Join(dir, "in"), []byte(`color {{property "orders" "color" "prod"}}`), 0o600))
		file := filepath.Join(dir, "out")
		b.open("template", "-t", filepath.Join(dir, "in")+":"+file, "--check", "grep -q color {}", "--reload", "cp "+file+" "+file+".seen", "--wait", "1ms")
		b.awaitFile(file+".seen", "color red")
		b.quoll("config", "set", "orders,prod", "color=blue", "--author", "bob")
		app.await("~ color=blue (was red)")
		b.awaitFile(file+".seen", "color blue")
		b.awaitWho("orders", "orders@1 orders,prod@1")
		b.quoll("config", "canary", "start", "orders,prod", "try", "color=pink", "--instance", "i1")
		app.await("~ color=pink")
		b.quoll("config", "canary", "promote", "orders,prod", "try")
		b.awaitFile(file+".seen", "color pink")
		b.quoll("config", "rollback", "orders,prod", "1")
		app.await("~ color=blue (was pink)")
		history := strings.Split(strings.TrimSpace(b.quoll("config", "history", "orders,prod")), "\n")
		if len(history) != 4 || !strings.Contains(history[0], "rollback") || !strings.Contains(history[3], "bob\tpublish") {
			t.Errorf("%q", history)
		}
		if got := b.quoll("config", "diff", "orders,prod", "1", "3"); got != "~ color=pink (was blue)\n" {
			t.Errorf("%q", got)
		}
		if got := b.quoll("config", "resolve", "orders", "--env", "prod", "--origins"); got != "color=blue\t# orders,prod\npool.size=8\t# orders\n" {
			t.Errorf("%q", got)
		}
		if got := b.quoll("config", "set", "orders", "color=red"); got != "unchanged\n" {
			t.Errorf("%q", got)
		}
		if out := b.fails("config", "set", "orders", "color=x", "--base", "9"); !strings.Contains(out, "somebody else has published") {
			t.Errorf("%q", out)
		}
		if out := b.fails("config", "set", "orders", "a/b=x"); !strings.Contains(out, "/config/orders") {
			t.Errorf("%q", out)
		}
	})
}

func (b *bench) awaitFile(path, want string) {
	b.t.Helper()
	b.await(path+" holds "+want, func() bool {
		text, _ := os.ReadFile(path) // while it is not there, it holds nothing
		return string(text) == want
	})
}

func (b *bench) awaitWho(app, want string) {
	b.t.Helper()
	b.await("the list has "+want, func() bool { return strings.Contains(b.quoll("config", "who", app), want) })
}

func (b *bench) await(what string, so func() bool) {
	b.t.Helper()
	for !so() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-b.ctx.Done():
			b.t.Fatal("waited in vain until " + what)
		}
	}
}

// A secret is in the tree only encrypted.
func TestSecrets(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		keys := filepath.Join(t.TempDir(), "keys")
		b.must(os.WriteFile(keys, []byte(b.quoll("config", "keygen", "k1")), 0o600))
		b.quoll("config", "set", "orders", "--keyring", keys, "--encrypt", "db.password=secret")
		if out := b.fails("config", "get", "orders", "db.password"); !strings.Contains(out, "--keyring FILE names the keys") {
			t.Error(out)
		}
		if got := b.quoll("config", "get", "orders", "db.password", "--raw"); !strings.HasPrefix(got, "{quoll:k1}") {
			t.Errorf("%q", got)
		}
		if got := b.quoll("config", "get", "orders", "db.password", "--keyring", keys); got != "secret\n" {
			t.Errorf("%q", got)
		}
	})
}

// The libraries do the same on both servers: instances in every layout, a session that expires, configuration that
// changes as a whole, a server that is killed and comes back.
func TestLibraries(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		c, other := b.dial(), b.dial()
		var following []*discovery.Service
		for _, layout := range []discovery.Layout{discovery.Curator{}, discovery.Dubbo{}, discovery.ServerSet{Base: "/sets"}} {
			d := discovery.New(c, discovery.WithLayout(layout))
			r, err := d.Register(b.ctx, discovery.Instance{Service: "orders", ID: "a", Address: "10.0.0.1", Port: 1})
			b.must(err)
			t.Cleanup(func() { b.must(r.Close(context.Background())) })
			b.must(r.Update(func(in *discovery.Instance) { in.Port = 2 }))
			s, err := discovery.New(other, discovery.WithLayout(layout)).Follow(b.ctx, "orders")
			b.must(err)
			t.Cleanup(s.Close)
			following = append(following, s)
		}
		center := configcenter.New(other)
		_, err := center.Publish(b.ctx, "orders", configcenter.Change{Set: map[string]string{"a": "1", "b": "1"}})
		b.must(err)
		live, err := configcenter.Open(b.ctx, configcenter.New(c), configcenter.App{Name: "orders"}, configcenter.Options[map[string]string]{})
		b.must(err)
		t.Cleanup(live.Close)

		seen := func() {
			t.Helper()
			for _, s := range following {
				for now, err := range s.Snapshots(b.ctx) {
					b.must(err)
					if len(now.Instances) == 1 && now.Instances[0].Port == 2 && !now.Stale {
						break
					}
				}
			}
		}
		publish := func(value string) {
			t.Helper()
			_, err := center.Publish(b.ctx, "orders", configcenter.Change{Set: map[string]string{"a": value, "b": value}})
			b.must(err)
			for now, err := range live.Changes(b.ctx) {
				b.must(err)
				if (*now)["a"] != (*now)["b"] {
					t.Fatalf("half of a publication: %v", *now)
				}
				if (*now)["a"] == value {
					break
				}
			}
		}
		seen()
		publish("2")
		session := c.Session()
		thief, err := client.Dial(b.ctx, b.server.Addr(), client.WithSession(session.ID(), session.Password()))
		b.must(err)
		b.must(thief.Close())
		b.await("there is another session", func() bool { return c.Session() != session })
		seen()
		publish("3")
		b.server.Kill()
		b.await("the snapshots are stale", func() bool { return following[0].Snapshot().Stale && live.View().Stale })
		b.server.Restart()
		seen()
		publish("4")
	})
}
