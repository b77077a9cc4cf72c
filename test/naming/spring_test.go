package naming

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/test/harness"
)

// spring is a Spring Boot application that answers questions.
type spring struct {
	b     *bench
	in    io.Writer
	lines *bufio.Scanner
}

// startSpring compiles and runs the application "orders" in the profile "prod".
func (b *bench) startSpring() *spring {
	b.t.Helper()
	lib, err := harness.Peer("spring", "lib")
	b.must(err)
	classes := b.t.TempDir()
	if out, err := exec.CommandContext(b.ctx, "javac", "-cp", filepath.Join(lib, "*"), "-d", classes, "spring/App.java").CombinedOutput(); err != nil {
		b.t.Fatalf("javac: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(b.ctx, "java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m",
		"-cp", classes+":"+filepath.Join(lib, "*"), "app.App",
		"--spring.application.name=orders", "--spring.profiles.active=prod", "--spring.config.import=zookeeper:",
		"--spring.cloud.zookeeper.connect-string="+b.server.Addr(), "--spring.cloud.zookeeper.discovery.instance-host=127.0.0.1",
		"--server.port=0", "--spring.main.banner-mode=off", "--logging.level.root=ERROR")
	in, err := cmd.StdinPipe()
	b.must(err)
	out, err := cmd.StdoutPipe()
	b.must(err)
	b.must(cmd.Start())
	b.t.Cleanup(func() {

		_ = in.Close() // which ends it
		_ = cmd.Wait()
	})
	s := &spring{b, in, bufio.NewScanner(out)}
	s.line("ready")
	return s
}

// line returns what follows a word at the beginning of a line; others are log.
func (s *spring) line(word string) string {
	s.b.t.Helper()
	for s.lines.Scan() {
		if rest, ok := strings.CutPrefix(s.lines.Text(), word); ok {
			return strings.TrimSpace(rest)
		}
		s.b.t.Log(s.lines.Text())
	}
	s.b.t.Fatalf("ended without %q: %v", word, s.lines.Err())
	return ""
}

// await asks until the answer is right.
func (s *spring) await(question, want string) {
	s.b.t.Helper()
	s.b.await(question+" is "+want, func() bool {
		fmt.Fprintln(s.in, question)
		return s.line("answer") == want
	})
}

// A Spring Boot application reads what is published, sees it change, finds who is registered, and is found.
func TestSpring(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		c := b.dial()
		center, d := configcenter.New(c), discovery.New(c)
		publish := func(name string, values map[string]string, remove ...string) {
			t.Helper()
			_, err := center.Publish(b.ctx, name, configcenter.Change{Set: values, Delete: remove})
			b.must(err)
		}
		publish("application", map[string]string{"color": "grey", "pool.size": "1"})
		publish("orders,prod", map[string]string{"color": "red"})
		app := b.startSpring()
		app.await("get color", "red")
		app.await("get pool.size", "1")
		publish("orders,prod", map[string]string{"color": "blue"})
		app.await("get color", "blue")
		publish("orders,prod", nil, "color")
		app.await("get color", "grey")

		// Nothing is left for it of a path whose last property is deleted.
		b.must(c.EnsurePath(b.ctx, "/config/orders,prod/a/b", client.Persistent))
		_, err := c.Create(b.ctx, "/config/orders,prod/a/b/c", []byte("nested"))
		b.must(err)
		app.await("get a.b.c", "nested")
		app.await("get a.b", "(none)")
		publish("orders,prod", nil, "a.b.c")
		app.await("get a.b.c", "(none)")
		app.await("get a.b", "(none)")

		r, err := d.Register(b.ctx, discovery.Instance{Service: "web", ID: "w1", Address: "10.0.0.7", Port: 8080, Zone: "z", Weight: 3})
		b.must(err)
		app.await("discover web", "w1 http://10.0.0.7:8080 {instance_status=UP, weight=3, zone=z};")
		b.must(r.Drain())
		app.await("discover web", "w1 http://10.0.0.7:8080 {instance_status=OUT_OF_SERVICE, weight=3, zone=z};")
		b.must(r.Close(b.ctx))

		s, err := d.Follow(b.ctx, "orders")
		b.must(err)
		defer s.Close()
		for now, err := range s.Snapshots(b.ctx) {
			b.must(err)
			if len(now.Problems) > 0 {
				t.Fatal(now.Problems)
			}
			if ready := now.Ready(); len(ready) == 1 {
				if in := ready[0]; in.Address != "127.0.0.1" || in.Port == 0 || in.URI != "http://"+in.HostPort() || in.Payload != nil {
					t.Errorf("%+v", in)
				}
				break
			}
		}
	})
}
