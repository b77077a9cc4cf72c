package client

import (
	"context"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

type linearizableKey struct{}

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
	return context.WithValue(ctx, linearizableKey{}, true)
}

// linearizable tells whether a request is to show what is present.
func (c *Client) linearizable(ctx context.Context, op proto.Op) bool {
	switch op {
	case proto.OpGetData, proto.OpExists, proto.OpGetChildren, proto.OpGetChildren2, proto.OpGetACL,
		proto.OpGetAllChildrenNumber, proto.OpGetEphemerals, proto.OpMultiRead:
		return c.opts.linearizable || ctx.Value(linearizableKey{}) != nil
	}
	return false
}

// doBehindSync sends q behind a sync, on one connection. It owns q.
func (c *Client) doBehindSync(ctx context.Context, q *call, expirations int64) (reply, error) {
	for {
		cn, err := c.await(ctx, expirations)
		if err == nil && cn.readOnly {
			err = ErrNotReadOnly
		}
		if err != nil {
			failed := q.fail(err, false)
			c.free(q)
			return reply{}, failed
		}
		sync := c.newCall(proto.OpSync, q.path)
		sync.out = jute.AppendString(sync.out, "/")
		if !cn.enqueue(sync, q) {
			c.free(sync)
			continue
		}
		syncAgain, _, failed := c.outcome(ctx, sync)
		again, r, err := c.outcome(ctx, q)
		if syncAgain {
			c.free(sync)
		}
		switch {
		case failed != nil:
			if again {
				c.free(q)
			}
			return reply{}, failed
		case again:
			continue
		}
		return r, err
	}
}
