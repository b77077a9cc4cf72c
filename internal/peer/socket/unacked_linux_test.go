package socket

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// The kernel is told about both ends.
func TestUnacked(t *testing.T) {
	o := Options{Timeout: patience, Unacked: 7 * time.Second}
	l, err := o.ListenAll(t.Context(), addresses("127.0.0.1"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	here, err := o.Dial(t.Context(), addressOf(l))
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	for _, conn := range []net.Conn{here, there} {
		raw, err := conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var got int
		if err := raw.Control(func(fd uintptr) { got, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout) }); err != nil {
			t.Fatal(err)
		}
		if err != nil || got != 7000 {
			t.Errorf("%d ms, %v", got, err)
		}
	}
}
