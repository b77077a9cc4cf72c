// Package id gives out numbers that no other program gets.
//
//	g, err := id.New(c, "/app/order-ids")
//	...
//	n, err := g.Next(ctx)
//
// # What is guaranteed
//
// Every number is given out once, to whomever, and each generator gives out
// larger and larger ones. Generators take blocks of numbers from one counter, so
// that most numbers cost no request; those of a block that its generator does
// not come to are never given out.
//
// The counter is that of package counter, in the form of Apache Curator's
// DistributedAtomicLong: its value is the last number of the last block.
package id

import (
	"context"
	"fmt"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/counter"
)

// Option changes how a generator works.
type Option func(*Generator)

// WithBlock is how many numbers are taken at a time. Default: 1000.
func WithBlock(n int) Option { return func(g *Generator) { g.block = int64(n) } }

// Generator gives out numbers, from 1 on. It may be used by many goroutines.
type Generator struct {
	count *counter.Counter
	block int64

	turn       chan struct{} // holds a token while a caller has what follows
	next, last int64         // of the present block; next > last: it is used up
}

// New makes a generator on the node path, which appears with the first number.
func New(c *client.Client, path string, opts ...Option) (*Generator, error) {
	g := &Generator{block: 1000, next: 1, turn: make(chan struct{}, 1)}
	for _, opt := range opts {
		opt(g)
	}
	if g.block < 1 {
		return nil, fmt.Errorf("id %s: %w: blocks of %d", path, client.ErrBadArguments, g.block)
	}
	var err error
	if g.count, err = counter.New(c, path); err != nil {
		return nil, fmt.Errorf("id: %w", err)
	}
	return g, nil
}

// Next is a new number.
func (g *Generator) Next(ctx context.Context) (int64, error) {
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, fmt.Errorf("id: %w", ctx.Err())
	}
	defer func() { <-g.turn }()
	for g.next > g.last {
		last, err := g.count.Add(ctx, g.block)
		switch {
		case err == nil:
			g.next, g.last = last-g.block+1, last
		case ctx.Err() == nil && client.MaybeApplied(err): // a block may be lost; there are others
		default:
			return 0, fmt.Errorf("id: %w", err)
		}
	}
	g.next++
	return g.next - 1, nil
}
