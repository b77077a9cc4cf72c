package client

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// call is one request on its way. Its caller encodes the body, the connection
// sends it, and the connection's reading goroutine (or whoever ends the
// connection) fills in the outcome and says so in ready.
type call struct {
	op   proto.Op
	path string // the caller's, for errors
	xid  int32  // set when it is queued
	out  []byte // encoded body

	// What the reading goroutine does when the reply says OK, before it
	// handles anything that follows.
	once   *onceWatch // registers a one-shot watch
	stream *Watch     // registers a stream
	forget *forgotten // takes watches away

	abandoned atomic.Bool // the caller has left
	ready     chan struct{}
	code      proto.Code
	err       error // the connection's end; code says nothing then
	body      []byte
	zxid      int64
}

// maxKeptBody bounds the body that is kept for the next call.
const maxKeptBody = 64 << 10

func (c *Client) newCall(op proto.Op, path string) *call {
	q, ok := c.calls.Get().(*call)
	if !ok {
		q = &call{ready: make(chan struct{}, 1)}
	}
	q.op, q.path = op, path
	return q
}

// free takes q back for reuse. It may be called once ready was received, or
// when nobody else has seen q.
func (c *Client) free(q *call) {
	out := q.out[:0]
	if cap(out) > maxKeptBody {
		out = nil
	}
	*q = call{out: out, ready: q.ready}
	c.calls.Put(q)
}

// finish hands the outcome to the caller.
func (q *call) finish() { q.ready <- struct{}{} }

func (q *call) fail(err error, maybeApplied bool) *OpError {
	return &OpError{Op: q.op.String(), Path: q.path, Err: err, MaybeApplied: maybeApplied && changes(q.op)}
}

// changes tells whether op changes the tree.
func changes(op proto.Op) bool {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL, proto.OpDelete,
		proto.OpSetData, proto.OpSetACL, proto.OpMulti, proto.OpReconfig, proto.OpCloseSession:
		return true
	}
	return false
}

// repeatable tells whether asking op again elsewhere is as good as once.
func repeatable(op proto.Op) bool { return !changes(op) && op != proto.OpAuth }

// reply is a body being read.
type reply struct {
	jute.Decoder
	op   proto.Op
	path string
}

// end checks that the body was well formed.
func (r *reply) end() error {
	if err := r.Err(); err != nil {
		return &OpError{Op: r.op.String(), Path: r.path, Err: fmt.Errorf("%w: %w", ErrMalformed, err), MaybeApplied: changes(r.op)}
	}
	return nil
}

// do sends q and waits for its reply. It owns q from here on. The error is an
// OpError.
func (c *Client) do(ctx context.Context, q *call) (reply, error) {
	if d := c.opts.requestTimeout; d > 0 {
		bounded, cancel := context.WithTimeoutCause(ctx, d, ErrRequestTimeout)
		defer cancel()
		ctx = bounded
	}
	select {
	case c.slots <- struct{}{}:
	default:
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
			err := q.fail(endOf(ctx), false)
			c.free(q)
			return reply{}, err
		}
	}
	defer func() { <-c.slots }()
	expirations := c.expirations.Load()
	if c.linearizable(ctx, q.op) {
		return c.doBehindSync(ctx, q, expirations)
	}
	for {
		cn, err := c.await(ctx, expirations)
		if err != nil {
			failed := q.fail(err, false)
			c.free(q)
			return reply{}, failed
		}
		if !cn.enqueue(q) {
			continue
		}
		again, r, err := c.outcome(ctx, q)
		if !again {
			return r, err
		}
	}
}

// outcome waits for q's reply. It frees q unless the request is to be made
// again.
func (c *Client) outcome(ctx context.Context, q *call) (again bool, r reply, err error) {
	select {
	case <-q.ready:
	case <-ctx.Done():
		q.abandoned.Store(true)
		return false, r, q.fail(endOf(ctx), true)
	}
	switch {
	case q.err != nil && c.closing.Load():
		err = q.fail(ErrClosed, true)
	case q.err != nil:
		if repeatable(q.op) && !c.opts.failFast && errors.Is(q.err, ErrConnectionLoss) {
			q.err = nil
			return true, r, nil
		}
		err = q.fail(q.err, true)
	case q.code != proto.OK:
		err = q.fail(q.code, false)
	default:
		r = reply{jute.NewDecoder(q.body), q.op, q.path}
	}
	c.free(q)
	return false, r, err
}

// endOf is why a request's context has ended.
func endOf(ctx context.Context) error {
	if context.Cause(ctx) == error(ErrRequestTimeout) {
		return ErrRequestTimeout
	}
	return ctx.Err()
}

// await returns the connection, and waits for one if need be. It is one of the
// session that ctx is bound to, if it is to one.
func (c *Client) await(ctx context.Context, expirations int64) (*conn, error) {
	bound := boundTo(ctx)
	if bound != nil && bound.over() {
		if err := c.endError(); err != nil { // it is not only the session that is over
			return nil, err
		}
		return nil, ErrSessionExpired
	}
	cn, err := c.awaitAny(ctx, expirations)
	if err == nil && bound != nil && cn.session != bound {
		return nil, ErrSessionExpired
	}
	return cn, err
}

func (c *Client) awaitAny(ctx context.Context, expirations int64) (*conn, error) {
	if cn := c.live.Load(); cn != nil {
		return cn, nil
	}
	attempts := int64(-1)
	for {
		c.mu.Lock()
		cn, err, changed := c.live.Load(), c.err, c.changed
		if attempts < 0 {
			attempts = c.attempts
		}
		failed := c.attempts != attempts
		cause := c.attemptErr
		c.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case c.expirations.Load() != expirations:
			return nil, ErrSessionExpired
		case cn != nil:
			return cn, nil
		case failed && c.opts.failFast:
			return nil, lost(cause)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, endOf(ctx)
		}
	}
}
