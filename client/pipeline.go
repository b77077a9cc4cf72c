package client

import "context"

// doAll sends requests together, on one connection and in this order, and waits
// for all replies: the second of them is answered after what the first has
// done. It owns the calls from here on. None is asked again. There is an error
// or a reply for each call.
func (c *Client) doAll(ctx context.Context, qs ...*call) ([]reply, []error) {
	replies, errs := make([]reply, len(qs)), make([]error, len(qs))
	cn, err := c.sendAll(ctx, qs)
	if err != nil {
		for i, q := range qs {
			errs[i] = q.fail(err, false)
			c.free(q)
		}
		return replies, errs
	}
	defer func() { <-c.slots }()
	for i, q := range qs {
		var again bool
		again, replies[i], errs[i] = c.outcome(ctx, q)
		if again {
			errs[i] = q.fail(lost(cn.cause), true)
			c.free(q)
		}
	}
	return replies, errs
}

// sendAll takes one slot for all calls and queues them on one connection.
func (c *Client) sendAll(ctx context.Context, qs []*call) (*conn, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, endOf(ctx)
	}
	expirations := c.expirations.Load()
	for {
		cn, err := c.await(ctx, expirations)
		if err != nil {
			<-c.slots
			return nil, err
		}
		if cn.enqueue(qs...) {
			return cn, nil
		}
	}
}
