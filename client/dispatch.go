package client

import (
	"fmt"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// handle gives one frame to whom it concerns.
func (cn *conn) handle(h proto.ReplyHeader, body []byte) error {
	switch h.Xid {
	case proto.XidNotification:
		return cn.notification(h, body)
	case proto.XidPing:
		return cn.pong()
	case proto.XidAuth:
		return cn.authReply(h)
	case proto.XidSetWatches:
		return cn.watchesSet(h)
	}
	q, err := cn.answered(h)
	if err != nil {
		return err
	}
	cn.c.saw(h.Zxid)
	q.code, q.zxid, q.body = h.Err, h.Zxid, body
	there := q.answer()
	cn.c.watches.settle(q, there)
	cn.c.hand(q, there)
	return nil
}

// answered takes the request that a reply is for.
func (cn *conn) answered(h proto.ReplyHeader) (*call, error) {
	cn.mu.Lock()
	q, ok := cn.pending.pop()
	cn.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("%w: reply %d to no request", ErrMalformed, h.Xid)
	}
	if q.xid != h.Xid {
		err := lost(fmt.Errorf("%w: reply %d where %d was due", ErrMalformed, h.Xid, q.xid))
		q.err = err
		cn.c.deliver(q)
		return nil, err
	}
	return q, nil
}

// refuse lets a request fail whose reply cannot be taken.
func (cn *conn) refuse(h proto.ReplyHeader, cause error) error {
	q, err := cn.answered(h)
	if err != nil {
		return err
	}
	q.err = cause
	cn.c.deliver(q)
	return nil
}

func (cn *conn) notification(h proto.ReplyHeader, body []byte) error {
	d := jute.NewDecoder(body)
	var ev proto.WatcherEvent
	ev.Decode(&d)
	if err := d.Err(); err != nil {
		return fmt.Errorf("%w: notification: %w", ErrMalformed, err)
	}
	cn.c.notified(h, &ev)
	return nil
}

func (cn *conn) pong() error {
	cn.mu.Lock()
	sent, ok := cn.pings.pop()
	cn.mu.Unlock()
	if !ok {
		return fmt.Errorf("%w: reply to no ping", ErrMalformed)
	}
	cn.session.heard(sent)
	return nil
}

func (cn *conn) authReply(h proto.ReplyHeader) error {
	cn.mu.Lock()
	q, ok := cn.auths.pop()
	cn.mu.Unlock()
	switch {
	case ok && q != nil:
		q.code = h.Err
		cn.c.deliver(q)
	case h.Err != proto.OK:
		return &authError{h.Err}
	}
	return nil
}

func (cn *conn) watchesSet(h proto.ReplyHeader) error {
	cn.mu.Lock()
	streams, ok := cn.batches.pop()
	last := cn.batches.len() == 0
	cn.mu.Unlock()
	if !ok {
		return fmt.Errorf("%w: reply to no watches", ErrMalformed)
	}
	if h.Err != proto.OK {
		return fmt.Errorf("setting watches again: %w", h.Err)
	}
	for _, w := range streams {
		w.push(Event{Type: EventReset, State: cn.state(), Path: w.path, Zxid: h.Zxid})
	}
	if last { // not before: what the other packets ask about must count from what was seen before
		cn.c.saw(h.Zxid)
	}
	return nil
}
