package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// readChunk is how much memory a long reply gets at a time: what a server says
// is taken only as it arrives.
const readChunk = 1 << 20

// patient reads from a connection, and gives up when nothing comes for so long;
// 0 is for ever.
type patient struct {
	nc   net.Conn
	idle time.Duration
}

// Read reads what has come.
func (p *patient) Read(b []byte) (int, error) {
	if p.idle > 0 {
		if err := p.nc.SetReadDeadline(time.Now().Add(p.idle)); err != nil {
			return 0, err
		}
	}
	return p.nc.Read(b)
}

// readLoop reads replies until the connection ends, and says why.
func (cn *conn) readLoop() error {
	cn.in.idle = cn.timeout * 2 / 3
	for {
		h, body, err := cn.readReply()
		var long *longReply
		switch {
		case errors.As(err, &long) && h.Xid > 0:
			err = cn.passOver(h, long)
		case err != nil:
			err = cn.readError(err)
		default:
			err = cn.handle(h, body)
		}
		if err != nil {
			return err
		}
	}
}

func (cn *conn) readError(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no word from the server for %v", cn.in.idle)
	}
	if errors.Is(err, io.EOF) {
		return errors.New("closed by the server")
	}
	return err
}

// longReply is a reply that is longer than may be: its body is not read so far.
type longReply struct{ body, limit int }

func (e *longReply) Error() string {
	return fmt.Sprintf("%v: %d bytes, at most %d are taken", ErrReplyTooLarge, e.body+proto.ReplyHeaderLen, e.limit)
}

func (e *longReply) Is(target error) bool { return target == ErrReplyTooLarge }

// passOver lets the request fail that a long reply is for, and skips its body.
func (cn *conn) passOver(h proto.ReplyHeader, long *longReply) error {
	if err := cn.refuse(h, long); err != nil {
		return err
	}
	for left := long.body; left > 0; {
		n, err := cn.r.Discard(min(left, readChunk))
		if left -= n; err != nil {
			return cn.readError(err)
		}
	}
	return nil
}

// readReply reads one frame: its header, and the body in memory of its own. It
// fails with a longReply after the header of one.
func (cn *conn) readReply() (h proto.ReplyHeader, body []byte, err error) {
	n, err := cn.readLength(proto.ReplyHeaderLen)
	if err != nil {
		return h, nil, err
	}
	b, err := cn.r.Peek(proto.ReplyHeaderLen)
	if err != nil {
		return h, nil, fmt.Errorf("reply of %d bytes: %w", n, err)
	}
	d := jute.NewDecoder(b)
	h.Decode(&d)
	if _, err := cn.r.Discard(proto.ReplyHeaderLen); err != nil {
		return h, nil, err
	}
	if limit := cn.c.opts.maxReply; n > limit {
		return h, nil, &longReply{n - proto.ReplyHeaderLen, limit}
	}
	body, err = readN(cn.r, n-proto.ReplyHeaderLen)
	return h, body, err
}

// readLength reads the length of a frame that has at least shortest bytes.
func (cn *conn) readLength(shortest int) (int, error) {
	b, err := cn.r.Peek(4)
	if err != nil {
		return 0, err
	}
	n := int32(binary.BigEndian.Uint32(b))
	if int(n) < shortest {
		return 0, fmt.Errorf("%w: frame of length %d", ErrMalformed, n)
	}
	_, err = cn.r.Discard(4)
	return int(n), err
}

// readN reads n bytes into memory that grows as they arrive.
func readN(r io.Reader, n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b := make([]byte, min(n, readChunk))
	for done := 0; ; {
		m, err := io.ReadFull(r, b[done:])
		if done += m; err != nil {
			return nil, fmt.Errorf("reply ends %d bytes early: %w", n-done, err)
		}
		if done == n {
			return b, nil
		}
		b = append(b, make([]byte, min(n-done, len(b)))...)
	}
}
