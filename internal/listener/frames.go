package listener

import (
	"fmt"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/throttle"
)

type lengthError struct{ got, most int }

func (e *lengthError) Error() string {
	return fmt.Sprintf("frame of length %d: it must be from 0 to %d (jute.maxbuffer)", e.got, e.most)
}

// errLarge refuses a request of so many bytes.
func errLarge(n int) error {
	return fmt.Errorf("request of %d bytes: too many large requests are in flight", n)
}

// frames takes all whole frames of the input. Reads and writes are gathered in
// runs, so that each run takes its locks once.
func (c *conn) frames(now time.Time) error {
	if err := failpoint.Hit(failpoint.Read); err != nil {
		return err
	}
	for {
		frame, err := c.next()
		if frame == nil || err != nil {
			return err
		}
		if err := c.frame(frame, now); err != nil {
			return err
		}
	}
}

func (c *conn) frame(frame []byte, now time.Time) error {
	d := jute.NewDecoder(frame)
	var h proto.RequestHeader
	if h.Decode(&d); d.Err() != nil {
		return fmt.Errorf("frame of %d bytes: %w", len(frame), d.Err())
	}
	c.heard++
	r := request.Request{Xid: h.Xid, Op: h.Op, Body: d.Rest()}
	if c.l.Policy.Enforced() && h.Op != proto.OpAuth && h.Op != proto.OpSASL && !c.l.Policy.Satisfied(c.IDs()) {
		return c.refuse(&r, now, proto.SessionClosedRequireSASLAuth, "client has not authenticated")
	}
	switch {
	case h.Op == proto.OpCloseSession && c.Session.Local():
		return c.closeLocal(r, now)
	case request.IsWrite(h.Op), h.Op == proto.OpSync && c.ReadOnly:
		return c.write(r, now)
	case request.IsRead(h.Op):
		return c.read(r, now)
	case h.Op == proto.OpAuth:
		return c.auth(&r, now)
	case h.Op == proto.OpSASL:
		return c.authSASL(&r, now)
	}
	return c.refuse(&r, now, proto.Unimplemented, "unknown operation "+h.Op.String())
}

func (c *conn) read(r request.Request, now time.Time) error {
	if len(c.writes) > 0 {
		if err := c.flushRuns(now); err != nil {
			return err
		}
	}
	c.reads = extend(c.reads, r)
	c.present = c.present || r.Op == proto.OpSync || c.l.Linearizable && !c.ReadOnly && request.ReadsTree(r.Op)
	return nil
}

// tooLarge refuses a large request of n bytes.
func (c *conn) tooLarge(n int) error {
	c.l.LargeRefused.Add(1)
	return errLarge(n)
}

func (c *conn) write(r request.Request, now time.Time) error {
	if len(c.reads) > 0 {
		if err := c.flushRuns(now); err != nil {
			return err
		}
	}
	counted, ok := c.l.Gate.Large(len(r.Body))
	if !ok {
		return c.tooLarge(len(r.Body))
	}
	if counted {
		c.large += len(r.Body)
	}
	c.writes = extend(c.writes, r)
	if r.Op != proto.OpCloseSession {
		return nil
	}
	if err := c.flushRuns(now); err != nil {
		return err
	}
	err := c.finish()
	// Should this connection have ended before the answer: whoever waits for that
	// to renew the session shall know.
	c.l.Engine.Closing(&c.Client)
	return err
}

// closeLocal ends a local session at its client's wish, behind all that it asked
// for before: that may have made the session part of the replicated state.
func (c *conn) closeLocal(r request.Request, now time.Time) error {
	if err := c.quiet(now); err != nil {
		return err
	}
	if !c.l.Engine.CloseLocal(&c.Client) {
		return c.write(r, now)
	}
	c.Reply(proto.ReplyHeader{Xid: r.Xid, Zxid: c.l.Engine.Zxid()}, nil)
	c.CloseAfter()
	return c.finish()
}

// flushRuns executes the reads or writes gathered so far. Whatever is answered is
// counted here: what comes before it was gathered, and has to be executed first.
func (c *conn) flushRuns(now time.Time) error {
	c.countHeard()
	if len(c.reads) > 0 {
		if err := c.settle(); err != nil {
			return err
		}
		if err := c.catchUp(); err != nil {
			return err
		}
		if err := c.admit(c.reads, func(run []request.Request) error { return c.answer(run, now) }); err != nil {
			return err
		}
		release(c.reads)
		c.reads = nil
	}
	if len(c.writes) == 0 {
		return nil
	}
	if err := c.admit(c.writes, c.submit); err != nil {
		return err
	}
	release(c.writes)
	c.writes = nil
	return c.throttle()
}

// countHeard adds the requests that arrived to the counters, which others read, at once.
func (c *conn) countHeard() {
	if c.heard == 0 {
		return
	}
	c.Stats.Received.Add(c.heard)
	c.l.Engine.Metrics.Received.Add(c.heard)
	c.heard = 0
}

// catchUp waits until the reads that were gathered show what is present, if that
// was asked for. Those among them that need not wait do, too.
func (c *conn) catchUp() error {
	if !c.present {
		return nil
	}
	c.present = false
	c.Flush()
	if c.l.Engine.Present(&c.Client, c.gone) != nil {
		return errEnd
	}
	return nil
}

// answer answers reads, and waits in between for the client to take its replies.
func (c *conn) answer(run []request.Request, now time.Time) error {
	for {
		n := c.l.Engine.Read(&c.Client, run, now)
		c.l.Throttle.Leave(n)
		if run = run[n:]; len(run) == 0 {
			return nil
		}
		c.Flush()
		if err := c.pressure(); err != nil {
			c.l.Throttle.Leave(len(run))
			return err
		}
	}
}

// submit hands writes to the engine. With the request throttle on, it waits
// for them: they count until they are answered.
func (c *conn) submit(run []request.Request) error {
	err := c.l.Engine.Submit(&c.Client, run)
	if c.l.Throttle.Off() {
		if err != nil {
			return errEnd
		}
		return nil
	}
	defer c.l.Throttle.Leave(len(run))
	if err != nil {
		return errEnd
	}
	return c.settle()
}

// admit passes requests through the request throttle to work.
func (c *conn) admit(run []request.Request, work func([]request.Request) error) error {
	if c.l.Throttle.Off() {
		return work(run)
	}
	received := c.l.Clock()
	for len(run) > 0 {
		op := run[0].Op
		n, verdict := c.l.Throttle.Enter(throttle.Waiting{
			N: alike(run), Received: received, Timeout: c.timeout, Closed: c.gone,
			Exempt: exempt(op), CloseSession: op == proto.OpCloseSession,
		})
		switch verdict {
		case throttle.Drop:
			return errEnd
		case throttle.Refuse:
			for _, r := range run[:n] {
				c.Reply(proto.ReplyHeader{Xid: r.Xid, Zxid: c.l.Engine.Zxid(), Err: proto.ThrottledOp}, nil)
			}
			c.l.Throttle.Leave(n)
		default:
			if err := work(run[:n]); err != nil {
				return err
			}
		}
		run = run[n:]
	}
	return nil
}

// exempt tells whether the request throttle lets requests of this kind pass.
func exempt(op proto.Op) bool { return op == proto.OpPing || op == proto.OpCloseSession }

// alike is how many requests at the start of a run the throttle treats alike.
func alike(run []request.Request) int {
	n := 1
	for n < len(run) && exempt(run[n].Op) == exempt(run[0].Op) {
		n++
	}
	return n
}

// throttle waits for the writes in flight when all clients together have too
// many, or when this one has large ones among them.
func (c *conn) throttle() error {
	if c.large == 0 && c.l.Engine.InFlight() <= c.l.Engine.OutstandingLimit {
		return nil
	}
	err := c.settle()
	c.largeDone()
	return err
}

// largeDone gives back what the large requests in flight were counted for.
func (c *conn) largeDone() {
	if c.large > 0 {
		c.l.Gate.LargeDone(c.large)
		c.large = 0
	}
}

// runLength is how many requests a run's memory holds. It is lent to a connection
// for as long as the run is gathered and executed.
const runLength = 1024

var runs = sync.Pool{New: func() any { return new([runLength]request.Request) }}

// extend adds a request to a run.
func extend(run []request.Request, r request.Request) []request.Request {
	if run == nil {
		run = runs.Get().(*[runLength]request.Request)[:0]
	}
	return append(run, r)
}

// release empties a run.
func release(run []request.Request) {
	clear(run)
	if cap(run) == runLength {
		runs.Put((*[runLength]request.Request)(run[:runLength]))
	}
}

// settle waits until all writes in flight are answered.
func (c *conn) settle() error {
	if c.Pending() == 0 {
		return nil
	}
	c.Flush()
	if !c.Drain() {
		return errEnd
	}
	return nil
}

// lastWords is how long a client may take to receive its last replies.
const lastWords = 10 * time.Second

// finish ends the connection once everything that it is due was sent.
func (c *conn) finish() error {
	if err := c.settle(); err != nil {
		return err
	}
	c.until(c.sock.SetWriteDeadline, time.Now().Add(lastWords))
	c.Flush()
	c.send.idle()
	return errEnd
}

// refuse answers a request with a code and ends the connection.
func (c *conn) refuse(r *request.Request, now time.Time, code proto.Code, reason string) error {
	if err := c.flushRuns(now); err != nil {
		return err
	}
	if err := c.settle(); err != nil {
		return err
	}
	c.l.Logger.Info("request refused", "client", c.addr.String(), "session", c.sessionName(), "reason", reason)
	zxid := int64(0)
	if code == proto.Unimplemented {
		zxid = -1 // what Apache's server answers: the request never got one
	}
	c.Reply(proto.ReplyHeader{Xid: r.Xid, Zxid: zxid, Err: code}, nil)
	c.CloseAfter()
	return c.finish()
}

func (c *conn) auth(r *request.Request, now time.Time) error {
	d := jute.NewDecoder(r.Body)
	var p proto.AuthPacket
	if p.Decode(&d); d.Err() != nil {
		return fmt.Errorf("auth packet: %w", d.Err())
	}
	if err := c.quiet(now); err != nil {
		return err
	}
	c.peer.Session = c.Session.ID()
	out := c.l.Auth.Authenticate(p.Scheme, p.Auth, c.peer)
	c.AddIDs(out.Add...)
	if out.Code != proto.OK {
		c.l.AuthFailed.Add(1)
	}
	return c.outcome(r, out.Code, out.Close, out.Silent, nil)
}

// authSASL takes one step of a SASL exchange.
func (c *conn) authSASL(r *request.Request, now time.Time) error {
	d := jute.NewDecoder(r.Body)
	token := d.Buffer()
	if d.Err() != nil {
		return fmt.Errorf("SASL packet: %w", d.Err())
	}
	if err := c.quiet(now); err != nil {
		return err
	}
	c.peer.Session = c.Session.ID()
	out := c.l.Auth.SASL(c.sasl, token, c.peer)
	c.AddIDs(out.Add...)
	if out.Code != proto.OK {
		c.l.AuthFailed.Add(1)
	}
	return c.outcome(r, out.Code, out.Close, out.Silent, func(b []byte) []byte {
		return jute.AppendBuffer(b, out.Token)
	})
}

// quiet executes what was gathered and waits for it.
func (c *conn) quiet(now time.Time) error {
	if err := c.flushRuns(now); err != nil {
		return err
	}
	return c.settle()
}

func (c *conn) outcome(r *request.Request, code proto.Code, end, silent bool, body func([]byte) []byte) error {
	if !silent {
		c.Reply(proto.ReplyHeader{Xid: r.Xid, Err: code}, body)
	}
	if !end {
		return nil
	}
	c.CloseAfter()
	return c.finish()
}
