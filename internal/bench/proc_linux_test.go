package bench

import (
	"net"
	"os"
	"testing"
)

func TestFindListener(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Logf("no %s here: %v", addr, err)
			continue
		}
		port := ln.Addr().(*net.TCPAddr).Port
		if pid, err := findListener(port); err != nil || pid != os.Getpid() {
			t.Errorf("%s: process %d, error %v; it is %d", ln.Addr(), pid, err, os.Getpid())
		}
		ln.Close()
		if pid, err := findListener(port); err == nil {
			t.Errorf("%s is closed, but process %d listens", ln.Addr(), pid)
		}
	}
}

func TestProcOfThisProcess(t *testing.T) {
	m, err := procMemory(os.Getpid())
	if err != nil || m.RSS < 1<<20 || m.Peak < m.RSS {
		t.Errorf("memory %+v, error %v", m, err)
	}
	before, err := procCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for x := uint64(1); ; x = x*3 + 1 {
		if x%4096 != 0 {
			continue
		}
		if now, err := procCPU(os.Getpid()); err != nil || now > before {
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
}

func TestNoSuchProcess(t *testing.T) {
	const none = 1 << 30
	if _, err := procCPU(none); err == nil {
		t.Error("a process that does not exist has CPU time")
	}
	if _, err := procMemory(none); err == nil {
		t.Error("a process that does not exist has memory")
	}
}
