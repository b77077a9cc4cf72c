package functions_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/quollhq/quoll/internal/servertest"
)

// When quoll is killed nothing goes on of what it has run: neither the command nor
// what that has started, whatever it does not want to hear of.
func TestKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere only the command ends")
	}
	server := servertest.Start(t)
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	check(t, os.WriteFile(in, []byte("text"), 0o600))
	want(t, server, "", "", 0, "queue", "put", "jobs", "one")
	const script = `exec >"$FIFO"; trap "" TERM HUP; (setsid sleep 1000 &) ; sh -c "echo ready; sleep 1000"; echo never`
	command := []string{"--", "sh", "-c", script}
	for name, words := range map[string][]string{
		"lock":             append([]string{"lock", "job"}, command...),
		"elect":            append([]string{"elect", "chief"}, command...),
		"queue take":       append([]string{"queue", "take", "jobs"}, command...),
		"register":         append([]string{"register", "orders", "--address", "10.0.0.1"}, command...),
		"register --check": {"register", "orders", "--address", "10.0.0.1", "--check", "script:" + script, "--timeout", "1h"},
		"template":         {"template", "--template", in + ":" + filepath.Join(dir, "out"), "--reload", script},
	} {
		t.Run(name, func(t *testing.T) {
			fifo := filepath.Join(t.TempDir(), "fifo")
			check(t, syscall.Mkfifo(fifo, 0o600))
			cmd := exec.Command(os.Args[0], words...)
			cmd.Env = append(os.Environ(), serverVariable+"="+server, "FIFO="+fifo)
			check(t, cmd.Start())
			out, err := os.Open(fifo) // which waits for the command
			check(t, err)
			defer out.Close()
			rest := bufio.NewReader(out)
			line, err := rest.ReadString('\n')
			check(t, errors.Join(cmd.Process.Kill(), err))
			if left, err := io.ReadAll(rest); err != nil || line != "ready\n" || len(left) > 0 { // the end: nobody has it open
				t.Errorf("%q, %q, %v", line, left, err)
			}
			_ = cmd.Wait() // it was killed
		})
	}
}
