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

// readLoop reads replies until the connection ends, and says why.
func (cn *conn) readLoop() error {
	idle := cn.timeout * 2 / 3
	for {
		if cn.r.Buffered() < 4+proto.ReplyHeaderLen {
			if err := cn.nc.SetReadDeadline(time.Now().Add(idle)); err != nil {
				return err
			}
		}
		h, body, err := cn.readReply()
		if err != nil {
			return cn.readError(err, idle)
		}
		if err := cn.handle(h, body); err != nil {
			return err
		}
	}
}

func (cn *conn) readError(err error, idle time.Duration) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no word from the server for %v", idle)
	}
	if errors.Is(err, io.EOF) {
		return errors.New("closed by the server")
	}
	return err
}

// readReply reads one frame: its header, and the body in memory of its own.
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
	switch {
	case int(n) < shortest:
		return 0, fmt.Errorf("%w: frame of length %d", ErrMalformed, n)
	case int(n) > cn.c.opts.maxReply:
		return 0, fmt.Errorf("%w: %d bytes, at most %d are taken", ErrReplyTooLarge, n, cn.c.opts.maxReply)
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
