package client

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// fake is a network of servers that do what a test says, step by step.
type fake struct {
	t        *testing.T
	conns    chan *fakeConn // accepted, in order
	refusing atomic.Bool    // connections are refused
	dials    []string       // servers dialled, of the goroutine that dials
	writes   atomic.Int64   // by clients
}

func newFake(t *testing.T) *fake { return &fake{t: t, conns: make(chan *fakeConn, 16)} }

func (f *fake) dial(_ context.Context, _, addr string) (net.Conn, error) {
	f.dials = append(f.dials, addr)
	if f.refusing.Load() {
		return nil, errors.New("refused")
	}
	mine, yours := net.Pipe()
	f.conns <- &fakeConn{Conn: yours, t: f.t, addr: addr}
	return countedConn{mine, &f.writes}, nil
}

type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// client makes a client of the fake network.
func (f *fake) client(opts ...Option) *Client {
	f.t.Helper()
	c, err := New("a:1", append([]Option{WithDialer(f.dial), WithSessionTimeout(9 * time.Second)}, opts...)...)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// fakeConn is a server's side of a connection.
type fakeConn struct {
	net.Conn
	t     *testing.T
	addr  string
	pings int // seen, and answered
}

const (
	fakeSession = int64(0x1234)
	fakeTimeout = 9000 // milliseconds
)

// accept takes the next connection and answers its handshake. When it returns,
// the client has noticed.
func (f *fake) accept(edit ...func(*proto.ConnectResponse)) (*fakeConn, proto.ConnectRequest) {
	f.t.Helper()
	fc := <-f.conns
	d := jute.NewDecoder(fc.frame())
	var req proto.ConnectRequest
	req.Decode(&d)
	if d.Err() != nil || d.Len() > 0 {
		f.t.Fatalf("connect request: %v, %d bytes left", d.Err(), d.Len())
	}
	resp := proto.ConnectResponse{TimeOut: fakeTimeout, SessionID: fakeSession, Passwd: []byte("0123456789abcdef"), HasReadOnly: true}
	for _, e := range edit {
		e(&resp)
	}
	fc.send(resp.Append(nil))
	synctest.Wait()
	return fc, req
}

// frame reads one frame.
func (fc *fakeConn) frame() []byte {
	fc.t.Helper()
	b := make([]byte, 4)
	if _, err := io.ReadFull(fc, b); err != nil {
		fc.t.Fatalf("reading a frame: %v", err)
	}
	d := jute.NewDecoder(b)
	b = make([]byte, d.Int())
	if _, err := io.ReadFull(fc, b); err != nil {
		fc.t.Fatalf("reading a frame: %v", err)
	}
	return b
}

// request reads the next request; pings are answered on the way.
func (fc *fakeConn) request(want proto.Op) (proto.RequestHeader, jute.Decoder) {
	fc.t.Helper()
	for {
		d := jute.NewDecoder(fc.frame())
		var h proto.RequestHeader
		h.Decode(&d)
		if h.Op == proto.OpPing {
			fc.pings++
			fc.reply(proto.XidPing, 0, proto.OK, nil)
			continue
		}
		if h.Op != want {
			fc.t.Fatalf("request %v, want %v", h.Op, want)
		}
		return h, d
	}
}

func (fc *fakeConn) send(payload []byte) {
	fc.t.Helper()
	if _, err := fc.Write(append(jute.AppendInt(nil, int32(len(payload))), payload...)); err != nil {
		fc.t.Fatalf("sending: %v", err)
	}
}

func (fc *fakeConn) reply(xid int32, zxid int64, code proto.Code, body []byte) {
	fc.t.Helper()
	fc.send(append(proto.ReplyHeader{Xid: xid, Zxid: zxid, Err: code}.Append(nil), body...))
}

func (fc *fakeConn) event(typ proto.EventType, path string, zxid int64) {
	fc.t.Helper()
	ev := proto.WatcherEvent{Type: typ, State: proto.StateSyncConnected, Path: path}
	fc.reply(proto.XidNotification, zxid, proto.OK, ev.Append(nil))
}

// answer answers one request of that kind.
func (fc *fakeConn) answer(op proto.Op, zxid int64, code proto.Code, body []byte) {
	fc.t.Helper()
	h, _ := fc.request(op)
	fc.reply(h.Xid, zxid, code, body)
}

// end answers closeSession, as the client's Close wants it.
func (fc *fakeConn) end() {
	fc.t.Helper()
	fc.answer(proto.OpCloseSession, 0, proto.OK, nil)
	fc.Close()
}

func getReply(data string) []byte {
	return (&proto.Stat{DataLength: int32(len(data))}).Append(jute.AppendBuffer(nil, []byte(data)))
}

func existsReply() []byte { return (&proto.Stat{}).Append(nil) }

// async runs f and yields its result.
func async[T any](f func() T) <-chan T {
	ch := make(chan T, 1)
	go func() { ch <- f() }()
	return ch
}

// run runs a test in a bubble with a clock of its own, which also fails it for
// every goroutine that is left over.
func run(t *testing.T, test func(t *testing.T, f *fake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newFake(t)) })
}

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error %v, want %v", err, target)
	}
}

func sortedEqual(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
