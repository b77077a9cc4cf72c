package lock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/internal/contend"
)

// Held is a lock that is held. It ends by Unlock. It may be used by many
// goroutines; what holds the lock is the handle, not a goroutine.
type Held struct {
	*holding
	released atomic.Bool
}

// holding is what the handles of one acquisition share.
type holding struct {
	c       *client.Client
	path    string
	token   int64
	session *client.Session
	ctx     context.Context
	end     context.CancelCauseFunc
	stop    context.CancelFunc
	revoked chan struct{}
	watcher sync.WaitGroup
	handles atomic.Int32
	leaving atomic.Bool // the node goes away by the holder's will
}

// hold makes a created node, which has come to the front, a held lock.
func hold(ctx context.Context, c *client.Client, made client.Created) *Held {
	h := &holding{c: c, path: made.Path, token: made.Stat.Czxid, session: made.Session, revoked: make(chan struct{})}
	ctx = context.WithoutCancel(ctx)
	h.ctx, h.end = context.WithCancelCause(ctx)
	safe, stop := made.Session.Context(ctx)
	h.stop = stop
	context.AfterFunc(safe, func() { h.end(fmt.Errorf("%w: %s: %w", ErrLost, h.path, context.Cause(safe))) })
	h.handles.Store(1)
	h.watcher.Go(h.watch)
	return &Held{holding: h}
}

// watch follows the lock's own node: it may be revoked, or deleted by hand.
func (h *holding) watch() {
	ctx := client.WithinSession(client.Unbound(h.ctx), h.session)
	revoked := false
	for {
		data, _, changed, err := h.c.GetW(ctx, h.path)
		if errors.Is(err, client.ErrNoNode) && !h.leaving.Load() {
			h.end(fmt.Errorf("%w: %s was deleted", ErrLost, h.path))
		}
		if err != nil {
			if errors.Is(err, client.ErrSessionExpired) || contend.Recover(ctx, h.c, err) != nil {
				return
			}
			continue
		}
		if string(data) == revocation && !revoked {
			revoked = true
			close(h.revoked)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			h.c.ForgetWatch(h.path, changed)
			return
		}
	}
}

// Token is larger than those of all earlier holders of this lock: the zxid of
// the change that made the contender's node. Send it along to what cannot be
// guarded by [Held.Guard], and let it refuse those that are smaller than the
// largest one it has seen.
func (h *Held) Token() int64 { return h.token }

// Path is the node that holds the lock.
func (h *Held) Path() string { return h.path }

// Context ends when the lock is released or may be lost: its cause is
// [ErrReleased] or [ErrLost]. See the package comment.
func (h *Held) Context() context.Context { return h.ctx }

// Within is ctx, ended also when the lock is released or may be lost: then its
// cause is that of [Held.Context]. The function that is returned is to be called
// when the context is not needed any more.
func (h *Held) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	return contend.Either(ctx, h.ctx)
}

// Revoked is closed when somebody asks for the lock by [Revoke]. Nothing happens
// by itself.
func (h *Held) Revoked() <-chan struct{} { return h.revoked }

// Guard is an operation for a multi: it lets it fail, with
// [client.ErrNoNode], when the lock is no longer held.
func (h *Held) Guard() client.Op { return client.CheckOp(h.path, client.AnyVersion) }

// Multi does all operations if the lock is still held, as the server sees it, or
// none. It returns their results. When the lock is gone it fails with
// [ErrLost].
func (h *Held) Multi(ctx context.Context, ops ...client.Op) ([]client.OpResult, error) {
	results, err := h.c.Multi(client.WithinSession(ctx, h.session), append([]client.Op{h.Guard()}, ops...)...)
	var failed *client.MultiError
	switch {
	case errors.Is(err, client.ErrSessionExpired), errors.Is(err, client.ErrClosed) && !client.MaybeApplied(err),
		errors.As(err, &failed) && failed.Index == 0 && errors.Is(err, client.ErrNoNode):
		return nil, fmt.Errorf("%w: %s: %w", ErrLost, h.path, err)
	case err != nil:
		return nil, err
	}
	return results[1:], nil
}

// Again is a further handle of the same holder, as a reentrant lock gives one to
// a function that locks what its caller has locked already. The lock is
// released when all handles are. Again fails when the lock may be lost.
func (h *Held) Again() (*Held, error) {
	if h.released.Load() {
		return nil, fmt.Errorf("%s: %w", h.path, ErrReleased)
	}
	if h.ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", h.path, context.Cause(h.ctx))
	}
	for n := h.handles.Load(); n > 0; n = h.handles.Load() {
		if h.handles.CompareAndSwap(n, n+1) {
			return &Held{holding: h.holding}, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", h.path, ErrReleased) // meanwhile
}

// Unlock gives the lock back. It fails with [ErrLost] if the lock may have been
// lost before: somebody else may have held it at the same time. If ctx ends
// first, it fails, and the lock is released as soon as a server can be reached.
func (h *Held) Unlock(ctx context.Context) error {
	if h.released.Swap(true) {
		return fmt.Errorf("%s: %w", h.path, ErrReleased)
	}
	if h.handles.Add(-1) > 0 {
		return nil
	}
	lost := h.close()
	err := h.c.EnsureDeleted(client.WithinSession(ctx, h.session), h.path)
	if err != nil {
		err = fmt.Errorf("unlock %s: %w", h.path, err)
	}
	return errors.Join(lost, err)
}

// close ends the context and what watches the lock, and tells whether it had
// ended by itself.
func (h *holding) close() (lost error) {
	h.end(ErrReleased)
	h.stop()
	h.watcher.Wait()
	if cause := context.Cause(h.ctx); cause != ErrReleased {
		return cause
	}
	return nil
}
