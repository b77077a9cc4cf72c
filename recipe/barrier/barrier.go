// Package barrier lets programs wait for each other: at a [Barrier] for one that
// opens it, at a [Double] one until all have come, and until all are done.
//
// A barrier is a node, closed while it exists, in the form of Apache Curator's
// DistributedBarrier and kazoo's Barrier. A double barrier has an ephemeral node
// for each who is inside, and the node "ready" from when all have come, as
// Curator's DistributedDoubleBarrier and kazoo's DoubleBarrier have: they can be
// inside together.
package barrier

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/quollhq/quoll/client"
)

// Barrier is closed from Close until Open, for everybody.
type Barrier struct {
	c    *client.Client
	path string
}

// New makes a barrier that is the node path. It is open while there is none.
func New(c *client.Client, path string) (*Barrier, error) {
	if err := client.ValidatePath(path); err != nil {
		return nil, fmt.Errorf("barrier: %w", err)
	}
	return &Barrier{c, path}, nil
}

// Close closes the barrier; it may be closed already.
func (b *Barrier) Close(ctx context.Context) error {
	if i := strings.LastIndexByte(b.path, '/'); i > 0 {
		if err := b.c.EnsurePath(ctx, b.path[:i]); err != nil {
			return fmt.Errorf("barrier: %w", err)
		}
	}
	if err := b.c.EnsurePath(ctx, b.path, client.Persistent); err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	return nil
}

// Open opens the barrier; it may be open already. All who wait go on.
func (b *Barrier) Open(ctx context.Context) error {
	for {
		err := b.c.Delete(ctx, b.path, client.AnyVersion)
		switch {
		case err == nil || errors.Is(err, client.ErrNoNode):
			return nil
		case ctx.Err() == nil && client.MaybeApplied(err) && errors.Is(err, client.ErrConnectionLoss):
			continue
		}
		return fmt.Errorf("barrier: %w", err)
	}
}

// Closed tells whether the barrier is closed at present.
func (b *Barrier) Closed(ctx context.Context) (bool, error) {
	_, found, err := b.c.Exists(ctx, b.path)
	return found, err
}

// Wait returns when the barrier is open.
func (b *Barrier) Wait(ctx context.Context) error {
	for {
		_, found, changed, err := b.c.ExistsW(ctx, b.path)
		switch {
		case errors.Is(err, client.ErrSessionExpired) && b.c.WaitConnected(ctx) == nil:
			continue
		case err != nil:
			return fmt.Errorf("barrier: %w", err)
		case !found:
			b.c.ForgetWatch(b.path, changed)
			return nil
		}
		select {
		case ev := <-changed:
			if ev.Type == client.EventDeleted {
				return nil
			}
		case <-ctx.Done():
			b.c.ForgetWatch(b.path, changed)
			return fmt.Errorf("barrier %s: %w", b.path, ctx.Err())
		}
	}
}
