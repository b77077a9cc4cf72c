package listener

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// peer is a client that speaks the protocol by hand.
type peer struct {
	net.Conn
	t    testing.TB
	xid  int32
	id   int64
	pass []byte
}

// dial connects without a handshake.
func (w *world) dial() *peer {
	w.t.Helper()
	nc, err := net.Dial("tcp", w.sock.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	return newPeer(w.t, nc)
}

func newPeer(t testing.TB, nc net.Conn) *peer {
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return &peer{Conn: nc, t: t}
}

// client connects and opens a session.
func (w *world) client() *peer {
	w.t.Helper()
	p := w.dial()
	p.open()
	return p
}

func (p *peer) open() {
	p.t.Helper()
	r := p.connect(proto.ConnectRequest{TimeOut: 10000, Passwd: make([]byte, 16), HasReadOnly: true})
	if r.SessionID == 0 {
		p.t.Fatalf("no session: %+v", r)
	}
}

// connect does the handshake.
func (p *peer) connect(r proto.ConnectRequest) proto.ConnectResponse {
	p.t.Helper()
	p.send(frame(r.Append(nil)))
	body := p.next()
	d := jute.NewDecoder(body)
	var resp proto.ConnectResponse
	resp.Decode(&d)
	if d.Err() != nil {
		p.t.Fatalf("connect response %x: %v", body, d.Err())
	}
	resp.Passwd = append([]byte(nil), resp.Passwd...)
	p.id, p.pass = resp.SessionID, resp.Passwd
	return resp
}

func frame(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func message(xid int32, op proto.Op, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(xid))
	b = binary.BigEndian.AppendUint32(b, uint32(op))
	return frame(append(b, body...))
}

func (p *peer) send(b []byte) {
	p.t.Helper()
	if _, err := p.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// post sends a request and does not wait for its reply.
func (p *peer) post(op proto.Op, body []byte) int32 {
	p.t.Helper()
	p.xid++
	p.send(message(p.xid, op, body))
	return p.xid
}

// next reads one frame.
func (p *peer) next() []byte {
	p.t.Helper()
	b, err := readFrame(p)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// reply reads one frame with a reply header.
func (p *peer) reply() (proto.ReplyHeader, jute.Decoder) {
	p.t.Helper()
	d := jute.NewDecoder(p.next())
	var h proto.ReplyHeader
	if h.Decode(&d); d.Err() != nil {
		p.t.Fatal(d.Err())
	}
	return h, d
}

// call sends a request and reads its reply.
func (p *peer) call(op proto.Op, body []byte) (proto.Code, jute.Decoder) {
	p.t.Helper()
	xid := p.post(op, body)
	h, d := p.reply()
	if h.Xid != xid {
		p.t.Fatalf("reply to %d, want %d: %+v", h.Xid, xid, h)
	}
	return h.Err, d
}

func (p *peer) must(op proto.Op, body []byte) jute.Decoder {
	p.t.Helper()
	code, d := p.call(op, body)
	if code != proto.OK {
		p.t.Fatalf("%v: %v", op, code)
	}
	return d
}

// ended waits for the server to end the connection and gives what it said
// before.
func (p *peer) ended() []byte {
	p.t.Helper()
	b, err := io.ReadAll(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatal("the connection is still open")
	}
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		p.t.Fatal(err)
	}
	return b
}

// alive fails unless a ping is answered.
func (p *peer) alive() {
	p.t.Helper()
	p.send(message(proto.XidPing, proto.OpPing, nil))
	if h, _ := p.reply(); h.Xid != proto.XidPing || h.Err != 0 {
		p.t.Fatalf("answer to a ping: %+v", h)
	}
}

var openACL = proto.AppendACLs(nil, proto.OpenACL())

func createBody(path, data string, flags int32) []byte {
	b := append(jute.AppendString(jute.AppendString(nil, path), data), openACL...)
	return jute.AppendInt(b, flags)
}

func setBody(path, data string, version int32) []byte {
	return jute.AppendInt(jute.AppendString(jute.AppendString(nil, path), data), version)
}

func readBody(path string, watched bool) []byte {
	return jute.AppendBool(jute.AppendString(nil, path), watched)
}
