package server_test

import (
	"bytes"
	"context"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/server"
)

// patience is how long a test waits for what has to come; it is not what is
// being tested.
const patience = 20 * time.Second

// logText collects a server's log.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// running is a server that serves, with its log.
type running struct {
	*server.Server
	log *logText
}

// settings are those of a server on ports of its own in dir.
func settings(dir string, more map[string]string) map[string]string {
	all := map[string]string{
		"dataDir": dir, "clientPort": "0", "clientPortAddress": "127.0.0.1", "admin.enableServer": "false",
		"4lw.commands.whitelist": "*", "preAllocSize": "64",
	}
	maps.Copy(all, more)
	return all
}

func newServer(t testing.TB, dir string, more map[string]string) *running {
	t.Helper()
	r := &running{log: &logText{}}
	var err error
	if r.Server, err = server.New(server.Options{Settings: settings(dir, more), Output: r.log}); err != nil {
		t.Fatal(err)
	}
	return r
}

// start runs a server until the test ends, and looks for what it leaves behind.
func start(t testing.TB, dir string, more map[string]string) *running {
	t.Helper()
	before := ours()
	r := newServer(t, dir, more)
	if err := r.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		await(t, "goroutines to end", func() bool { return ours() <= before })
		if t.Failed() {
			t.Logf("the server's log:\n%s", r.log)
		}
	})
	return r
}

func (r *running) dial(t testing.TB, opts ...client.Option) *client.Client {
	t.Helper()
	return dial(t, r.Addr().String(), opts...)
}

func dial(t testing.TB, addr string, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.Dial(within(t), addr, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Detach() })
	return c
}

// within is a context for what must not take for ever.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// ours is the number of goroutines that run a server's code.
func ours() int {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	count := 0
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		for _, room := range []string{"listener", "request", "storage", "server", "admin", "tlsconf"} {
			if strings.Contains(g, "quoll/internal/"+room+".(") || strings.Contains(g, "quoll/"+room+".(") {
				count++
				break
			}
		}
	}
	return count
}

func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("waited in vain for %s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(time.Millisecond)
	}
}
