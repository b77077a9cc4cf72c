package listener

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// FuzzConnection feeds a connection with whatever comes, with and without a
// session, and looks whether the server stays in order: the connection ends
// when its input does, all that was answered is whole frames, others are served.
func FuzzConnection(f *testing.F) {
	hello := frame((&proto.ConnectRequest{TimeOut: 10000, Passwd: make([]byte, 16), HasReadOnly: true}).Append(nil))
	f.Add(false, hello)
	f.Add(false, []byte("ruok"))
	f.Add(false, []byte{0xff, 0xf4, 0xff, 0xfd})
	f.Add(false, append(hello, message(1, proto.OpGetData, readBody("/", true))...))
	for op, body := range map[proto.Op][]byte{
		proto.OpCreate:       createBody("/a", "x", 0),
		proto.OpCreate2:      createBody("/a-", "x", proto.FlagEphemeralSequential),
		proto.OpCreateTTL:    jute.AppendLong(createBody("/ttl", "x", 5), 1000),
		proto.OpSetData:      setBody("/a", "y", -1),
		proto.OpDelete:       jute.AppendInt(jute.AppendString(nil, "/a"), -1),
		proto.OpSetACL:       jute.AppendInt(append(jute.AppendString(nil, "/a"), openACL...), -1),
		proto.OpGetData:      readBody("/a", true),
		proto.OpGetChildren2: readBody("/", true),
		proto.OpAddWatch:     jute.AppendInt(jute.AppendString(nil, "/"), proto.WatchPersistentRecursive),
		proto.OpMulti: proto.AppendMultiEnd(append(
			proto.MultiHeader{Type: proto.OpCreate, Err: -1}.Append(nil), createBody("/m", "", 0)...)),
		proto.OpMultiRead: proto.AppendMultiEnd(append(
			proto.MultiHeader{Type: proto.OpGetData, Err: -1}.Append(nil), jute.AppendString(nil, "/a")...)),
		proto.OpSetWatches:   (&proto.SetWatches{Data: []string{"/a"}, Exist: []string{"/b"}}).Append(nil, proto.OpSetWatches),
		proto.OpAuth:         authBody("digest", "a:b"),
		proto.OpSASL:         jute.AppendString(nil, "token"),
		proto.OpCloseSession: nil, proto.OpPing: nil, proto.OpWhoAmI: nil, proto.OpReconfig: {0, 0, 0, 1}, 999: nil,
	} {
		f.Add(true, message(7, op, body))
		f.Add(true, append(message(7, op, body), message(8, proto.OpGetEphemerals, jute.AppendString(nil, "/"))...))
	}
	w := newWorld(f, func(s *setup) {
		s.listener.MaxFrame = 1 << 16
		s.listener.FourLetter = func(word string, _ []byte, _ io.Writer) bool { return word == "ruok" }
	})
	f.Fuzz(func(t *testing.T, session bool, in []byte) {
		if len(in) > 1<<16 {
			return
		}
		nc, err := net.Dial("tcp", w.sock.Addr().String())
		if err != nil {
			t.Skip(err) // too many of this machine's ports are in use
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(patience))
		in = complete(in)
		if session {
			in = append(append([]byte(nil), hello...), in...)
		}
		if _, err := nc.Write(in); err == nil {
			nc.(*net.TCPConn).CloseWrite()
		}
		out, err := io.ReadAll(nc)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%x: the connection does not end", in)
		}
		for rest := out; err == nil && len(rest) > 0; {
			if len(rest) < 4 || len(rest) < 4+int(binary.BigEndian.Uint32(rest)) {
				t.Fatalf("%x: the answer %x ends inside of a frame", in, out)
			}
			rest = rest[4+int(binary.BigEndian.Uint32(rest)):]
		}
		if n := w.Engine.Metrics.DigestMismatches.Load(); n != 0 {
			t.Fatalf("%x: the tree is not what was predicted", in)
		}
		if w.Len() > 1000 {
			t.Fatalf("%d connections do not end", w.Len())
		}
	})
}

// complete makes input whose frames are all whole end with a closeSession:
// otherwise the server waits for more, as it has to.
func complete(in []byte) []byte {
	for rest := in; ; {
		if len(rest) == 0 {
			return append(append([]byte(nil), in...), message(9, proto.OpCloseSession, nil)...)
		}
		if len(rest) < 4 {
			return in
		}
		n := int(int32(binary.BigEndian.Uint32(rest)))
		if n < 0 || n > len(rest)-4 {
			return in
		}
		rest = rest[4+n:]
	}
}
