package listener

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// narrow makes the socket's buffers small, so that it fills soon.
func (p *peer) narrow() *peer {
	p.Conn.(*net.TCPConn).SetReadBuffer(256 << 10)
	return p
}

// TestReaderOfNothing asks for far more than it takes: the server stops
// reading from it, holds little for it, and others do not notice.
func TestReaderOfNothing(t *testing.T) {
	w := newWorld(t, nil)
	other := w.client()
	other.must(proto.OpCreate, createBody("/big", strings.Repeat("x", 500_000), 0))
	slow := w.client().narrow()
	const asked = 200 // 100 MB of replies
	var b []byte
	for i := range int32(asked) {
		b = append(b, message(i, proto.OpGetData, readBody("/big", false))...)
	}
	slow.send(b)
	c := w.list()[1]
	await(t, "the server to wait for the client", func() bool { return c.send.waiting() > outboxHigh })
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 100<<20 {
		t.Errorf("%d bytes are held", m.HeapAlloc)
	}
	if n := c.send.waiting(); n > outboxHigh+readBytesMost {
		t.Errorf("%d bytes wait for a client that does not read", n)
	}
	for range 20 {
		other.alive()
		other.must(proto.OpSetData, setBody("/big", strings.Repeat("y", 500_000), -1))
	}
	for i := range int32(asked) { // it gets all of them once it reads
		h, d := slow.reply()
		if data := d.Buffer(); h.Xid != i || len(data) != 500_000 {
			t.Fatalf("reply %d: %+v with %d bytes", i, h, len(data))
		}
	}
	if n := w.Engine.Metrics.SlowClients.Load(); n != 0 {
		t.Errorf("%d clients were closed", n)
	}
}

// readBytesMost is what one step of reading may put on top of outboxHigh.
const readBytesMost = 2 << 20

// TestWatcherThatDoesNotRead is closed once too many events wait for it.
func TestWatcherThatDoesNotRead(t *testing.T) {
	const most = 1 << 20
	w := newWorld(t, func(s *setup) { s.listener.MaxOutbox = most })
	slow, fast := w.client().narrow(), w.client()
	watch := jute.AppendInt(jute.AppendString(nil, "/"), proto.WatchPersistentRecursive)
	slow.must(proto.OpAddWatch, watch)
	fast.must(proto.OpAddWatch, watch)
	writer := w.client()
	path := "/" + strings.Repeat("n", 10_000)
	writer.must(proto.OpCreate, createBody(path, "", 0))
	fast.reply()
	for n := 0; w.Engine.Metrics.SlowClients.Load() == 0; n++ {
		if n > 5000 {
			t.Fatal("50 MB of events wait for a client that does not read")
		}
		writer.must(proto.OpSetData, setBody(path, "", -1))
		if h, _ := fast.reply(); h.Xid != proto.XidNotification {
			t.Fatalf("the other watcher got %+v", h)
		}
	}
	await(t, "the connection to end", func() bool { return w.Len() == 2 })
	if !strings.Contains(w.log.String(), "does not read its events") {
		t.Error("the log does not say why")
	}
	if w.Sessions.Get(slow.id) == nil {
		t.Error("its session ended, too")
	}
	writer.alive()
	fast.alive()
	again := w.dial()
	if r := again.connect(proto.ConnectRequest{TimeOut: 10000, SessionID: slow.id, Passwd: slow.pass}); r.SessionID != slow.id {
		t.Errorf("it cannot come back: %+v", r)
	}
}

// TestCloseWithClientsOfAllKinds ends a listener whose clients are idle, busy,
// in the middle of a frame or a handshake, or do not read.
func TestCloseWithClientsOfAllKinds(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.disk.gate = make(chan struct{}, 100) })
	for range 100 {
		w.disk.gate <- struct{}{}
	}
	seed := w.client()
	seed.must(proto.OpCreate, createBody("/big", strings.Repeat("x", 500_000), 0))
	for range 10 {
		w.client()
		w.dial()
		w.client().send([]byte{0, 0, 1})
		slow := w.client().narrow()
		for range 20 {
			slow.post(proto.OpGetData, readBody("/big", false))
		}
	}
	for len(w.disk.gate) > 0 {
		seed.must(proto.OpSetData, setBody("/big", strings.Repeat("x", 500_000), -1))
	}
	for range 10 { // their sessions wait for the disk
		p := w.dial()
		p.send(frame((&proto.ConnectRequest{TimeOut: 10000, Passwd: make([]byte, 16)}).Append(nil)))
	}
	seed.post(proto.OpSetData, setBody("/big", "", -1)) // and so does this
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if n := w.Len(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// TestLastRepliesAreSent has a client that reads late close its session.
func TestLastRepliesAreSent(t *testing.T) {
	w := newWorld(t, nil)
	p := w.client().narrow()
	p.must(proto.OpCreate, createBody("/big", strings.Repeat("x", 900_000), 0))
	var b []byte
	for i := range int32(10) {
		b = append(b, message(i, proto.OpGetData, readBody("/big", false))...)
	}
	p.send(append(b, message(10, proto.OpCloseSession, nil)...))
	for i := range int32(11) {
		if h, _ := p.reply(); h.Xid != i || h.Err != 0 {
			t.Fatalf("reply %d: %+v", i, h)
		}
	}
	p.ended()
}

// TestShortRequestForALongReply asks for one long znode again and again.
func TestShortRequestForALongReply(t *testing.T) {
	w := newWorld(t, nil)
	p := w.client()
	p.must(proto.OpCreate, createBody("/big", strings.Repeat("x", 1_000_000), 0))
	ask := func(times int) []byte {
		var b []byte
		for range times {
			b = append(proto.MultiHeader{Type: proto.OpGetData, Err: -1}.Append(b), readBody("/big", false)...)
		}
		return proto.AppendMultiEnd(b)
	}
	p.must(proto.OpMultiRead, ask(10))
	if code, _ := p.call(proto.OpMultiRead, ask(10_000)); code != proto.BadArguments {
		t.Errorf("10 GB: %v", code)
	}
	p.alive()
}
