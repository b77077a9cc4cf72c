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
	"time"

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
			out, open := openFIFO(t, fifo)
			check(t, cmd.Start())
			rest := bufio.NewReader(out)
			line, err := rest.ReadString('\n')
			check(t, errors.Join(cmd.Process.Kill(), open.Close(), err))
			if left, err := io.ReadAll(rest); err != nil || line != "ready\n" || len(left) > 0 { // the end: nobody has it open
				t.Errorf("%q, %q, %v", line, left, err)
			}
			_ = cmd.Wait() // it was killed
		})
	}
}

// openFIFO opens a FIFO to be read, for two minutes at most. It does not end before
// the other file is closed, whoever opens it to write.
func openFIFO(t *testing.T, name string) (out, open *os.File) {
	t.Helper()
	out, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // which does not wait for a writer
	check(t, err)
	t.Cleanup(func() { out.Close() })
	check(t, out.SetReadDeadline(time.Now().Add(2*time.Minute)))
	open, err = os.OpenFile(name, os.O_WRONLY, 0)
	check(t, err)
	t.Cleanup(func() { open.Close() })
	return out, open
}
