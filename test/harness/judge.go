package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Judge is a client program that judges a server. It prints one line per check and asks for what it cannot do itself:
//
//	ok NAME         a check passed
//	FAIL NAME WHY   a check failed
//	control VERB    it wants VERB to happen; the harness does it and answers VERB on the program's standard input
//	done N          the last line: N checks were made
//
// The verbs are kill and start (the server), cut and heal (the proxy). Other lines are its log.
// A program that fails a check, or does not come to its last line, fails the test.
type Judge struct {
	// Command is the program. Its standard streams are the harness's.
	Command *exec.Cmd
	// Server and Proxy are what the verbs act on.
	Server *Server
	Proxy  *Proxy
	// Timeout bounds the whole run.
	Timeout time.Duration
}

// Run makes every check a subtest of t.
func (j Judge) Run(t *testing.T) {
	t.Helper()
	var log strings.Builder
	j.Command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, theirOut, in := j.pipes(t)
	errOut, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer errOut.Close()
	j.Command.Stderr = errOut
	ended, err := launch(j.Command)
	if err != nil {
		t.Fatal(err)
	}
	theirOut.Close() // so that out ends when the program does
	ctx, cancel := context.WithTimeout(context.Background(), j.Timeout)
	var watcher sync.WaitGroup
	defer watcher.Wait()
	defer cancel()
	watcher.Go(func() {
		select {
		case <-j.Server.Died(): // nobody is there to be judged
			cancel()
		case <-ctx.Done():
		}
	})
	stopKill := context.AfterFunc(ctx, func() { killGroup(j.Command) })
	defer stopKill()

	last := "none"
	checks := j.converse(t, out, in, &log, &last)
	if checks < 0 {
		t.Errorf("%s ended without its last line", j.Command.Path)
	}
	<-ended
	if !j.Command.ProcessState.Success() {
		t.Errorf("%s: %v", j.Command.Path, j.Command.ProcessState)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Errorf("%s was killed after %s: it did not come further than %q", j.Command.Path, j.Timeout, last)
	}
	if t.Failed() {
		t.Logf("the program's log:\n%s\n%s", lastLines(log.String()), lastLines(readAll(errOut.Name())))
	}
}

// pipes gives the command standard streams of which the harness holds the other ends.
func (j Judge) pipes(t *testing.T) (out, theirOut, in *os.File) {
	t.Helper()
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{out, theirOut, theirIn, in} {
		t.Cleanup(func() { f.Close() })
	}
	j.Command.Stdin, j.Command.Stdout = theirIn, theirOut
	return out, theirOut, in
}

// converse follows the program's lines until its output ends and returns how many checks it made, -1 if it never said. last
// is the line that it came to, but for its log.
func (j Judge) converse(t *testing.T, out io.Reader, in io.Writer, log *strings.Builder, last *string) int {
	seen, said := 0, -1
	began := time.Now()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		switch verb {
		case "ok", "FAIL", "control", "done":
			*last = lines.Text()
		}
		switch verb {
		case "ok":
			seen++
			t.Run(rest, func(t *testing.T) { t.Log(time.Since(began).Round(time.Millisecond)) })
			began = time.Now()
		case "FAIL":
			seen++
			name, why, _ := strings.Cut(rest, " ")
			t.Run(name, func(t *testing.T) { t.Error(why) })
			began = time.Now()
		case "control":
			j.control(t, rest)
			fmt.Fprintln(in, rest)
		case "done":
			n, err := strconv.Atoi(rest)
			if err != nil || n != seen {
				t.Errorf("%q at the end of %d checks", lines.Text(), seen)
			}
			said = n
		default:
			fmt.Fprintln(log, lines.Text())
		}
	}
	return said
}

func (j Judge) control(t *testing.T, verb string) {
	switch verb {
	case "kill":
		j.Server.Kill()
	case "start":
		j.Server.Restart()
	case "cut":
		j.Proxy.Cut()
	case "heal":
		j.Proxy.Heal()
	default:
		t.Errorf("unknown control verb %q", verb)
	}
}

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

func lastLines(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

func readAll(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
