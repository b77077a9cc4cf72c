package functions_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/quollhq/quoll/internal/servertest"
)

// closedPort is an address at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	check(t, l.Close())
	return l.Addr().String()
}

// text is a buffer that is written and read at the same time.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// What ends by itself fails when no server is there, and does not wait.
func TestUnreached(t *testing.T) {
	server := closedPort(t)
	for _, words := range [][]string{
		{"count", "a"},
		{"lock", "a", "--", "true"},
		{"elect", "--once", "a"},
		{"queue", "put", "a", "b"},
		{"queue", "length", "a"},
		{"discover", "a"},
		{"config", "get", "a"},
		{"config", "set", "a", "b=c"},
		{"template", "--once", "-t", "a:b"},
	} {
		var errs bytes.Buffer
		err := quollErr(servertest.Context(t), server, "", t.Output(), &errs, words...)
		if err == nil {
			t.Fatalf("%q succeeds", words)
		}
		for _, part := range []string{"no server is reached: connect to " + server, "Nothing listens there. Start a server"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v, want %q", words, err, part)
			}
		}
		if errs.Len() > 0 || strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
			t.Errorf("%q waits: %v, %q", words, err, &errs)
		}
	}
	var errs bytes.Buffer
	err := quollErr(servertest.Context(t), server, "", t.Output(), &errs, "count", "a", "--connect-timeout", "1ms")
	if err == nil {
		t.Error("it succeeds")
	}
}

// Who comes while the servers elect a leader, and hang up on clients meanwhile, is
// served afterwards.
func TestElecting(t *testing.T) {
	at, chroot, _ := strings.Cut(servertest.Start(t), "/")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	const attempts = 2
	go func() {
		for n := 0; ; n++ {
			here, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", at)
			if n < attempts || err != nil {
				_ = here.Close()
			}
			if err != nil {
				continue
			}
			go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
			go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
		}
	}()
	want(t, strings.TrimSuffix(l.Addr().String()+"/"+chroot, "/"), "", "1\n", 0, "count", "a", "+1")
}

// What stays says that it waits, and waits.
func TestWaitsForServer(t *testing.T) {
	server := closedPort(t)
	in := filepath.Join(t.TempDir(), "in")
	for _, words := range [][]string{
		{"count", "--watch", "a"},
		{"elect", "a"},
		{"elect", "a", "--", "true"},
		{"queue", "take", "--follow", "a", "--", "true"},
		{"discover", "--watch", "a"},
		{"register", "a", "--port", "1"},
		{"config", "watch", "a"},
		{"template", "-t", in + ":" + in + ".out"},
	} {
		ctx, interrupt := context.WithCancel(servertest.Context(t))
		var errs text
		ended := make(chan error, 1)
		go func() { ended <- quollErr(ctx, server, "", t.Output(), &errs, words...) }()
		await(t, func() bool {
			return strings.Contains(errs.String(), "no server is reached so far; trying on\nconnect to "+server)
		})
		select {
		case err := <-ended:
			t.Errorf("%q: %v", words, err)
		default:
			interrupt()
			<-ended
		}
		interrupt()
	}
}
