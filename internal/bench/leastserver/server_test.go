package leastserver_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"github.com/quollhq/quoll/internal/bench/leastserver"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// start runs a server and returns a function that ends it.
func start(t testing.TB, dir string) (addr string, stop func() error) {
	t.Helper()
	s, err := leastserver.New(leastserver.Config{Dir: dir, ValueSize: 5})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	return ln.Addr().String(), func() error {
		cancel()
		return errors.Join(<-done, s.Close())
	}
}

func frame(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func request(xid int32, op proto.Op, path string) []byte {
	b := proto.RequestHeader{Xid: xid, Op: op}.Append(nil)
	return frame(jute.AppendString(b, path))
}

func readFrame(t *testing.T, r io.Reader) []byte {
	t.Helper()
	var l [4]byte
	if _, err := io.ReadFull(r, l[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(l[:]))
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func connect(t *testing.T, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	req := proto.ConnectRequest{TimeOut: 7000, Passwd: make([]byte, 16), HasReadOnly: true}
	if _, err := nc.Write(frame(req.Append(nil))); err != nil {
		t.Fatal(err)
	}
	var resp proto.ConnectResponse
	d := jute.NewDecoder(readFrame(t, nc))
	resp.Decode(&d)
	if d.Err() != nil || resp.TimeOut != 7000 || resp.SessionID == 0 || len(resp.Passwd) != 16 {
		t.Fatalf("connect response %+v, error %v", resp, d.Err())
	}
	return nc
}

func TestRepliesKeepTheOrder(t *testing.T) {
	addr, stop := start(t, t.TempDir())
	nc := connect(t, addr)
	ops := []proto.Op{proto.OpGetData, proto.OpSetData, proto.OpGetData, proto.OpCreate, proto.OpDelete,
		proto.OpExists, proto.OpPing, proto.OpMulti, proto.OpSetData, proto.OpCloseSession}
	var all []byte
	for i, op := range ops {
		all = append(all, request(int32(i), op, "/a/path")...)
	}
	// In two pieces that end within a frame.
	cut := len(all)/2 + 3
	for _, piece := range [][]byte{all[:cut], all[cut:]} {
		if _, err := nc.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	lengths := map[proto.Op]int{proto.OpGetData: 4 + 5 + 68, proto.OpSetData: 68, proto.OpExists: 68, proto.OpCreate: 4 + 7}
	for i, op := range ops {
		d := jute.NewDecoder(readFrame(t, nc))
		var h proto.ReplyHeader
		h.Decode(&d)
		code := proto.OK
		if op == proto.OpMulti {
			code = proto.Unimplemented
		}
		if h.Xid != int32(i) || h.Err != code || d.Len() != lengths[op] {
			t.Errorf("reply %d to %v: %+v with %d bytes", i, op, h, d.Len())
		}
	}
	if n, err := nc.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes after the close", n)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestMalformedFramesCloseTheConnection(t *testing.T) {
	addr, stop := start(t, t.TempDir())
	for name, b := range map[string][]byte{
		"negative": {0xff, 0xff, 0xff, 0xff}, "huge": {0x7f, 0, 0, 0}, "empty": {0, 0, 0, 0},
	} {
		nc := connect(t, addr)
		if _, err := nc.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: the connection is open", name)
		}
	}
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Write(frame(make([]byte, 10))); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("a short connect request is answered")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestStopEndsConnectionsAndRemovesTheLog(t *testing.T) {
	dir := t.TempDir()
	addr, stop := start(t, dir)
	nc := connect(t, addr)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

func TestValueSizeIsBounded(t *testing.T) {
	for _, n := range []int{-1, 1 << 30} {
		if _, err := leastserver.New(leastserver.Config{Dir: t.TempDir(), ValueSize: n}); err == nil {
			t.Errorf("value size %d is taken", n)
		}
	}
}
