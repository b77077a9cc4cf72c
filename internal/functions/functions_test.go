package functions_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/internal/functions"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/internal/supervise"
	"github.com/quollhq/quoll/recipe/election"
	"github.com/quollhq/quoll/recipe/lock"
)

// serverVariable makes the test's program quoll, which connects to the server that
// it names.
const serverVariable = "FUNCTIONS_TEST_SERVER"

func TestMain(m *testing.M) {
	supervise.Guard()
	if server := os.Getenv(serverVariable); server != "" {
		if err := command(context.Background(), server, os.Args[1:]...).Execute(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// With the race detector a process waits for a second at its end, in case another thread is about to report a race.
	// The processes that the tests start are many, and their reports come before. What was set already wins.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// quoll calls a command.
func quoll(ctx context.Context, server, stdin string, out io.Writer, words ...string) error {
	return quollErr(ctx, server, stdin, out, io.Discard, words...)
}

func quollErr(ctx context.Context, server, stdin string, out, errs io.Writer, words ...string) error {
	root := command(ctx, server, words...)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(out)
	root.SetErr(errs)
	return root.Execute()
}

// command is quoll as it is called with words.
func command(ctx context.Context, server string, words ...string) *cobra.Command {
	root := &cobra.Command{Use: "quoll", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(functions.Commands()...)
	root.SetArgs(append(words[:1:1], append([]string{"--server", server}, words[1:]...)...))
	root.SetContext(ctx)
	return root
}

// want calls a command, and checks its output and exit code.
func want(t *testing.T, server, stdin, output string, code int, words ...string) {
	t.Helper()
	var out bytes.Buffer
	err := quoll(servertest.Context(t), server, stdin, &out, words...)
	var exit *cli.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.Code
	} else if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	if out.String() != output || got != code {
		t.Errorf("%v: %q and %d, want %q and %d", words, out.String(), got, output, code)
	}
}

func TestLock(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	want(t, server, "in", "in", 0, "lock", "job", "--", "cat")
	want(t, server, "", "", 3, "lock", "/deep/job", "--", "sh", "-c", "exit 3")
	want(t, server, "", "", 128+9, "lock", "job", "--", "sh", "-c", "kill -9 $$")
	want(t, server, "", "", 127, "lock", "job", "--", "no-such-command")
	m, err := lock.New(c, "/locks/job")
	check(t, err)
	h, err := m.Lock(ctx)
	check(t, err)
	want(t, server, "", "", 75, "lock", "--try", "job", "--", "cat")
	want(t, server, "", "", 75, "lock", "--wait", "50ms", "job", "--", "cat")
	if err := quoll(ctx, server, "", io.Discard, "lock", "job"); err == nil {
		t.Error("no command is no error")
	}
	var out bytes.Buffer
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if err := quoll(ctx, server, "", &out, "lock", "job", "--", "sh", "-c", "echo $QUOLL_LOCK_PATH $QUOLL_LOCK_TOKEN"); err != nil {
			t.Error(err)
		}
	})
	await(t, func() bool {
		list, err := m.Contenders(ctx)
		check(t, err)
		return len(list) == 2
	})
	check(t, h.Unlock(ctx))
	waiting.Wait()
	if !strings.HasPrefix(out.String(), "/locks/job/_c_") {
		t.Error(out.String())
	}
	want(t, server, "", "x\n", 0, "lock", "--slots", "2", "slots", "--", "echo", "x")
	want(t, server, "", "x\n", 0, "lock", "--shared", "rw", "--", "echo", "x")
	want(t, server, "", "x\n", 0, "lock", "--kazoo", "kazoo", "--", "echo", "x")
}

// await waits until it is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never")
		}
	}
}

// A command whose lock is taken away is told to end, and quoll says so.
func TestLockLost(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	m, err := lock.New(c, "/locks/lost")
	check(t, err)
	told := filepath.Join(t.TempDir(), "told")
	ended := make(chan error, 1)
	go func() {
		ended <- quoll(ctx, server, "", io.Discard, "lock", "lost", "--", "sh", "-c", `trap 'echo told > "$0"; exit 0' TERM; while :; do sleep 0.01; done`, told)
	}()
	var list []lock.Contender
	await(t, func() bool {
		list, err = m.Contenders(ctx)
		check(t, err)
		return len(list) == 1
	})
	check(t, c.Delete(ctx, list[0].Path, client.AnyVersion))
	if err := <-ended; !errors.Is(err, lock.ErrLost) {
		t.Error(err)
	}
}

func TestElect(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	want(t, server, "", "-\n", 75, "elect", "--once", "lead")
	want(t, server, "", "leads\n", 0, "elect", "--id", "me", "lead", "--", "echo", "leads")
	e, err := election.New(c, "/elections/lead", election.WithID("she"))
	check(t, err)
	term, err := e.Campaign(ctx)
	check(t, err)
	var out bytes.Buffer
	check(t, quoll(ctx, server, "", &out, "elect", "--once", "lead"))
	if !strings.HasSuffix(out.String(), " she\n") {
		t.Error(out.String())
	}
	check(t, term.Resign(ctx))
}

func TestCount(t *testing.T) {
	server := servertest.Start(t)
	want(t, server, "", "0\n", 0, "count", "orders")
	want(t, server, "", "5\n", 0, "count", "orders", "+5")
	want(t, server, "", "3\n", 0, "count", "orders", "--", "-2")
	want(t, server, "", "-9\n", 0, "count", "orders", "-12")
	want(t, server, "", "{\"count\":-10}\n", 0, "count", "-o", "json", "orders", "-1")
	want(t, server, "", "-13\n", 0, "count", "orders", "-3", "-o", "text")
	want(t, server, "", "7\n", 0, "count", "orders", "=7")
	want(t, server, "", "1\n", 0, "count", "--format", "text", "/text", "+1")
	for _, words := range [][]string{{"count", "orders", "7"}, {"count", "--format", "x", "orders"}, {"count", "--format", "int", "orders"}} {
		if err := quoll(servertest.Context(t), server, "", io.Discard, words...); err == nil {
			t.Errorf("%v: no error", words)
		}
	}
}

func TestQueue(t *testing.T) {
	server := servertest.Start(t)
	var errs bytes.Buffer
	if err := quollErr(servertest.Context(t), server, "", t.Output(), &errs, "queue", "take", "--try", "jobs"); err == nil || errs.String() != "quoll: there is no message in /queues/jobs\n" {
		t.Errorf("%v, %q", err, &errs)
	}
	want(t, server, "", "", 75, "queue", "take", "--try", "jobs")
	want(t, server, "", "", 75, "queue", "take", "--wait", "10ms", "jobs")
	want(t, server, "", "", 0, "queue", "put", "jobs", "one")
	want(t, server, "two", "", 0, "queue", "put", "jobs")
	want(t, server, "", "2\n", 0, "queue", "length", "jobs")
	want(t, server, "", "one\n", 0, "queue", "take", "jobs")
	want(t, server, "", "", 4, "queue", "take", "jobs", "--", "sh", "-c", "exit 4")
	want(t, server, "", "two", 0, "queue", "take", "jobs", "--", "cat")
	want(t, server, "", "0\n", 0, "queue", "length", "jobs")
	want(t, server, "", "", 0, "queue", "put", "--layout", "kazoo-locking", "--priority", "7", "/k", "x")
	want(t, server, "", "x\n", 0, "queue", "take", "--layout", "kazoo-locking", "/k")
	if err := quoll(servertest.Context(t), server, "", io.Discard, "queue", "put", "--layout", "x", "jobs", "y"); err == nil {
		t.Error("no error")
	}
}

// A message that the command does not manage is a dead letter after so many
// attempts; the others are done.
func TestQueueFollow(t *testing.T) {
	server := servertest.Start(t)
	ctx, cancel := context.WithCancel(servertest.Context(t))
	defer cancel()
	for _, m := range []string{"good", "bad", "good"} {
		want(t, server, "", "", 0, "queue", "put", "jobs", m)
	}
	done := filepath.Join(t.TempDir(), "done")
	ended := make(chan error, 1)
	go func() {
		ended <- quoll(ctx, server, "", io.Discard, "queue", "take", "--follow", "--dead-letters", "dead", "--attempts", "2", "jobs", "--",
			"sh", "-c", `read m; echo "$m" >> "$0"; test "$m" != bad`, done)
	}()
	await(t, func() bool {
		var jobs, dead bytes.Buffer
		check(t, quoll(ctx, server, "", &jobs, "queue", "length", "jobs"))
		check(t, quoll(ctx, server, "", &dead, "queue", "length", "dead"))
		return jobs.String() == "0\n" && dead.String() == "1\n"
	})
	cancel()
	check(t, <-ended)
	got, err := os.ReadFile(done)
	check(t, err)
	if n := strings.Count(string(got), "good\n"); n != 2 || strings.Count(string(got), "bad\n") != 2 {
		t.Errorf("%q", got)
	}
}

// A message is not taken off the queue when its command was told to end, also if
// that ends with 0.
func TestQueueInterrupted(t *testing.T) {
	server := servertest.Start(t)
	want(t, server, "", "", 0, "queue", "put", "jobs", "one")
	for _, follow := range []string{"--follow=false", "--follow"} {
		ctx, interrupt := context.WithCancel(servertest.Context(t))
		ready := filepath.Join(t.TempDir(), "ready")
		ended := make(chan error, 1)
		var errs bytes.Buffer
		go func() {
			ended <- quollErr(ctx, server, "", io.Discard, &errs, "queue", "take", follow, "--grace", "1m", "jobs", "--",
				"sh", "-c", `trap "exit 0" TERM; :> "$0"; while :; do sleep 0.01; done`, ready)
		}()
		await(t, func() bool { return exists(ready) })
		interrupt()
		var exit *cli.ExitError
		if err := <-ended; !errors.As(err, &exit) || exit.Code != 75 || !strings.Contains(errs.String(), "/queues/jobs/queue-0000000000 is not acknowledged") {
			t.Errorf("%s: %v, %q", follow, err, errs.String())
		}
	}
	want(t, server, "", "one\n", 0, "queue", "take", "--try", "jobs")
}

// Who cannot reach a server is told so, and not kept waiting.
func TestNoServer(t *testing.T) {
	err := quoll(servertest.Context(t), "127.0.0.1:1", "", io.Discard, "lock", "--connect-timeout", "50ms", "job", "--", "cat")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("without a server: %v", err)
	}
}

// Results are JSON where that is asked for.
func TestJSON(t *testing.T) {
	server := servertest.Start(t)
	want(t, server, "", "{\"leader\":{}}\n", 75, "elect", "-o", "json", "--once", "lead")
	want(t, server, "", "{\"count\":5}\n", 0, "count", "-o", "json", "orders", "+5")
	want(t, server, "", "", 0, "queue", "put", "jobs", "one")
	want(t, server, "\xff", "", 0, "queue", "put", "jobs")
	want(t, server, "", "{\"length\":2}\n", 0, "queue", "length", "-o", "json", "jobs")
	want(t, server, "", "{\"message\":\"one\",\"path\":\"/queues/jobs/queue-0000000000\",\"attempt\":1}\n", 0, "queue", "take", "-o", "json", "jobs")
	want(t, server, "", "{\"messageBase64\":\"/w==\",\"path\":\"/queues/jobs/queue-0000000001\",\"attempt\":1}\n", 0, "queue", "take", "-o", "json", "jobs")
	if err := quoll(servertest.Context(t), server, "", io.Discard, "count", "-o", "yaml", "orders"); err == nil {
		t.Error("an output that is unknown is no error")
	}
}

// What does not fit into a packet is refused as a whole, and not cut off.
func TestTooMuchInput(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	large := strings.Repeat("# a comment\n", 1<<17)
	file := filepath.Join(t.TempDir(), "large.properties")
	check(t, os.WriteFile(file, []byte("a=1\n"+large+"b=2\n"), 0o600))
	for _, words := range [][]string{{"queue", "put", "jobs"}, {"config", "set", "app", "--from", file}} {
		if err := quoll(ctx, server, large, io.Discard, words...); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%v: %v", words, err)
		}
	}
	want(t, server, "", "0\n", 0, "queue", "length", "jobs")
	want(t, server, "", "", 0, "config", "list")
}

// register runs a command that is registered as /services/orders/a, waits until
// it is there, and returns what becomes of it. When the command gets SIGTERM it
// writes a file "told", waits for a file "end" in dir, and ends.
func register(ctx context.Context, t *testing.T, server, dir string) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		ended <- quoll(ctx, server, "", io.Discard, "register", "orders", "--id", "a", "--address", "10.0.0.1", "--grace", "10m", "--",
			"sh", "-c", `cd "$0"; trap ':> told; while ! [ -f end ]; do sleep 0.01; done; exit 0' TERM; :> ready; while :; do sleep 0.01; done`, dir)
	}()
	await(t, func() bool { return exists(filepath.Join(dir, "ready")) })
	return ended
}

// endIt lets the command of register end.
func endIt(dir string) error { return os.WriteFile(filepath.Join(dir, "end"), nil, 0o600) }

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// A command that is registered is told to end when another program has taken its
// id, and not left behind.
func TestRegisteredCommandReplaced(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	dir := t.TempDir()
	ended := register(ctx, t, server, dir)
	_, err := c.Multi(ctx, client.DeleteOp("/services/orders/a", client.AnyVersion), client.CreateOp("/services/orders/a", nil, client.Ephemeral))
	check(t, err)
	await(t, func() bool { return exists(filepath.Join(dir, "told")) })
	check(t, endIt(dir))
	if err := <-ended; !errors.Is(err, discovery.ErrReplaced) {
		t.Error(err)
	}
}

// Who is interrupted leaves the registry, and then the command is told to end.
func TestRegisteredCommandLeavesFirst(t *testing.T) {
	server := servertest.Start(t)
	ctx, interrupt := context.WithCancel(servertest.Context(t))
	defer interrupt()
	c := servertest.Dial(t, server)
	dir := t.TempDir()
	ended := register(ctx, t, server, dir)
	interrupt()
	await(t, func() bool {
		_, found, err := c.Exists(servertest.Context(t), "/services/orders/a")
		check(t, err)
		return !found
	})
	check(t, endIt(dir))
	check(t, <-ended)
}

// The exit code of a command that is registered is its own also when it was told to
// end, as it is with a lock.
func TestRegisteredCommandInterrupted(t *testing.T) {
	server := servertest.Start(t)
	for script, code := range map[string]int{
		`trap "exit 5" TERM; :> "$0"; while :; do sleep 0.01; done`: 5,
		`:> "$0"; exec sleep 1000`:                                  128 + 15,
		`trap "" TERM; :> "$0"; while :; do sleep 0.01; done`:       128 + 9,
	} {
		for _, words := range [][]string{{"register", "orders", "--address", "10.0.0.1"}, {"lock", "job"}} {
			ctx, interrupt := context.WithCancel(servertest.Context(t))
			ready := filepath.Join(t.TempDir(), "ready")
			ended := make(chan error, 1)
			grace := "1m"
			if code == 128+9 {
				grace = "1ms"
			}
			go func() {
				ended <- quoll(ctx, server, "", io.Discard, append(words, "--grace", grace, "--", "sh", "-c", script, ready)...)
			}()
			await(t, func() bool { return exists(ready) })
			interrupt()
			var exit *cli.ExitError
			if err := <-ended; !errors.As(err, &exit) || exit.Code != code {
				t.Errorf("%s of %q: %v, want %d", words[0], script, err, code)
			}
		}
	}
}

// Who watches a service that has no instances is told so.
func TestWatchNobody(t *testing.T) {
	server := servertest.Start(t)
	ctx, interrupt := context.WithCancel(servertest.Context(t))
	defer interrupt()
	out, errs := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- quollErr(ctx, server, "", io.Discard, errs, "discover", "nope", "--watch")
		errs.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	if line != "quoll: service \"nope\" has no instances so far\n" {
		t.Errorf("%q", line)
	}
	interrupt()
	check(t, <-ended)
}

// An instance is there while a file is touched again and again.
func TestHeartbeatFile(t *testing.T) {
	server := servertest.Start(t)
	ctx, interrupt := context.WithCancel(servertest.Context(t))
	defer interrupt()
	c := servertest.Dial(t, server)
	file := filepath.Join(t.TempDir(), "alive")
	check(t, os.WriteFile(file, nil, 0o600))
	ended := make(chan error, 1)
	go func() {
		ended <- quoll(ctx, server, "", io.Discard, "register", "orders", "--id", "a", "--address", "10.0.0.1",
			"--check", "ttl:1h:"+file, "--interval", "5ms", "--fall", "1")
	}()
	registered := func() bool {
		_, found, err := c.Exists(ctx, "/services/orders/a")
		check(t, err)
		return found
	}
	await(t, registered)
	check(t, os.Chtimes(file, time.Time{}, time.Now().Add(-2*time.Hour)))
	await(t, func() bool { return !registered() })
	check(t, os.Chtimes(file, time.Time{}, time.Now()))
	await(t, registered)
	interrupt()
	check(t, <-ended)
	for _, bad := range []string{"ttl:", "ttl:1h", "ttl:x:" + file, "ttl:-1s:" + file} {
		if err := quoll(servertest.Context(t), server, "", io.Discard, "register", "orders", "--check", bad); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}
