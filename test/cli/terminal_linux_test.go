package cli

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// typist is a CLI on a terminal of its own.
type typist struct {
	t    *testing.T
	cmd  *exec.Cmd
	pty  *os.File
	seen string // what was printed and not waited for
}

// newTypist starts the CLI on a new pseudo-terminal.
func newTypist(t *testing.T, args ...string) *typist {
	t.Helper()
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pty.Close() })
	var n int
	control(t, pty, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	cmd := quollCLI(t, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &typist{t: t, cmd: cmd, pty: pty}
}

// control works on a file's descriptor without making the file block.
func control(t *testing.T, f *os.File, do func(fd int) error) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := raw.Control(func(fd uintptr) { err = do(int(fd)) }); e != nil || err != nil {
		t.Fatal(e, err)
	}
}

// awaitLimit bounds the wait for what is to appear.
const awaitLimit = 30 * time.Second

var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]|\r")

// await reads until text has appeared.
func (ty *typist) await(text string) {
	ty.t.Helper()
	if err := ty.pty.SetReadDeadline(time.Now().Add(awaitLimit)); err != nil {
		ty.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for {
		plain := escapes.ReplaceAllString(ty.seen, "")
		if i := strings.Index(plain, text); i >= 0 {
			ty.seen = plain[i+len(text):]
			return
		}
		n, err := ty.pty.Read(buf)
		if err != nil {
			ty.t.Fatalf("waiting for %q: %v; seen %q", text, err, plain)
		}
		ty.seen += string(buf[:n])
	}
}

func (ty *typist) press(keys string) {
	ty.t.Helper()
	if _, err := ty.pty.WriteString(keys); err != nil {
		ty.t.Fatal(err)
	}
}

// ended waits for the process.
func (ty *typist) ended() error {
	done := make(chan error, 1)
	go func() { done <- ty.cmd.Wait() }()
	buf := make([]byte, 4096)
	for {
		select {
		case err := <-done:
			return err
		case <-time.After(time.Millisecond): // a terminal that nobody reads blocks its process
			_ = ty.pty.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, _ = ty.pty.Read(buf)
		}
	}
}

func TestTerminal(t *testing.T) {
	each(t, func(t *testing.T, s *harness.Server, c *client.Client) {
		for _, path := range []string{"/tab", "/table"} {
			if _, err := c.Create(t.Context(), path, []byte("data of "+path)); err != nil {
				t.Fatal(err)
			}
		}
		ty := newTypist(t, "-server", s.Addr())
		ty.await("(CONNECTED) 0] ")
		ty.press("getAcl /ta\t") // completes to what is common
		ty.await("getAcl /tab")
		ty.press("\t") // shows the choice
		ty.await("/tab    /table")
		ty.press("l\t\r")
		ty.await("getAcl /table")
		ty.await("'world,'anyone")
		ty.await("(CONNECTED) 1] ")
		ty.press("sta\t-w /table\r")
		ty.await("dataLength = 14")
		ty.await("(CONNECTED) 2] ")
		ty.press("half a line")
		ty.await("half a line")
		if _, err := c.Set(t.Context(), "/table", nil, client.AnyVersion); err != nil {
			t.Fatal(err)
		}
		ty.await("type:NodeDataChanged path:/table") // above the line,
		ty.await("(CONNECTED) 2] half a line")       // which stays
		ty.press("\x03")
		ty.await("^C")
		ty.await("(CONNECTED) 2] ")
		ty.press("watch /tab\r")
		waitForWatch(t, s, "/tab")
		ty.press("\x03") // ends the command alone
		ty.await("(CONNECTED) 3] ")
		ty.press("\x1b[A\x1b[A\r") // up, up
		ty.await("stat -w /table")
		ty.await("dataLength = 0")
		ty.await("(CONNECTED) 4] ")
		ty.press("\x04")
		if err := ty.ended(); err != nil {
			t.Errorf("after ctrl-D: %v", err)
		}
	})
}

func TestTerminalIsRestored(t *testing.T) {
	ty := newTypist(t, "-server", "127.0.0.1:1")
	ty.await("(CONNECTING) 0] ")
	if err := ty.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := ty.ended(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	var state *unix.Termios
	control(t, ty.pty, func(fd int) (err error) {
		state, err = unix.IoctlGetTermios(fd, unix.TCGETS)
		return err
	})
	if state.Lflag&unix.ICANON == 0 || state.Lflag&unix.ECHO == 0 {
		t.Error("the terminal is still raw")
	}
}
