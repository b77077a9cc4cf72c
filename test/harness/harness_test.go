package harness_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// A server comes back on its own ports after a kill and after a stop.
func TestServerRestarts(t *testing.T) {
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		server := harness.Start(t, subject, harness.Config{})
		addr := server.Addr()
		if got := ruok(t, addr); got != "imok" {
			t.Errorf("ruok: %q", got)
		}
		server.Kill()
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			t.Errorf("%s still listens after a kill", addr)
		}
		server.Restart()
		if got := ruok(t, addr); got != "imok" {
			t.Errorf("ruok after a kill: %q", got)
		}
		server.Stop()
		server.Restart()
		if got := ruok(t, addr); got != "imok" {
			t.Errorf("ruok after a stop: %q", got)
		}
	})
}

func ruok(t *testing.T, addr string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	reply, err := harness.FourLetterWord(ctx, addr, "ruok")
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestProxyCutsAndHeals(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	proxy := harness.NewProxy(t, echo.Addr().String())
	conn := dial(t, proxy.Addr())
	if got := say(conn, "one"); got != "one" {
		t.Errorf("through the proxy: %q", got)
	}
	proxy.Cut()
	if got := say(conn, "two"); got != "" {
		t.Errorf("through a cut proxy: %q", got)
	}
	if got := say(dial(t, proxy.Addr()), "three"); got != "" {
		t.Errorf("through a new connection of a cut proxy: %q", got)
	}
	proxy.Heal()
	if got := say(dial(t, proxy.Addr()), "four"); got != "four" {
		t.Errorf("through a healed proxy: %q", got)
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// say returns what came back of what was said, "" if the connection is broken.
func say(conn net.Conn, what string) string {
	if _, err := io.WriteString(conn, what); err != nil {
		return ""
	}
	b := make([]byte, len(what))
	if _, err := io.ReadFull(conn, b); err != nil {
		return ""
	}
	return string(b)
}

func TestMissingPeerNamesTheScript(t *testing.T) {
	t.Setenv("QUOLL_CACHE", t.TempDir())
	for name, find := range map[string]func() error{
		"zookeeper": func() error { _, err := harness.ZooKeeperHome("3.9.4"); return err },
		"venv":      func() error { _, err := harness.Peer("venv", "bin", "python"); return err },
	} {
		if err := find(); err == nil || !strings.Contains(err.Error(), "scripts/install-peers.sh") {
			t.Errorf("%s: the error is %v, it does not name the script", name, err)
		}
	}
}

// The lines of a program become subtests, its requests are carried out.
func TestJudge(t *testing.T) {
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		server := harness.Start(t, subject, harness.Config{})
		harness.Judge{
			Command: exec.Command("bash", "-c", `
				echo a line of log
				echo ok first
				echo control kill; read -r reply; [ "$reply" = kill ] || exit 1
				! (exec 3<>/dev/tcp/"${0%:*}/${0#*:}") 2>/dev/null || echo FAIL killed but it listens
				echo control start; read -r reply; [ "$reply" = start ] || exit 1
				(exec 3<>/dev/tcp/"${0%:*}/${0#*:}") && echo ok restarted
				echo done 2`, server.Addr()),
			Server:  server,
			Timeout: time.Minute,
		}.Run(t)
	})
}

// Who waits for a script does not wait longer than it wants to, whatever the script has started.
func TestOutput(t *testing.T) {
	out, err := harness.Output(exec.Command("bash", "-c", "echo one; echo two >&2"), time.Minute)
	if string(out) != "one\ntwo\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	var exit *exec.ExitError
	if _, err = harness.Output(exec.Command("bash", "-c", "exit 3"), time.Minute); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("a status of 3: %v", err)
	}
	out, err = harness.Output(exec.Command("bash", "-c", "echo begun; sleep 1000; echo never"), 2*time.Second)
	if err == nil || errors.As(err, &exit) || string(out) != "begun\n" {
		t.Errorf("one that does not end: %q, %v", out, err)
	}
}

// Ends that a test asked for are no deaths.
func TestAskedEndsAreNoDeaths(t *testing.T) {
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		server := harness.Start(t, subject, harness.Config{})
		select {
		case <-server.Died():
			t.Fatal("dead from the start")
		default:
		}
		server.Kill()
		server.Restart()
		server.Stop()
		select {
		case <-server.Died():
			t.Fatal("an end that was asked for counts as a death")
		default:
		}
	})
}

// Three servers elect a leader, and another one when it is gone.
func TestEnsemble(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	ensemble := harness.NewEnsemble(t, harness.EnsembleConfig{Seats: harness.Seats(3, harness.Apache)})
	ensemble.Start()
	first := ensemble.Leader()
	ensemble.Server(first).Kill()
	if second := ensemble.Leader(); second == first {
		t.Errorf("%d leads, but it is dead", first)
	}
	ensemble.Server(first).Restart()
	if got := ruok(t, ensemble.Server(first).Addr()); got != "imok" {
		t.Errorf("ruok: %q", got)
	}
}
