package client

import (
	"context"
	"errors"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// Batch is requests that leave together, in one write, and are carried out in
// this order by one server. They are not one change: each succeeds or fails by
// itself. One goroutine has as many requests under way as it likes by that:
//
//	b := c.Batch()
//	config, members := b.Get("/app/config"), b.Children("/app/members")
//	if err := b.Do(ctx); err != nil {
//		return err
//	}
//	use(config.Value().Data, members.Value().Names)
//
// What a method returns has its outcome after Do. A Batch is for one goroutine,
// and for one Do.
type Batch struct {
	c     *Client
	calls []*call
	took  []func(reply, error) error // by call
	wrong error                      // the first request that cannot be sent
}

// Batch begins one.
func (c *Client) Batch() *Batch { return &Batch{c: c} }

// ErrNotDone is the error of a [Pending] before [Batch.Do].
var ErrNotDone = errors.New("the batch is not done")

// Pending is the outcome of one request of a [Batch].
type Pending[T any] struct {
	value T
	err   error
	zxid  int64
}

// Value is what the request has led to, if Err is nil.
func (p *Pending[T]) Value() T { return p.value }

// Err is an [OpError] if the request has failed.
func (p *Pending[T]) Err() error { return p.err }

// Zxid is the newest change that the server had seen when it answered.
func (p *Pending[T]) Zxid() int64 { return p.zxid }

// What requests of a [Batch] lead to.
type (
	// NodeData is a node's data and Stat.
	NodeData struct {
		Data []byte
		Stat Stat
	}
	// NodeExists tells whether there is a node.
	NodeExists struct {
		Found bool
		Stat  Stat
	}
	// NodeChildren are the names of a node's children, in no order, and its Stat.
	NodeChildren struct {
		Names []string
		Stat  Stat
	}
	// NodeCreated is the path and Stat of a node that was made.
	NodeCreated struct {
		Path string
		Stat Stat
	}
)

// add appends a request; take makes a value of its reply.
func add[T any](b *Batch, q *call, err error, take func(*reply) T) *Pending[T] {
	p := &Pending[T]{err: ErrNotDone}
	if err != nil {
		p.err = err
		if b.wrong == nil {
			b.wrong = err
		}
		return p
	}
	b.calls = append(b.calls, q)
	b.took = append(b.took, func(r reply, err error) error {
		if p.err = err; err == nil {
			p.value, p.zxid = take(&r), r.zxid
			p.err = r.end()
		}
		return p.err
	})
	return p
}

// Get is [Client.Get].
func (b *Batch) Get(path string) *Pending[NodeData] {
	q, err := b.read(proto.OpGetData, path)
	return add(b, q, err, func(r *reply) NodeData { return NodeData{r.Buffer(), decodeStat(&r.Decoder)} })
}

// Exists is [Client.Exists].
func (b *Batch) Exists(path string) *Pending[NodeExists] {
	q, err := b.read(proto.OpExists, path)
	p := add(b, q, err, func(r *reply) NodeExists { return NodeExists{true, decodeStat(&r.Decoder)} })
	if err == nil {
		took := b.took[len(b.took)-1]
		b.took[len(b.took)-1] = func(r reply, err error) error {
			if err = took(r, err); errors.Is(err, ErrNoNode) {
				p.err, err = nil, nil
			}
			return err
		}
	}
	return p
}

// Children is [Client.Children].
func (b *Batch) Children(path string) *Pending[NodeChildren] {
	q, err := b.read(proto.OpGetChildren2, path)
	return add(b, q, err, func(r *reply) NodeChildren { return NodeChildren{r.Strings(), decodeStat(&r.Decoder)} })
}

func (b *Batch) read(op proto.Op, path string) (*call, error) {
	q, err := b.c.pathCall(op, path)
	if err == nil {
		q.out = jute.AppendBool(q.out, false)
	}
	return q, err
}

// Create is [Client.Create2].
func (b *Batch) Create(path string, data []byte, opts ...CreateOption) *Pending[NodeCreated] {
	p := newCreation(opts)
	q, err := b.c.createCall(p.op(true), path, data, &p)
	return add(b, q, err, func(r *reply) NodeCreated {
		return NodeCreated{b.c.clientPath(r.String()), decodeStat(&r.Decoder)}
	})
}

// Set is [Client.Set].
func (b *Batch) Set(path string, data []byte, version int32) *Pending[Stat] {
	q, err := b.c.setCall(path, data, version)
	return add(b, q, err, func(r *reply) Stat { return decodeStat(&r.Decoder) })
}

// Delete is [Client.Delete].
func (b *Batch) Delete(path string, version int32) *Pending[struct{}] {
	q, err := b.c.deleteCall(path, version)
	return add(b, q, err, func(*reply) struct{} { return struct{}{} })
}

// Do sends all requests and waits for all replies. It returns the first failure;
// each Pending has its own. If one of them cannot be sent as it is, because its
// path is invalid or it is too large, none is. None is made again when the
// connection breaks; [MaybeApplied] tells of each write. [Linearizable] and
// [WithRequestTimeout] have no effect.
func (b *Batch) Do(ctx context.Context) error {
	calls, took := b.calls, b.took
	b.calls, b.took = nil, nil
	for _, q := range calls {
		if err := b.c.fits(q); err != nil && b.wrong == nil {
			b.wrong = q.fail(err, false)
		}
	}
	if b.wrong != nil {
		for i, q := range calls {
			_ = took[i](reply{}, q.fail(b.wrong, false)) // the caller gets the cause
			b.c.free(q)
		}
		return b.wrong
	}
	if len(calls) == 0 {
		return nil
	}
	var first error
	replies, errs := b.c.doAll(ctx, calls...)
	for i := range replies {
		if err := took[i](replies[i], errs[i]); err != nil && first == nil {
			first = err
		}
	}
	return first
}
