package leastserver

import (
	"encoding/binary"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// FuzzAnswer feeds bytes to a connection: it must not panic, must use whole
// frames only, and must reply to each with one whole frame.
func FuzzAnswer(f *testing.F) {
	frame := func(op proto.Op, path string) []byte {
		b := jute.AppendString(proto.RequestHeader{Xid: 7, Op: op}.Append(nil), path)
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
	}
	f.Add(frame(proto.OpGetData, "/a"))
	f.Add(append(frame(proto.OpCreate, "/a/b"), frame(proto.OpSetData, "/a")...))
	f.Add(frame(proto.OpCreate, "/a")[:14])
	f.Add([]byte{0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1})
	f.Add([]byte{0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Add(frame(proto.OpCloseSession, ""))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := &conn{server: &Server{value: make([]byte, 3)}, in: make([]byte, len(in))}
		copy(c.in, in)
		done, _, closing, err := c.answer(in)
		if done > len(in) {
			t.Fatalf("%d bytes used of %d", done, len(in))
		}
		asked, answered := frames(t, in[:done]), frames(t, c.out)
		if asked != answered {
			t.Fatalf("%d requests, %d replies", asked, answered)
		}
		if err == nil && !closing && len(in)-done > 4 {
			if n := binary.BigEndian.Uint32(in[done:]); uint64(n)+4 <= uint64(len(in)-done) {
				t.Fatalf("a whole frame of %d bytes is left", n)
			}
		}
	})
}

// frames counts the frames that b consists of.
func frames(t *testing.T, b []byte) (n int) {
	for len(b) > 0 {
		if len(b) < 4 || int(binary.BigEndian.Uint32(b)) > len(b)-4 {
			t.Fatalf("%d bytes are no frame", len(b))
		}
		b = b[4+binary.BigEndian.Uint32(b):]
		n++
	}
	return n
}
