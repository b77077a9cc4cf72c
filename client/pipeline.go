package client

import "context"

// doAll sends requests together, on one connection and in this order, and waits
// for all replies: the second of them is answered after what the first has
// done. It owns the calls from here on. None is made again. There is an error
// or a reply for each call.
func (c *Client) doAll(ctx context.Context, qs ...*call) ([]reply, []error) {
	replies, errs := make([]reply, len(qs)), make([]error, len(qs))
	ended := make([][]func(Outcome), len(qs))
	for i, q := range qs {
		ended[i] = c.opts.hooks.request(ctx, q)
	}
	var o Outcome
	cn, err := c.sendAll(ctx, qs)
	if err == nil {
		o.Server, o.Tries = cn.server, 1
	}
	for i, q := range qs {
		if err != nil {
			errs[i] = q.fail(err, false)
			c.free(q)
		} else if r, failed, harmless := c.outcome(ctx, q); failed == nil {
			replies[i] = r
		} else {
			errs[i] = failed
			if harmless {
				c.free(q)
			}
		}
		o.tell(ended[i], replies[i], errs[i])
	}
	return replies, errs
}

// sendAll takes one slot for all calls and queues them on one connection.
func (c *Client) sendAll(ctx context.Context, qs []*call) (*conn, error) {
	if err := c.admit(ctx, qs...); err != nil {
		return nil, err
	}
	return c.send(ctx, boundTo(ctx), c.expirations.Load(), qs...)
}
