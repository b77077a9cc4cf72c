package interop_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/test/harness"
)

// patience bounds every operation: many times what one takes on a busy machine.
const patience = 60 * time.Second

// player runs the recipes of a library. The operations of one handle take place one after another.
type player interface {
	name() string
	begin(handle, operation string, args ...string) *outcome
}

// outcome is what an operation comes to.
type outcome struct {
	what  string
	ready chan struct{}
	text  string
	err   error
}

func newOutcome(p player, handle, operation string, args []string) *outcome {
	return &outcome{what: fmt.Sprint(p.name(), " ", handle, " ", operation, " ", args), ready: make(chan struct{})}
}

func (o *outcome) end(text string, err error) {
	o.text, o.err = text, err
	close(o.ready)
}

// wait returns the result.
func (o *outcome) wait(t *testing.T) string {
	t.Helper()
	select {
	case <-o.ready:
	case <-time.After(patience):
		t.Fatalf("%s: no end", o.what)
	}
	if o.err != nil {
		t.Fatalf("%s: %v", o.what, o.err)
	}
	return o.text
}

// waiting fails the test if the operation has ended.
func (o *outcome) waiting(t *testing.T) {
	t.Helper()
	select {
	case <-o.ready:
		t.Fatalf("%s: did not wait: %q, %v", o.what, o.text, o.err)
	default:
	}
}

func do(t *testing.T, p player, handle, operation string, args ...string) string {
	t.Helper()
	return p.begin(handle, operation, args...).wait(t)
}

// agent is a program of another library.
type agent struct {
	library string
	in      io.WriteCloser

	mu      sync.Mutex
	seq     int
	pending map[string]*outcome
	ended   error
}

func (a *agent) name() string { return a.library }

// startAgent runs a program until the end of the test.
func startAgent(t *testing.T, library string, cmd *exec.Cmd) *agent {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	a := &agent{library: library, in: in, pending: make(map[string]*outcome)}
	connected := newOutcome(a, "", "connect", nil)
	a.pending["0"] = connected
	var reader sync.WaitGroup
	reader.Go(func() { a.read(out) })
	exited, err := harness.Launch(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		select {
		case <-exited:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Errorf("%s does not end", library)
		}
		reader.Wait()
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s says:\n%s", library, text[max(0, len(text)-4000):])
		}
		log.Close()
	})
	connected.wait(t)
	return a
}

func (a *agent) begin(handle, operation string, args ...string) *outcome {
	o := newOutcome(a, handle, operation, args)
	words := []string{handle, operation}
	for _, arg := range args {
		if arg == "" {
			arg = "-"
		}
		words = append(words, arg)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seq++
	seq := fmt.Sprint(a.seq)
	if a.ended != nil {
		o.end("", a.ended)
		return o
	}
	a.pending[seq] = o
	if _, err := fmt.Fprintln(a.in, seq, strings.Join(words, " ")); err != nil {
		delete(a.pending, seq)
		o.end("", err)
	}
	return o
}

func (a *agent) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		seq, rest, _ := strings.Cut(lines.Text(), " ")
		verdict, text, _ := strings.Cut(rest, " ")
		a.mu.Lock()
		o := a.pending[seq]
		delete(a.pending, seq)
		a.mu.Unlock()
		switch {
		case o == nil: // something that the library prints
		case verdict == "ok":
			o.end(text, nil)
		default:
			o.end("", fmt.Errorf("%s", text))
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = fmt.Errorf("%s has ended", a.library)
	for _, o := range a.pending {
		o.end("", a.ended)
	}
}
