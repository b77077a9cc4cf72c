package leastserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"github.com/quollhq/quoll/internal/proto"
)

const (
	// maxFrame bounds what a client may send in one frame, in bytes.
	maxFrame = 16 << 20
	// headerLen is the length word, the xid and the opcode of a request.
	headerLen = 12
	// connectLen is the connect request without its length word, the
	// read-only flag and the password.
	connectLen = 28
	statLen    = 68
)

var errFrame = errors.New("malformed frame")

// conn is one client. Its goroutine alone touches it, except pending, which
// the flushing goroutine counts down.
type conn struct {
	server *Server
	nc     net.Conn
	in     []byte
	have   int // bytes of in that are filled
	out    []byte
	zxid   int64
	// pending counts the batches of this connection that wait for the log;
	// while it is not zero, reads queue behind them to keep the order.
	pending atomic.Int32
}

// handshake answers the connect request with a session that nobody tracks.
func (c *conn) handshake() error {
	frame, err := c.nextFrame()
	if err != nil {
		return err
	}
	body := frame[4:]
	if len(body) < connectLen {
		return fmt.Errorf("connect request of %d bytes: %w", len(body), errFrame)
	}
	timeout := body[12:16]
	b := binary.BigEndian.AppendUint32(nil, 4+4+8+4+16+1)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = append(b, timeout...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.server.sessions.Add(1)))
	b = binary.BigEndian.AppendUint32(b, 16)
	b = append(b, make([]byte, 17)...)
	c.consume(len(frame))
	_, err = c.nc.Write(b)
	return err
}

// nextFrame reads until in holds one whole frame and returns it with its
// length word.
func (c *conn) nextFrame() ([]byte, error) {
	for {
		n, err := c.frameLen(c.in[:c.have])
		if err != nil {
			return nil, err
		}
		if n > 0 {
			return c.in[:n], nil
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// frameLen is the length of the first frame of b including its length word,
// or 0 if b does not hold all of it; in grows when it could never hold it.
func (c *conn) frameLen(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint32(b))
	if n < 8 || n > maxFrame {
		return 0, fmt.Errorf("frame of %d bytes: %w", n, errFrame)
	}
	if n += 4; n <= len(b) {
		return n, nil
	}
	if n > len(c.in) {
		c.in = append(c.in, make([]byte, n-len(c.in))...)
	}
	return 0, nil
}

func (c *conn) fill() error {
	n, err := c.nc.Read(c.in[c.have:])
	c.have += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func (c *conn) consume(n int) {
	c.have = copy(c.in, c.in[n:c.have])
}

// serve answers batches of frames until the connection breaks.
func (c *conn) serve() {
	for {
		if err := c.fill(); err != nil {
			return
		}
		done, writes, closing, err := c.answer(c.in[:c.have])
		if len(c.out) > 0 {
			if werr := c.send(c.in[:done], writes, closing); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
		if closing {
			c.drain()
			return
		}
		c.consume(done)
	}
}

// drain waits until the flushing goroutine has said goodbye and hung up, or
// returns at once if there is nothing that it has to send.
func (c *conn) drain() {
	for c.pending.Load() > 0 {
		c.have = 0
		if c.fill() != nil {
			return
		}
	}
}

// send lets the replies in out go: through the log if the batch holds writes
// or would overtake some, else at once.
func (c *conn) send(batch []byte, writes, last bool) error {
	if !writes && c.pending.Load() == 0 {
		_, err := c.nc.Write(c.out)
		c.out = c.out[:0]
		return err
	}
	c.pending.Add(1)
	c.server.log.add(part{c: c, last: last}, batch, c.out)
	c.out = c.out[:0]
	return nil
}

// answer appends the replies to every whole frame of b to out. It returns how
// many bytes of b it used, whether there was a write among them, and whether
// the client closes.
func (c *conn) answer(b []byte) (done int, writes, closing bool, err error) {
	for !closing {
		n, err := c.frameLen(b[done:])
		if err != nil || n == 0 {
			return done, writes, closing, err
		}
		frame := b[done : done+n]
		op := proto.Op(int32(binary.BigEndian.Uint32(frame[8:])))
		if isWrite(op) {
			c.zxid++
			writes = true
		}
		c.reply(op, frame)
		done += n
		closing = op == proto.OpCloseSession
	}
	return done, writes, closing, nil
}

// reply appends one reply, with a value or a stat of the right length and no
// meaning.
func (c *conn) reply(op proto.Op, frame []byte) {
	at := len(c.out)
	var code proto.Code
	b := append(c.out, noReply[:]...)
	switch op {
	case proto.OpGetData:
		b = binary.BigEndian.AppendUint32(b, uint32(len(c.server.value)))
		b = append(b, c.server.value...)
		b = append(b, noStat[:]...)
	case proto.OpSetData, proto.OpExists:
		b = append(b, noStat[:]...)
	case proto.OpCreate:
		b = append(b, createdPath(frame)...)
	case proto.OpDelete, proto.OpPing, proto.OpCloseSession:
	default:
		code = proto.Unimplemented
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	copy(b[at+4:at+8], frame[4:8])
	binary.BigEndian.PutUint64(b[at+8:], uint64(c.zxid))
	binary.BigEndian.PutUint32(b[at+16:], uint32(code))
	c.out = b
}

var (
	noReply [4 + 16]byte
	noStat  [statLen]byte
)

// createdPath is the path field of a create request, with its length word, or
// an empty one if the frame holds none.
func createdPath(frame []byte) []byte {
	if len(frame) < headerLen+4 {
		return noReply[:4]
	}
	n := binary.BigEndian.Uint32(frame[headerLen:])
	if uint64(n) > uint64(len(frame)-headerLen-4) {
		return noReply[:4]
	}
	return frame[headerLen : headerLen+4+int(n)]
}

func isWrite(op proto.Op) bool {
	return op == proto.OpSetData || op == proto.OpCreate || op == proto.OpDelete
}
