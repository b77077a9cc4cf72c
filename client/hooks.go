package client

import "context"

// Hooks are called as a client works, for metrics and traces. Each may be nil;
// what is not used costs nothing. They must not block.
type Hooks struct {
	// Request is called when a request is made. What it returns, unless that is
	// nil, is called once with the outcome, by the same goroutine.
	Request func(ctx context.Context, r Request) func(Outcome)
	// Event is called with each change of the state of connection and session,
	// and with each notification, before the watches that it concerns are told.
	// It must not call the client.
	Event func(Event)
}

// Request is a request that is about to be made.
type Request struct {
	Op   string // name of the operation, as "getData"
	Path string // as the caller gave it; empty for operations without one
	Size int    // of the body, in bytes
}

// Outcome is how a request has ended.
type Outcome struct {
	Err error // an [OpError], or nil
	// Server is the host:port that the request was sent to last, or "".
	Server string
	// Zxid is the newest change that the server had seen; 0 without a reply.
	Zxid int64
	// Size of the reply's body, in bytes.
	Size int
	// Tries is how often the request was sent.
	Tries int
}

// WithHooks calls hooks. It may be given several times: all are called.
// Default: none.
func WithHooks(h Hooks) Option { return func(o *options) { o.hooks = append(o.hooks, h) } }

type hooks []Hooks

func (hs hooks) event(ev Event) {
	for i := range hs {
		if hs[i].Event != nil {
			hs[i].Event(ev)
		}
	}
}

// request tells of a request and returns who wants to know its outcome.
func (hs hooks) request(ctx context.Context, q *call) (ended []func(Outcome)) {
	for i := range hs {
		if hs[i].Request == nil {
			continue
		}
		if end := hs[i].Request(ctx, Request{q.op.String(), q.path, len(q.out)}); end != nil {
			ended = append(ended, end)
		}
	}
	return ended
}

// observed is do with hooks.
func (c *Client) observed(ctx context.Context, q *call) (reply, error) {
	ended := c.opts.hooks.request(ctx, q)
	if len(ended) == 0 {
		return c.ask(ctx, q, nil)
	}
	var o Outcome
	r, err := c.ask(ctx, q, &o)
	o.tell(ended, r, err)
	return r, err
}

func (o *Outcome) tell(ended []func(Outcome), r reply, err error) {
	o.Err = err
	if err == nil {
		o.Zxid, o.Size = r.zxid, r.Len()
	}
	for _, end := range ended {
		end(*o)
	}
}
