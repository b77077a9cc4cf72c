package supervise_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/supervise"
)

// holderVariable is a variable that makes the test's program one that runs its arguments as
// a command until its standard input ends.
const holderVariable = "SUPERVISE_TEST_HOLDER"

func TestMain(m *testing.M) {
	supervise.Guard()
	if os.Getenv(holderVariable) != "" {
		hold()
	}
	os.Exit(m.Run())
}

func hold() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	c := supervise.Command{Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, Grace: time.Hour}
	code, err := c.Run(ctx)
	if err != nil {
		panic(err)
	}
	os.Exit(code)
}

func run(t *testing.T, ctx context.Context, c supervise.Command) (code int, out string) {
	t.Helper()
	var b bytes.Buffer
	c.Stdout, c.Stderr = &b, &b
	code, err := c.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return code, b.String()
}

func TestRun(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("#!/nowhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{"sh", "-c", "cat; echo $A $0", "x"}, 0, "in b x\n"},
		{[]string{"sh", "-c", "exit 3"}, 3, ""},
		{[]string{"sh", "-c", "kill -9 $$"}, 128 + 9, ""},
		{[]string{"sh", "-c", "kill -TERM $$"}, 128 + 15, ""},
		{[]string{"no-such-command"}, 127, "not found"},
		{[]string{"/no/such/command"}, 127, "no such file"},
		{[]string{plain}, 126, "permission denied"},
	} {
		code, out := run(t, t.Context(), supervise.Command{Args: test.args, Env: []string{"A=b"}, Stdin: strings.NewReader("in ")})
		if code != test.code || !strings.Contains(out, test.out) {
			t.Errorf("%q: %d, %q", test.args, code, out)
		}
	}
	if err := os.Chmod(plain, 0o700); err != nil {
		t.Fatal(err)
	}
	if code, out := run(t, t.Context(), supervise.Command{Args: []string{plain}}); code != 126 || !strings.Contains(out, plain) {
		t.Errorf("without an interpreter: %d, %q", code, out)
	}
}

// started starts a command of the shell that prints "ready", and returns when it
// has: what else it prints, and what ends it.
func started(t *testing.T, script string, grace time.Duration) (rest *bufio.Reader, end func() int) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		defer in.Close()
		c := supervise.Command{Args: []string{"sh", "-c", script}, Stdout: in, Stderr: in, Grace: grace}
		code, err := c.Run(ctx)
		if err != nil {
			t.Error(err)
		}
		ended <- code
	}()
	rest = bufio.NewReader(out)
	if line, err := rest.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return rest, func() int { cancel(); return <-ended }
}

// all reads until nobody is left who could write.
func all(t *testing.T, r io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestToldToEnd(t *testing.T) {
	rest, end := started(t, `trap 'echo told; exit 5' TERM; echo ready; while :; do sleep 0.01; done`, time.Hour)
	if code, text := end(), all(t, rest); code != 5 || !strings.Contains(text, "told\n") {
		t.Errorf("%d, %q", code, text)
	}
	_, end = started(t, `trap '' TERM; echo ready; while :; do sleep 0.01; done`, 50*time.Millisecond)
	if code := end(); code != 128+9 {
		t.Errorf("when it stays: %d", code)
	}
}

// What is to end before it begins does not begin.
func TestTooLate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	c := supervise.Command{Args: []string{"echo", "x"}, Stdout: &out, Stderr: &out}
	if _, err := c.Run(ctx); !errors.Is(err, context.Canceled) || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
}

// What the command has started ends with it, also what has a session of its own and
// has lost its parent.
func TestAllAreToldToEnd(t *testing.T) {
	linux(t)
	rest, end := started(t, `setsid sh -c 'trap "echo told; exit" TERM; (setsid sh -c "echo ready; exec sleep 1000" &); while :; do sleep 0.01; done'; echo never`, time.Hour)
	if code, text := end(), all(t, rest); code != 128+15 || !strings.Contains(text, "told\n") {
		t.Errorf("%d, %q", code, text)
	}
	rest, end = started(t, `(setsid sh -c 'trap "" TERM; echo ready; sleep 1000; echo never' &); while :; do sleep 0.01; done`, 50*time.Millisecond)
	if code, text := end(), all(t, rest); code != 128+15 || strings.Contains(text, "never") {
		t.Errorf("what stays: %d, %q", code, text)
	}
}

func linux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere only the command ends")
	}
}

// A command that has ended leaves running what it wants to.
func TestBackground(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pipe")
	code, out := run(t, t.Context(), supervise.Command{Args: []string{"sh", "-c", `mkfifo "$0"; (cat "$0" >"$0.copy" && mv "$0.copy" "$0.done") >/dev/null 2>&1 & echo well`, file}})
	if code != 0 || out != "well\n" {
		t.Fatalf("%d, %q", code, out)
	}
	if err := os.WriteFile(file, []byte("alive"), 0o600); err != nil { // which waits for the reader
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if text, _ := os.ReadFile(file + ".done"); string(text) == "alive" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("what runs in the background has not done its work")
		}
	}
}

// holding runs a command of the shell that prints "ready" from a process of its
// own, and returns when it has.
func holding(t *testing.T, script string) (holder *exec.Cmd, rest *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "sh", "-c", script)
	cmd.Env = append(os.Environ(), holderVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close() })
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	rest = bufio.NewReader(out)
	if line, err := rest.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return cmd, rest
}

// When the process is killed that has started the command, all is killed: what
// follows in the command does not begin.
func TestKilled(t *testing.T) {
	linux(t)
	holder, rest := holding(t, `trap "" TERM INT HUP; (setsid sh -c 'trap "" TERM; sleep 1000; sleep 1000' &); sh -c 'echo ready; sleep 1000'; echo never`)
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if text := all(t, rest); text != "" {
		t.Errorf("%q", text)
	}
	if err := holder.Wait(); err == nil {
		t.Error("it was not killed")
	}
}

// What a terminal sends to all of them is the command's.
func TestSignalToAll(t *testing.T) {
	for s, code := range map[syscall.Signal]int{syscall.SIGINT: 7, syscall.SIGQUIT: 8, syscall.SIGHUP: 9, syscall.SIGTERM: 10} {
		holder, rest := holding(t, `trap "exit 7" INT; trap "exit 8" QUIT; trap "exit 9" HUP; trap "exit 10" TERM; echo ready; while :; do sleep 0.01; done`)
		if err := syscall.Kill(-holder.Process.Pid, s); err != nil {
			t.Fatal(err)
		}
		_ = all(t, rest) // what a shell says of it
		var exit *exec.ExitError
		if err := holder.Wait(); !errors.As(err, &exit) || exit.ExitCode() != code {
			t.Errorf("%v: %v", s, err)
		}
	}
}
