package bench

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// dialer opens sessions, on the servers in turn.
type dialer struct {
	servers []string
	timeout time.Duration // of the session, as asked for
	tls     *tls.Config   // nil: plain
	auth    []authEntry
	turn    atomic.Uint32
}

// authEntry is one identity that every session takes on.
type authEntry struct{ scheme, data string }

// connectWait bounds opening one session.
const connectWait = 30 * time.Second

// wire is one connected session on which requests are made one at a time. It
// is how runs are set up; the load itself does not use it.
type wire struct {
	nc      net.Conn
	id      int64
	timeout time.Duration // of the session, as granted
	xid     int32
	buf     []byte
}

// open opens one session.
func (d *dialer) open(ctx context.Context) (*wire, error) {
	server := d.servers[int(d.turn.Add(1)-1)%len(d.servers)]
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	nc, err := d.dial(ctx, server)
	if err != nil {
		return nil, err
	}
	w := &wire{nc: nc}
	deadline, _ := ctx.Deadline()
	_ = nc.SetDeadline(deadline)
	if err := w.handshake(d.timeout); err != nil {
		nc.Close()
		return nil, fmt.Errorf("open a session on %s: %w", server, err)
	}
	for _, a := range d.auth {
		if err := w.authenticate(a); err != nil {
			nc.Close()
			return nil, err
		}
	}
	_ = nc.SetDeadline(time.Time{})
	return w, nil
}

func (d *dialer) dial(ctx context.Context, server string) (net.Conn, error) {
	if d.tls != nil {
		return (&tls.Dialer{Config: d.tls}).DialContext(ctx, "tcp", server)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", server)
}

func (w *wire) handshake(timeout time.Duration) error {
	req := proto.ConnectRequest{TimeOut: int32(timeout.Milliseconds()), Passwd: make([]byte, 16), HasReadOnly: true}
	if _, err := w.nc.Write(seal(req.Append(make([]byte, lengthLen)))); err != nil {
		return err
	}
	body, err := w.readFrame()
	if err != nil {
		return err
	}
	var resp proto.ConnectResponse
	dec := jute.NewDecoder(body)
	resp.Decode(&dec)
	if err := dec.Err(); err != nil {
		return fmt.Errorf("connect response: %w", err)
	}
	if resp.SessionID == 0 || resp.TimeOut <= 0 {
		return errors.New("the server refused the session")
	}
	w.id, w.timeout = resp.SessionID, time.Duration(resp.TimeOut)*time.Millisecond
	return nil
}

func (w *wire) authenticate(a authEntry) error {
	b := proto.RequestHeader{Xid: proto.XidAuth, Op: proto.OpAuth}.Append(make([]byte, lengthLen))
	p := proto.AuthPacket{Scheme: a.scheme, Auth: []byte(a.data)}
	if _, err := w.nc.Write(seal(p.Append(b))); err != nil {
		return err
	}
	body, err := w.readFrame()
	if err != nil {
		return fmt.Errorf("authenticate as %s: %w", a.scheme, err)
	}
	var h proto.ReplyHeader
	dec := jute.NewDecoder(body)
	h.Decode(&dec)
	if err := dec.Err(); err != nil {
		return err
	}
	if h.Err != proto.OK {
		return fmt.Errorf("authenticate as %s: %w", a.scheme, h.Err)
	}
	return nil
}

// readFrame reads one frame; it is valid until the next call.
func (w *wire) readFrame() ([]byte, error) {
	var l [lengthLen]byte
	if _, err := io.ReadFull(w.nc, l[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(l[:])
	if n > maxReply/16 {
		return nil, fmt.Errorf("frame of %d bytes: %w", n, errReply)
	}
	if int(n) > cap(w.buf) {
		w.buf = make([]byte, n)
	}
	b := w.buf[:n]
	_, err := io.ReadFull(w.nc, b)
	return b, err
}

// call makes one request and waits for its reply, whose body is valid until
// the next call. A refusal is a proto.Code.
func (w *wire) call(op proto.Op, body []byte) ([]byte, error) {
	w.xid++
	_ = w.nc.SetDeadline(time.Now().Add(connectWait))
	defer func() { _ = w.nc.SetDeadline(time.Time{}) }()
	b := proto.RequestHeader{Xid: w.xid, Op: op}.Append(make([]byte, lengthLen))
	if _, err := w.nc.Write(seal(append(b, body...))); err != nil {
		return nil, fmt.Errorf("%v: %w", op, err)
	}
	for {
		frame, err := w.readFrame()
		if err != nil {
			return nil, fmt.Errorf("%v: %w", op, err)
		}
		var h proto.ReplyHeader
		dec := jute.NewDecoder(frame)
		h.Decode(&dec)
		switch {
		case dec.Err() != nil:
			return nil, dec.Err()
		case h.Xid < 0:
			continue
		case h.Xid != w.xid:
			return nil, fmt.Errorf("reply to request %d where %d is next: %w", h.Xid, w.xid, errOrder)
		case h.Err != proto.OK:
			return nil, h.Err
		}
		return dec.Rest(), nil
	}
}

// close ends the session properly.
func (w *wire) close() {
	_, _ = w.call(proto.OpCloseSession, nil)
	w.nc.Close()
}

// openers is how many sessions are opened at a time.
const openers = 64

// openSessions opens n sessions; each is handed to use. It stops at the first
// failure.
func (d *dialer) openSessions(ctx context.Context, n int, use func(i int, w *wire) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, openers) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				w, err := d.open(ctx)
				if err == nil {
					err = use(i, w)
				}
				if err != nil {
					cancel(fmt.Errorf("session %d of %d: %w", i+1, n, err))
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
