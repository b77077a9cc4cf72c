package client

import (
	"context"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// Linearizable makes reads with this context linearizable: they show everything
// that any client was told of before they were asked. Otherwise a server answers
// from what it knows, which can be behind what another client has seen.
//
// A sync leaves right before the read, in one piece with it, so that it costs
// one round trip, and any server understands it. A server of quoll takes a sync
// for the question what is present: its leader has a quorum confirm that it
// still leads, without a write to the log; many reads share one question. Servers
// of Apache's answer it, too, but their leader believes that it leads until it
// hears otherwise: there a read can miss writes that are acknowledged while a
// leader that was cut off or stood still does not know yet. A server without a
// quorum refuses with [ErrNotReadOnly].
//
// It holds for Get, GetW, Exists, ExistsW, Children, ChildrenW, ChildNames, ACL,
// AllChildrenNumber, Ephemerals and MultiRead.
func Linearizable(ctx context.Context) context.Context {
	b := boundsOf(ctx)
	b.present = true
	return context.WithValue(ctx, boundsKey{}, b)
}

// linearizable tells whether a request is to show what is present.
func (c *Client) linearizable(b bounds, op proto.Op) bool {
	switch op {
	case proto.OpGetData, proto.OpExists, proto.OpGetChildren, proto.OpGetChildren2, proto.OpGetACL,
		proto.OpGetAllChildrenNumber, proto.OpGetEphemerals, proto.OpMultiRead:
		return c.opts.linearizable || b.present
	}
	return false
}

// tryBehindSync is try with a sync before q, on one connection.
func (c *Client) tryBehindSync(ctx context.Context, bound *Session, expirations int64, q *call) (cn *conn, r reply, failed *OpError, harmless bool) {
	sync := c.newCall(proto.OpSync, q.path)
	sync.out = jute.AppendString(sync.out, "/")
	cn, err := c.sendBehind(ctx, bound, expirations, sync, q)
	if err != nil {
		failed = q.fail(err, false)
		c.free(sync)
		c.free(q)
		return nil, r, failed, false
	}
	_, refused, again := c.outcome(ctx, sync)
	if again {
		c.free(sync)
	}
	r, failed, harmless = c.outcome(ctx, q)
	switch {
	case refused == nil || again && harmless:
		return cn, r, failed, harmless
	case harmless:
		c.free(q)
	}
	return cn, reply{}, refused, false
}

// sendBehind is send, but not to a server that cannot know what is present.
func (c *Client) sendBehind(ctx context.Context, bound *Session, expirations int64, sync, q *call) (*conn, error) {
	for {
		cn, err := c.await(ctx, bound, expirations)
		if err == nil && cn.readOnly {
			err = ErrNotReadOnly
		}
		if err != nil || cn.enqueue(sync, q) {
			return cn, err
		}
	}
}
