package listener

import (
	"net"
	"syscall"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// TestClientsThatStopSending send their last request and the end of their input
// in one segment, so that the server sees both at once.
func TestClientsThatStopSending(t *testing.T) {
	w := newWorld(t, nil)
	var peers []*peer
	for range 50 {
		p := w.client()
		p.corked()
		p.post(proto.OpExists, readBody("/", false))
		peers = append(peers, p)
	}
	for _, p := range peers {
		if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range peers {
		if h, _ := p.reply(); h.Err != proto.OK {
			t.Errorf("last reply: %+v", h)
		}
		p.ended()
	}
	await(t, "the connections to be forgotten", func() bool { return w.Len() == 0 })
}

// corked keeps what is sent until the socket's output ends.
func (p *peer) corked() {
	p.t.Helper()
	rc, err := p.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	var failed error
	err = rc.Control(func(fd uintptr) {
		if failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 0); failed == nil {
			failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CORK, 1)
		}
	})
	if err != nil || failed != nil {
		p.t.Fatal(err, failed)
	}
}
