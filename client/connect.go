package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// steady is how long a connection must have lasted for the next attempt to
// come at once: a server that hangs up on the client must not be hammered.
const steady = time.Second

// maxHandshake bounds a server's answer, which has 37 bytes and a password of 16.
const maxHandshake = 1024

// errExpired: a server said that the session is over.
var errExpired = errors.New("the server says that the session has expired")

// authError is a server's refusal of credentials that the client presents by
// itself.
type authError struct{ cause error }

func (e *authError) Error() string        { return "authentication failed: " + e.cause.Error() }
func (e *authError) Is(target error) bool { return target == error(ErrAuthFailed) }
func (e *authError) Unwrap() error        { return e.cause }

// run keeps the client connected until it is closed. It is the client's only
// long-lived goroutine besides the one that writes to the connection.
func (c *Client) run() {
	defer close(c.done)
	for c.ctx.Err() == nil {
		cn, err := c.connect()
		if err == nil {
			err = c.serve(cn)
		}
		if !c.recover(err) {
			return
		}
	}
	c.finish(StateClosed, ErrClosed)
}

// recover deals with the end of a connection, or of an attempt, and tells
// whether to go on.
func (c *Client) recover(err error) bool {
	if c.ctx.Err() != nil || c.closing.Load() {
		c.finish(StateClosed, ErrClosed)
		return false
	}
	if errors.Is(err, ErrAuthFailed) {
		c.finish(StateAuthFailed, err)
		return false
	}
	if errors.Is(err, errExpired) {
		return c.expired()
	}
	c.attemptFailed(err)
	switch {
	case c.opts.reconnect != nil:
		c.pause(c.opts.reconnect(c.rotation.tried))
	case c.rotation.round():
		c.pause(pauseAfter(c.rotation.tried, len(c.rotation.servers)))
	}
	return true
}

// pause waits, or until the client is closed.
func (c *Client) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
}

func (c *Client) connectTimeout() time.Duration {
	if c.opts.connectTimeout > 0 {
		return c.opts.connectTimeout
	}
	return max(time.Second, c.opts.sessionTimeout/time.Duration(len(c.rotation.servers)))
}

// connect opens a connection to the next server, with the session open on it
// and the client's identities presented.
func (c *Client) connect() (*conn, error) {
	if server := c.preferred.Swap(nil); server != nil {
		c.rotation.prefer(*server)
	}
	server := c.rotation.take()
	ctx, cancel := context.WithTimeout(c.ctx, c.connectTimeout())
	defer cancel()
	nc, err := c.opts.openConn(ctx, server)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", server, err)
	}
	cn := newConn(c, nc, server)
	interrupt := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	err = cn.open()
	if !interrupt() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = nc.Close() // the handshake's failure is what counts
		return nil, fmt.Errorf("open a session at %s: %w", server, err)
	}
	return cn, nil
}

// open does all that comes before the first request: handshake, SASL, and the
// packets that go out first.
func (cn *conn) open() error {
	if err := cn.handshake(); err != nil {
		return err
	}
	if start := cn.c.opts.sasl; start != nil {
		if err := cn.authenticate(start); err != nil {
			return err
		}
	}
	cn.c.mu.Lock()
	creds := cn.c.creds
	cn.c.mu.Unlock()
	for _, cr := range creds {
		p := proto.AuthPacket{Scheme: cr.scheme, Auth: cr.auth}
		cn.frame(proto.RequestHeader{Xid: proto.XidAuth, Op: proto.OpAuth}, p.Append(nil))
		cn.auths.push(nil)
	}
	cn.setWatches()
	cn.signal()
	return nil
}

func (cn *conn) handshake() error {
	c := cn.c
	// No session of a read-only server means anything to another server.
	known := c.session.Load()
	if known != nil && c.readOnlySession {
		known = nil
	}
	req := proto.ConnectRequest{
		LastZxidSeen: c.lastZxid.Load(),
		TimeOut:      int32(min(c.opts.sessionTimeout.Milliseconds(), 1<<31-1)),
		Passwd:       make([]byte, proto.PasswordLen),
		ReadOnly:     c.opts.readOnly,
		HasReadOnly:  true,
	}
	if known != nil {
		req.SessionID, req.Passwd = known.id, known.password
	}
	sent := c.elapsed()
	frame := req.Append(jute.AppendInt(nil, 0))
	jute.PutInt(frame, 0, int32(len(frame)-4))
	if _, err := cn.nc.Write(frame); err != nil {
		return err
	}
	var resp proto.ConnectResponse
	if err := cn.readConnectResponse(&resp); err != nil {
		return err
	}
	if resp.TimeOut <= 0 && known == nil {
		return errors.New("the server opens no session")
	}
	if resp.TimeOut <= 0 || known != nil && known.id != resp.SessionID {
		return errExpired // in the second case the server has opened another one without a word, and is left
	}
	if known == nil {
		known = c.newSession(resp.SessionID, resp.Passwd)
	}
	cn.session = known
	cn.timeout = time.Duration(resp.TimeOut) * time.Millisecond
	cn.readOnly = resp.ReadOnly
	known.timeout.Store(int64(cn.timeout))
	known.heard(sent)
	return nil
}

func (cn *conn) readConnectResponse(resp *proto.ConnectResponse) error {
	n, err := cn.readLength(0)
	if err != nil {
		return err
	}
	if n > maxHandshake {
		return fmt.Errorf("%w: handshake of %d bytes", ErrMalformed, n)
	}
	body, err := readN(cn.r, n)
	if err != nil {
		return err
	}
	d := jute.NewDecoder(body)
	resp.Decode(&d)
	if err := d.Err(); err != nil {
		return fmt.Errorf("%w: handshake: %w", ErrMalformed, err)
	}
	return nil
}

// serve makes cn the client's connection until it ends, and returns why.
func (c *Client) serve(cn *conn) error {
	c.connected(cn)
	stop := context.AfterFunc(c.ctx, func() { cn.fail(ErrClosed) })
	since := c.elapsed()
	err := cn.serve()
	stop()
	if c.elapsed()-since > steady {
		c.rotation.tried = 0
	}
	c.disconnected(cn, err)
	return err
}
