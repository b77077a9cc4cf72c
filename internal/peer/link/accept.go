package link

import (
	"bufio"
	"context"
	"net"
	"time"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/peer/socket"
	"github.com/quollhq/quoll/internal/peer/wire"
)

// Serve accepts learners until l or the endpoint is closed, and closes l. Learners that were accepted stay.
func (e *Endpoint) Serve(l net.Listener) {
	_ = socket.Serve(e.ctx, l, "learners", e.cfg.Logger, e.accept) // that it is closed is no failure
}

// accept lets a goroutine find out who has dialled.
func (e *Endpoint) accept(conn net.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.meet(conn) {
		return
	}
	e.tasks.Go(func() {
		in := &input{conn: conn, now: e.cfg.Now}
		r := bufio.NewReader(in)
		err := e.greet(conn, r)
		if _, err = e.begin(conn, r, in, false, err); err != nil && e.ctx.Err() == nil {
			e.cfg.Logger.Warn("learner was refused", "err", err)
		}
	})
}

// greet authenticates a learner, and waits for its first byte: a connection that says nothing is no learner.
func (e *Endpoint) greet(conn net.Conn, r *bufio.Reader) error {
	if err := failpoint.Hit(failpoint.QuorumAccept); err != nil {
		return err
	}
	if err := e.handshakeEnds(conn); err != nil {
		return err
	}
	if a := e.cfg.Authenticator; a != nil {
		if err := a.Accepted(e.ctx, conn, r); err != nil {
			return err
		}
	}
	if _, err := r.Peek(1); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// Dial connects with the first of the leader's addresses that answers, within the time of ctx. The Handler hears of the
// connection, too.
func (e *Endpoint) Dial(ctx context.Context, addresses []wire.Address) (*Conn, error) {
	if err := failpoint.Hit(failpoint.QuorumDial); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(e.ctx, cancel)
	defer stop()
	conn, address, err := socket.First(ctx, addresses, e.cfg.Dial)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	ok := e.meet(conn)
	e.mu.Unlock()
	if !ok {
		return nil, ErrClosed
	}
	abort := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })
	in := &input{conn: conn, now: e.cfg.Now}
	r := bufio.NewReader(in)
	err = e.introduce(ctx, conn, r, address.Host)
	if !abort() && err == nil {
		err = ctx.Err()
	}
	return e.begin(conn, r, in, true, err)
}

// introduce authenticates us to the leader.
func (e *Endpoint) introduce(ctx context.Context, conn net.Conn, r *bufio.Reader, host string) error {
	a := e.cfg.Authenticator
	if a == nil {
		return nil
	}
	if err := e.handshakeEnds(conn); err != nil {
		return err
	}
	if err := a.Dialled(ctx, conn, r, host); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// handshakeEnds sets the time in which a handshake must be done.
func (e *Endpoint) handshakeEnds(conn net.Conn) error {
	if err := conn.SetDeadline(e.cfg.Now().Add(e.cfg.Timeout)); err != nil {
		return err
	}
	if e.ctx.Err() != nil { // the deadline of Close was overwritten
		return ErrClosed
	}
	return nil
}
