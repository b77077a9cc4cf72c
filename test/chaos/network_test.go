package chaos

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/test/harness"
)

// echoing is the variable that makes this program an echo at an address, which also tells another one the time.
const echoing = "CHAOS_ECHO"

// echo accepts one connection at the first address and echoes; the second one gets datagrams with the time.
func echo(addrs string) error {
	at, to, _ := strings.Cut(addrs, ",")
	l, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	clock, err := net.Dial("udp", to)
	if err != nil {
		return err
	}
	go func() {
		for ; ; time.Sleep(5 * time.Millisecond) {
			fmt.Fprint(clock, time.Now().UnixNano()) // nobody may be there so far
		}
	}()
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	_, err = io.Copy(conn, conn)
	return err
}

// TestCut shows that a cut holds back one direction, also of a connection that is there, and that mending it lets all through.
func TestCut(t *testing.T) {
	needNamespaces(t)
	w := newNetwork(t, 1, 1)
	addr, clockAddr := w.addr(1)+":7", w.addr(0)+":7"
	clock, err := net.ListenPacket("udp", clockAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer clock.Close()
	args := append(w.enter(1), os.Args[0])
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), echoing+"="+addr+","+clockAddr)
	exited, err := harness.Launch(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
	conn := dialEcho(t, addr)
	defer conn.Close()
	says := func(b byte) {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	says('a')
	if err := hears(conn, 'a', patience); err != nil {
		t.Fatalf("before the cut: %v", err)
	}
	if err := w.cut(0, 1); err != nil {
		t.Fatal(err)
	}
	cut := time.Now()
	says('b')
	if err := hears(conn, 'b', 300*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("what was sent was not held back: %v", err)
	}
	if err := toldLater(clock, cut); err != nil {
		t.Fatalf("the other direction: %v", err)
	}
	if err := w.mend(); err != nil {
		t.Fatal(err)
	}
	if err := hears(conn, 'b', patience); err != nil {
		t.Fatalf("after the cut: %v", err)
	}
}

// toldLater waits until the clock tells a later time.
func toldLater(clock net.PacketConn, than time.Time) error {
	if err := clock.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for b := make([]byte, 100); ; {
		n, _, err := clock.ReadFrom(b)
		if err != nil {
			return err
		}
		if at, err := strconv.ParseInt(string(b[:n]), 10, 64); err != nil || at > than.UnixNano() {
			return err
		}
	}
}

func dialEcho(t *testing.T, addr string) net.Conn {
	t.Helper()
	for waits := harness.NewPatience(patience, time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return conn
		}
		if waits.Spent() {
			t.Fatal(err)
		}
	}
}

// hears reads until b comes.
func hears(conn net.Conn, b byte, within time.Duration) error {
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	for got := make([]byte, 1); got[0] != b; {
		if _, err := io.ReadFull(conn, got); err != nil {
			return err
		}
	}
	return nil
}
