package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// FreePort is a port of 127.0.0.1 for a server of this test.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// freePort returns a port of 127.0.0.1 that nobody listens on. It lies below the range that the kernel takes for
// outgoing connections: a client that retries while its server is down could otherwise be given the server's own port
// as its source, connect to itself, and keep the server from coming back. It is this process's until its end, also while
// its server is down: tests of other packages run beside.
func freePort() (int, error) {
	for range 100 {
		port := 10_000 + rand.IntN(ephemeralStart()-10_000)
		if claimed, err := claim(port); err != nil {
			return 0, err
		} else if !claimed {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free port on 127.0.0.1")
}

// claims are the locked files of this process's ports; the kernel unlocks them when it ends.
var claims struct {
	sync.Mutex
	files map[int]*os.File
}

// claim takes the port among the tests of this machine; false if another one has it.
func claim(port int) (bool, error) {
	claims.Lock()
	defer claims.Unlock()
	if claims.files[port] != nil {
		return false, nil
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("quoll-test-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, err
	}
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(port)), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return false, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if closeErr := f.Close(); closeErr != nil || !errors.Is(err, syscall.EWOULDBLOCK) {
			return false, errors.Join(err, closeErr)
		}
		return false, nil
	}
	if claims.files == nil {
		claims.files = make(map[int]*os.File)
	}
	claims.files[port] = f
	return true, nil
}

// ephemeralStart is the lowest port that the kernel chooses by itself.
func ephemeralStart() int {
	const usual = 32768
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var low int
	if _, err := fmt.Sscan(string(b), &low); err != nil || low <= 11_000 {
		return usual
	}
	return low
}
