package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// session asks one thing at a time; it is how a server's readiness is seen to the millisecond.
type session struct {
	nc  net.Conn
	xid int32
}

const probeWait = 30 * time.Second

// answer tells when a session was granted, or why not.
type answer struct {
	at  time.Time
	err error
}

// probe asks for a session.
func probe(ctx context.Context, addr string) answer {
	s, err := openSession(ctx, addr)
	if err != nil {
		return answer{err: err}
	}
	at := time.Now()
	s.close()
	return answer{at: at}
}

// openSession connects and is granted a session, or fails at once.
func openSession(ctx context.Context, addr string) (*session, error) {
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &session{nc: nc}
	_ = nc.SetDeadline(time.Now().Add(probeWait))
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	req := proto.ConnectRequest{TimeOut: 10_000, Passwd: make([]byte, 16), HasReadOnly: true}
	body, err := s.exchange(req.Append(nil))
	if err == nil {
		var resp proto.ConnectResponse
		d := jute.NewDecoder(body)
		resp.Decode(&d)
		if err = d.Err(); err == nil && resp.SessionID == 0 {
			err = errors.New("the session was refused")
		}
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return s, nil
}

// read gets the data of a znode.
func (s *session) read(path string) error {
	_, err := s.call(proto.OpGetData, jute.AppendBool(jute.AppendString(nil, path), false))
	return err
}

func (s *session) close() {
	_, _ = s.call(proto.OpCloseSession, nil) // the server may be gone
	s.nc.Close()
}

func (s *session) call(op proto.Op, body []byte) ([]byte, error) {
	s.xid++
	reply, err := s.exchange(append(proto.RequestHeader{Xid: s.xid, Op: op}.Append(nil), body...))
	if err != nil {
		return nil, fmt.Errorf("%v: %w", op, err)
	}
	var h proto.ReplyHeader
	d := jute.NewDecoder(reply)
	h.Decode(&d)
	if err := d.Err(); err != nil {
		return nil, err
	}
	if h.Err != proto.OK {
		return nil, fmt.Errorf("%v: %w", op, h.Err)
	}
	return d.Rest(), nil
}

func (s *session) exchange(body []byte) ([]byte, error) {
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	if _, err := s.nc.Write(frame); err != nil {
		return nil, err
	}
	var l [4]byte
	if _, err := io.ReadFull(s.nc, l[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(l[:])
	if n > 64<<20 {
		return nil, fmt.Errorf("reply of %d bytes", n)
	}
	reply := make([]byte, n)
	_, err := io.ReadFull(s.nc, reply)
	return reply, err
}
