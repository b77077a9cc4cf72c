package client

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

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

	slot  bool         // one of the client's slots is taken for it, until it is freed
	fate  atomic.Int32 // waiting, answered or abandoned
	ready chan struct{}
	code  proto.Code
	err   error // the connection's end; code says nothing then
	body  []byte
	zxid  int64
}

// The fates of a call, which only the first of two who want to can decide: its
// caller, or whoever has its outcome.
const (
	waiting   int32 = iota
	answered        // the caller takes the outcome
	abandoned       // the caller has left: whoever gets the outcome frees the call
)

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

// free takes q, and its slot, back for reuse. It may be called once ready was
// received, when nobody else has seen q, or when the caller has left.
func (c *Client) free(q *call) {
	if q.slot {
		<-c.slots
	}
	out := q.out[:0]
	if cap(out) > maxKeptBody {
		out = nil
	}
	*q = call{out: out, ready: q.ready}
	c.calls.Put(q)
}

// answer decides for q that its caller takes the outcome, unless it has left.
func (q *call) answer() bool { return q.fate.CompareAndSwap(waiting, answered) }

// leave decides for q that its caller does not wait any more, unless the outcome
// is there: then ready yields.
func (q *call) leave() bool { return q.fate.CompareAndSwap(waiting, abandoned) }

// deliver hands the outcome to the caller.
func (c *Client) deliver(q *call) { c.hand(q, q.answer()) }

// hand is deliver when it is decided whether the caller is there.
func (c *Client) hand(q *call, there bool) {
	if there {
		q.ready <- struct{}{}
	} else {
		c.free(q)
	}
}

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
	zxid int64 // the newest change that the server had seen
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
	if len(c.opts.hooks) > 0 {
		return c.observed(ctx, q)
	}
	return c.ask(ctx, q, nil)
}

// ask is do without hooks. It notes in o, unless that is nil, where q was sent.
func (c *Client) ask(ctx context.Context, q *call, o *Outcome) (reply, error) {
	if d := c.opts.requestTimeout; d > 0 {
		bounded, cancel := context.WithTimeoutCause(ctx, d, ErrRequestTimeout)
		defer cancel()
		ctx = bounded
	}
	if err := c.admit(ctx, q); err != nil {
		failed := q.fail(err, false)
		c.free(q)
		return reply{}, failed
	}
	bound := boundsOf(ctx)
	expirations := c.expirations.Load()
	try := c.try
	if c.linearizable(bound, q.op) {
		try = c.tryBehindSync
	}
	var began time.Duration
	for tries := 1; ; tries++ {
		cn, r, failed, harmless := try(ctx, bound.session, expirations, q)
		if o != nil && cn != nil {
			o.Server, o.Tries = cn.server, tries
		}
		switch {
		case failed == nil:
			if bound.zxid != nil {
				*bound.zxid = r.zxid
			}
			return r, nil
		case !harmless:
			return reply{}, failed
		case tries == 1:
			began = c.elapsed()
		}
		if !c.again(ctx, failed, tries, began) {
			c.free(q)
			return reply{}, failed
		}
		q.err, q.code = nil, proto.OK
		q.fate.Store(waiting)
	}
}

// try sends q once and waits for its reply. The connection is nil if it was not
// sent. If the failure is harmless, q is the caller's again.
func (c *Client) try(ctx context.Context, bound *Session, expirations int64, q *call) (cn *conn, r reply, failed *OpError, harmless bool) {
	cn, err := c.send(ctx, bound, expirations, q)
	if err != nil {
		failed = q.fail(err, false)
		c.free(q)
		return nil, r, failed, false
	}
	r, failed, harmless = c.outcome(ctx, q)
	return cn, r, failed, harmless
}

// requestHeader is what precedes a request's body, without the length.
const requestHeader = 8

// admit checks calls that are to be sent together, and waits for their turn, a
// slot. Whose context has ended already sends nothing. The last of them has it until it is freed: also when its caller leaves,
// so that there is a bound to what waits for replies.
func (c *Client) admit(ctx context.Context, qs ...*call) error {
	for _, q := range qs {
		if err := c.fits(q); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return endOf(ctx)
	}
	select {
	case c.slots <- struct{}{}:
	default:
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
			return endOf(ctx)
		}
	}
	qs[len(qs)-1].slot = true
	return nil
}

// fits tells whether a server may be sent q.
func (c *Client) fits(q *call) error {
	if n := requestHeader + len(q.out); n > c.opts.maxRequest {
		return fmt.Errorf("%w: %d bytes, at most %d are sent", ErrRequestTooLarge, n, c.opts.maxRequest)
	}
	return nil
}

// send queues calls together on a connection, which it waits for.
func (c *Client) send(ctx context.Context, bound *Session, expirations int64, qs ...*call) (*conn, error) {
	for {
		cn, err := c.await(ctx, bound, expirations)
		if err != nil || cn.enqueue(qs...) {
			return cn, err
		}
	}
}

// outcome waits for q's reply. It frees q unless the failure is harmless: then
// the caller makes the request again or frees it.
func (c *Client) outcome(ctx context.Context, q *call) (r reply, failed *OpError, harmless bool) {
	select {
	case <-q.ready:
	case <-ctx.Done():
		failed = q.fail(endOf(ctx), true)
		if q.leave() {
			return r, failed, false
		}
		failed = nil
		<-q.ready
	}
	switch {
	case q.err != nil && c.closing.Load():
		failed = q.fail(ErrClosed, true)
	case q.err != nil:
		failed = q.fail(q.err, true)
	case q.code == proto.SessionExpired && c.closing.Load() && q.op != proto.OpCloseSession:
		failed = q.fail(ErrClosed, false) // Apache's servers say so after closeSession
	case q.code != proto.OK:
		failed = q.fail(q.code, false)
	default:
		r = reply{jute.NewDecoder(q.body), q.op, q.path, q.zxid}
	}
	if failed != nil && q.harmless(failed.Err) {
		return r, failed, true
	}
	c.free(q)
	return r, failed, false
}

// endOf is why a request's context has ended.
func endOf(ctx context.Context) error {
	if context.Cause(ctx) == error(ErrRequestTimeout) {
		return ErrRequestTimeout
	}
	return ctx.Err()
}

// await returns the connection, and waits for one if need be. It is one of the
// session bound, unless that is nil.
func (c *Client) await(ctx context.Context, bound *Session, expirations int64) (*conn, error) {
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
		inVain := c.inVain(attempts)
		c.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case c.expirations.Load() != expirations:
			return nil, ErrSessionExpired
		case cn != nil:
			return cn, nil
		case inVain != nil && (c.opts.failFast || boundsOf(ctx).fast):
			return nil, lost(inVain)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, endOf(ctx)
		}
	}
}
