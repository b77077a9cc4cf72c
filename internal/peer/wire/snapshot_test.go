package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/quollhq/quoll/internal/jute"
)

// snapshot is a stream as a leader sends it: 2 sessions, 2 lists (one of them empty), the root and a znode with data.
func snapshot(dataLen int) []byte {
	b := jute.AppendInt(nil, 2)
	for id := range int64(2) {
		b = jute.AppendLong(b, id)
		b = jute.AppendInt(b, 4000)
	}
	b = jute.AppendInt(b, 2)
	b = jute.AppendLong(b, 1)
	b = jute.AppendInt(b, 2)
	for range 2 {
		b = jute.AppendInt(b, 31)
		b = jute.AppendString(b, "world")
		b = jute.AppendString(b, "anyone")
	}
	b = jute.AppendLong(b, 2)
	b = jute.AppendInt(b, 0)
	b = appendZnode(b, "", nil)
	b = appendZnode(b, "/znode", bytes.Repeat([]byte{1}, dataLen))
	return jute.AppendString(b, "/")
}

func appendZnode(b []byte, path string, data []byte) []byte {
	b = jute.AppendString(b, path)
	b = jute.AppendBuffer(b, data)
	b = jute.AppendLong(b, 1)
	return append(b, make([]byte, statLen)...)
}

// The snapshot ends where it ends, and the packets behind it are read.
func TestSnapshot(t *testing.T) {
	for _, dataLen := range []int{0, 10, 3 * readerBuffer} {
		want := snapshot(dataLen)
		stream := AppendSnap(nil, 9)
		stream = append(stream, want...)
		stream = AppendSignature(stream)
		stream = AppendNewLeader(stream, 1, []byte("config"))
		for name, src := range map[string]io.Reader{
			"whole": bytes.NewReader(stream),
			"bytes": iotest.OneByteReader(bytes.NewReader(stream)),
		} {
			r := NewReader(src, testLimit)
			var p Packet
			if err := r.Next(&p); err != nil || p.Type != Snap {
				t.Fatalf("%s: %v %v", name, p.Type, err)
			}
			if err := iotest.TestReader(r.Snapshot(), want); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := r.Next(&p); err != nil || p.Type != NewLeader || string(p.Data) != "config" {
				t.Errorf("%s: behind the snapshot: %v %q %v", name, p.Type, p.Data, err)
			}
		}
	}
}

func TestSnapshotRefuses(t *testing.T) {
	good := AppendSignature(snapshot(3))
	for n := range len(good) {
		if _, err := io.ReadAll(NewReader(bytes.NewReader(good[:n]), testLimit).Snapshot()); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d of %d bytes: %v", n, len(good), err)
		}
	}
	for name, bad := range map[string][]byte{
		"other signature":   append(snapshot(0), jute.AppendString(nil, "BenWasThere"[:10])...),
		"no signature":      append(snapshot(0), AppendUpToDate(nil)...),
		"negative sessions": unhex(t, "ffffffff"),
		"negative lists":    unhex(t, "00000000 80000000"),
		"negative entries":  unhex(t, "00000000 00000001 0000000000000001 ffffffff"),
		"long scheme":       unhex(t, "00000000 00000001 0000000000000001 00000001 0000001f 7fffffff"),
		"long path":         unhex(t, "00000000 00000000 00100001"),
		"long data":         unhex(t, "00000000 00000000 00000000 00100001"),
	} {
		s := NewReader(bytes.NewReader(bad), testLimit).Snapshot()
		for range 2 { // the error stays
			if _, err := io.Copy(io.Discard, s); !errors.Is(err, jute.ErrMalformed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
