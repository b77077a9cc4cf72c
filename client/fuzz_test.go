package client

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// scripted is a connection whose server says the same whatever it is asked.
type scripted struct {
	net.Conn
	says *bytes.Reader
}

func (s *scripted) Read(b []byte) (int, error)       { return s.says.Read(b) }
func (s *scripted) Write(b []byte) (int, error)      { return len(b), nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) SetDeadline(time.Time) error      { return nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }

// FuzzServer lets a server say anything: after a handshake, or instead of one.
func FuzzServer(f *testing.F) {
	resp := proto.ConnectResponse{TimeOut: 9000, SessionID: 1, Passwd: make([]byte, 16), HasReadOnly: true}
	hello := resp.Append(jute.AppendInt(nil, 37))
	ev := proto.WatcherEvent{Type: proto.EventNodeDeleted, State: proto.StateSyncConnected, Path: "/a"}
	f.Add(hello)
	f.Add(append(bytes.Clone(hello), framed(proto.ReplyHeader{Xid: 1, Zxid: 5}, getReply("x"))...))
	f.Add(append(bytes.Clone(hello), framed(proto.ReplyHeader{Xid: -1, Zxid: 5}, ev.Append(nil))...))
	f.Add(append(bytes.Clone(hello), framed(proto.ReplyHeader{Xid: -4, Err: -115}, nil)...))
	f.Add(append(bytes.Clone(hello), 0x7f, 0xff, 0xff, 0xff))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, says []byte) {
		dialled := false
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			if dialled {
				<-ctx.Done() // one connection is enough
				return nil, ctx.Err()
			}
			dialled = true
			return &scripted{says: bytes.NewReader(says)}, nil
		}
		c, err := New("a", WithDialer(dial), WithFailFast(), WithMaxReply(1<<20), WithConnectTimeout(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		_, _, _, err = c.GetW(ctx, "/a")
		if err != nil && !errors.Is(err, ErrConnectionLoss) && !errors.Is(err, context.DeadlineExceeded) {
			if _, isCode := errors.AsType[Code](err); !isCode && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrReplyTooLarge) {
				t.Errorf("unexpected error %v", err)
			}
		}
		if err := c.Detach(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzBodies decodes any body as the reply to any operation.
func FuzzBodies(f *testing.F) {
	stat := (&proto.Stat{}).Append(nil)
	f.Add(uint8(0), getReply("data"))
	f.Add(uint8(1), append(jute.AppendStrings(nil, []string{"a"}), stat...))
	f.Add(uint8(2), proto.AppendMultiEnd(append(proto.MultiHeader{Type: proto.OpSetData}.Append(nil), stat...)))
	f.Add(uint8(2), proto.AppendMultiEnd(append(proto.MultiHeader{Type: proto.OpError}.Append(nil), 0, 0, 0, 1)))
	f.Add(uint8(3), proto.AppendMultiEnd(append(proto.MultiHeader{Type: proto.OpGetData}.Append(nil), getReply("x")...)))
	f.Add(uint8(4), append(proto.AppendACLs(nil, proto.OpenACL()), stat...))
	f.Add(uint8(5), append(jute.AppendInt(nil, 1), jute.AppendString(jute.AppendString(nil, "ip"), "x")...))
	f.Fuzz(func(t *testing.T, op uint8, body []byte) {
		c := &Client{}
		r := &reply{Decoder: jute.NewDecoder(body), op: proto.OpGetData, path: "/"}
		switch op % 6 {
		case 0:
			r.Buffer()
			decodeStat(&r.Decoder)
		case 1:
			r.Strings()
			decodeStat(&r.Decoder)
		case 2:
			if results, _ := c.decodeMulti(r, make([]Op, 2)); r.Err() == nil && len(results) != 2 {
				t.Fatalf("%d results", len(results))
			}
		case 3:
			if results := decodeMultiRead(r, make([]ReadOp, 2)); r.Err() == nil && len(results) != 2 {
				t.Fatalf("%d results", len(results))
			}
		case 4:
			decodeACL(r)
		case 5:
			decodeIdentities(r)
		}
		if err := r.end(); err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
	})
}
