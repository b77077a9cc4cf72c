package differential

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/quollhq/quoll/test/harness"
)

// replyTimeout bounds the wait for a frame: a server that does not answer within it is taken to never answer.
const (
	replyTimeout = 30 * time.Second
	replyStep    = time.Second
)

func newPatience() *harness.Patience { return harness.NewPatience(replyTimeout, replyStep) }

// maxReply bounds what is taken for a frame.
const maxReply = 64 << 20

var errClosed = errors.New("connection closed by the server")

// wire is one connection to a server. It knows frames, not what is in them.
type wire struct {
	conn net.Conn
	buf  []byte // read and not taken yet
}

func dial(addr string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", addr, replyTimeout)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn}, nil
}

func (w *wire) close() { w.conn.Close() }

// part ends the connection and waits until the server has noticed. Apache's server, when it learns late that a connection is
// gone whose session has another one by now, forgets that other one (ServerCnxnFactory.removeCnxnFromSessionMap), and does
// not close it when the session moves once more.
func (w *wire) part() {
	defer w.conn.Close()
	half, ok := w.conn.(*net.TCPConn)
	if !ok || half.CloseWrite() != nil {
		return
	}
	w.buf = nil
	for patience := newPatience(); w.fill(patience) == nil; { // how it ends does not matter
		w.buf = nil
	}
}

func (w *wire) send(b []byte) error {
	if err := w.conn.SetWriteDeadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	_, err := w.conn.Write(b)
	return err
}

// frame returns the next frame without its length, errClosed if the server hung up.
func (w *wire) frame() ([]byte, error) {
	patience := newPatience()
	for {
		if len(w.buf) >= 4 {
			n := int(int32(binary.BigEndian.Uint32(w.buf)))
			if n < 0 || n > maxReply {
				return nil, fmt.Errorf("a reply of length %d", n)
			}
			if len(w.buf) >= 4+n {
				frame := w.buf[4 : 4+n : 4+n]
				w.buf = w.buf[4+n:]
				return frame, nil
			}
		}
		if err := w.fill(patience); err != nil {
			return nil, err
		}
	}
}

// fill reads what comes next.
func (w *wire) fill(patience *harness.Patience) error {
	chunk := make([]byte, 16<<10)
	if err := w.conn.SetReadDeadline(time.Now().Add(replyStep)); err != nil {
		return err
	}
	n, err := w.conn.Read(chunk)
	w.buf = append(w.buf, chunk[:n]...)
	switch {
	case n > 0, err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		if patience.Spent() {
			return fmt.Errorf("nothing comes within %s", replyTimeout)
		}
		return nil
	case errors.Is(err, io.EOF) && len(w.buf) > 0:
		return fmt.Errorf("%w in the middle of a frame", errClosed)
	}
	return errClosed
}

// The encoders of the protocol's primitive types.

func putInt(b []byte, v int32) []byte  { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func putLong(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

func putBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func putString(b []byte, s string) []byte { return append(putInt(b, int32(len(s))), s...) }

// putBuffer encodes nil as null.
func putBuffer(b, v []byte) []byte {
	if v == nil {
		return putInt(b, -1)
	}
	return append(putInt(b, int32(len(v))), v...)
}

func putStrings(b []byte, v []string) []byte {
	b = putInt(b, int32(len(v)))
	for _, s := range v {
		b = putString(b, s)
	}
	return b
}

// framed puts the length in front.
func framed(b []byte) []byte { return append(putInt(nil, int32(len(b))), b...) }

// cursor reads primitive types. After the first failure everything it gives is zero.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.b) {
		c.bad = true
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) int() int32 {
	if v := c.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (c *cursor) long() int64 {
	if v := c.take(8); v != nil {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

func (c *cursor) bool() bool {
	v := c.take(1)
	return v != nil && v[0] != 0
}

// buffer returns nil for null, otherwise not nil.
func (c *cursor) buffer() []byte {
	n := c.int()
	if c.bad || n == -1 {
		return nil
	}
	v := c.take(int(n))
	if v == nil && !c.bad {
		return []byte{}
	}
	return v
}
