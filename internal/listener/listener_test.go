package listener

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/throttle"
)

// failing is a socket that has no descriptors left for a while.
type failing struct {
	net.Listener
	fails atomic.Int64 // how often it is to fail
}

var errDescriptors = errors.New("too many open files")

func (f *failing) Accept() (net.Conn, error) {
	if f.fails.Add(-1) >= 0 {
		return nil, errDescriptors
	}
	return f.Listener.Accept()
}

func (w *world) second(t *testing.T, fails int64) *failing {
	t.Helper()
	sock, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &failing{Listener: sock}
	f.fails.Store(fails)
	go w.Serve(f, Socket{Connections: throttle.NewConnections(throttle.ConnectionOptions{PerAddress: 1})})
	return f
}

func TestAcceptFailsForAWhile(t *testing.T) {
	w := newWorld(t, nil)
	f := w.second(t, 3)
	nc, err := net.Dial("tcp", f.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	newPeer(t, nc).open()
	if !strings.Contains(w.log.String(), errDescriptors.Error()) {
		t.Error("the log does not tell")
	}
}

// TestCloseWhileAcceptFails does not wait for the next try.
func TestCloseWhileAcceptFails(t *testing.T) {
	w := newWorld(t, nil)
	f := w.second(t, 1<<40)
	await(t, "many failures", func() bool { return f.fails.Load() < 1<<40-5 })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestServeAfterClose(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	f := w.second(t, 0)
	await(t, "the socket to be closed", func() bool {
		nc, err := net.Dial("tcp", f.Addr().String())
		if err == nil {
			nc.Close()
		}
		return err != nil
	})
}

// TestConnectionsAreGivenBack lets one client after the other in where one is
// allowed at a time.
func TestConnectionsAreGivenBack(t *testing.T) {
	w := newWorld(t, nil)
	f := w.second(t, 0)
	for range 5 {
		nc, err := net.Dial("tcp", f.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, nc)
		p.open()
		other, err := net.Dial("tcp", f.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		newPeer(t, other).ended()
		p.post(proto.OpCloseSession, nil)
		p.reply()
		p.ended()
		await(t, "the connection to be forgotten", func() bool { return w.Len() == 0 })
	}
	if n := w.Rejected.Load(); n != 5 {
		t.Errorf("%d connections were refused", n)
	}
}

func TestConnectionsInfo(t *testing.T) {
	w := newWorld(t, nil)
	p, q := w.client(), w.client()
	idle := w.dial()
	p.must(proto.OpCreate, createBody("/a", "", 0))
	await(t, "three connections", func() bool { return w.Len() == 3 })
	infos := w.Conns()
	if infos[0].Session != p.id || infos[1].Session != q.id || infos[2].Session != 0 {
		t.Errorf("sessions %+v", infos)
	}
	if got := infos[0].Addr; got != netip.MustParseAddrPort(p.LocalAddr().String()) {
		t.Errorf("address %v", got)
	}
	if i := infos[0]; i.LastOp != proto.OpCreate || i.LastXid != 1 || i.Received != 2 || i.Sent != 2 || i.Timeout != 10000 {
		t.Errorf("first connection: %+v", i)
	}
	w.ResetStats()
	if i := w.Conns()[0]; i.Received != 0 || i.Sent != 0 || i.HasLast {
		t.Errorf("after a reset: %+v", i)
	}
	first := true
	if n := w.Shed(false, "shed", func() bool { defer func() { first = false }(); return first }); n != 1 {
		t.Errorf("%d connections were shed", n)
	}
	p.ended()
	w.CloseAll("all of them")
	q.ended()
	await(t, "connections with a session to end", func() bool { return w.Len() == 1 })
	idle.open() // it had none, and may go on
	idle.alive()
}

func TestCloseSessionFromElsewhere(t *testing.T) {
	w := newWorld(t, nil)
	p := w.client()
	if !w.CloseSession(p.id, "because") || w.CloseSession(p.id+1, "because") {
		t.Error("wrong session")
	}
	p.ended()
	if w.Sessions.Get(p.id) == nil {
		t.Error("the session is gone, too")
	}
}
