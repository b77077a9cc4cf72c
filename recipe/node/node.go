// Package node keeps a node there: it is made again whenever it has gone, be it
// with its session or because somebody has deleted it.
//
//	k, err := node.Keep(ctx, c, "/app/workers/7", []byte("10.0.0.7:8080"))
//	...
//	defer k.Close(ctx)
//
// # What is guaranteed
//
// From Keep until Close the node is there, but for the moments between its loss
// and its return. An ephemeral node is this client's: while another session has
// one of its name, Keep waits until that is gone, as that of the program's own
// former life is when its session expires. A persistent node may have been there
// before; it gets the data, and somebody else's change of them stays until Set.
//
// This is what Apache Curator's PersistentNode does.
package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/internal/contend"
)

// ErrTaken is what Keep fails with, besides its context's error, when another
// session has an ephemeral node of that name.
var ErrTaken = errors.New("another session has this node")

// Option changes how a node is kept.
type Option func(*Kept)

// Persistent keeps a persistent node. Default: an ephemeral one.
func Persistent() Option { return func(k *Kept) { k.mode = client.Persistent } }

// WithACL protects the node, and those above it that are missing. Default: open
// to all.
func WithACL(acl client.ACLs) Option { return func(k *Kept) { k.acl = acl } }

// Kept is a node that is kept. It may be used by many goroutines.
type Kept struct {
	c      *client.Client
	path   string
	mode   client.CreateMode
	acl    client.ACLs
	cancel context.CancelFunc
	done   chan struct{} // closed when keep has ended

	mu      sync.Mutex
	data    []byte
	sets    int             // how often Set was called
	session *client.Session // that of the node
	err     error           // why the node is kept no more
}

// Keep makes the node, and those above it if need be, and keeps it there until
// Close. A client keeps a path once at a time.
func Keep(ctx context.Context, c *client.Client, path string, data []byte, opts ...Option) (*Kept, error) {
	if err := client.ValidatePath(path); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	k := &Kept{c: c, path: path, mode: client.Ephemeral, data: bytes.Clone(data), done: make(chan struct{})}
	for _, opt := range opts {
		opt(k)
	}
	if err := k.establish(ctx); err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	life, cancel := context.WithCancel(client.Unbound(context.WithoutCancel(ctx)))
	k.cancel = cancel
	go func() {
		defer close(k.done)
		err := k.keep(life)
		k.mu.Lock()
		k.err = err
		k.mu.Unlock()
	}()
	return k, nil
}

// Path is the node's path.
func (k *Kept) Path() string { return k.path }

// Done is closed when the node is kept no more: after Close, or because the
// client was closed or a server refused. Then Err says why.
func (k *Kept) Done() <-chan struct{} { return k.done }

// Err is why the node is kept no more; nil while it is.
func (k *Kept) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// keep makes the node whenever it is gone.
func (k *Kept) keep(ctx context.Context) error {
	for {
		err := k.follow(ctx)
		if err != nil {
			err = contend.Recover(ctx, k.c, err)
		}
		if err == nil {
			err = k.establish(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// within binds requests to the session that the node is of, if it is of one.
func (k *Kept) within(ctx context.Context) context.Context {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mode != client.Ephemeral {
		return ctx
	}
	return client.WithinSession(ctx, k.session)
}

// follow returns when the node is gone.
func (k *Kept) follow(ctx context.Context) error {
	in := k.within(ctx)
	for {
		stat, found, changed, err := k.c.ExistsW(in, k.path)
		if err != nil {
			return err
		}
		if !found || !k.owns(stat) {
			k.c.ForgetWatch(k.path, changed)
			return nil
		}
		select {
		case ev := <-changed:
			if ev.Type == client.EventSession {
				return ev.Err
			}
		case <-ctx.Done():
			k.c.ForgetWatch(k.path, changed)
			return ctx.Err()
		}
	}
}

// owns tells whether a node is the one that is kept: an ephemeral one must be of
// the right session.
func (k *Kept) owns(stat client.Stat) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mode != client.Ephemeral || k.session != nil && stat.EphemeralOwner == k.session.ID()
}

// establish makes the node as soon as nobody else has one of its name.
func (k *Kept) establish(ctx context.Context) error {
	for {
		err := k.create(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, client.ErrNoNode):
			err = k.c.EnsurePath(ctx, k.path[:max(1, strings.LastIndexByte(k.path, '/'))], k.options(client.Container)...)
		case client.Transient(err):
			err = contend.Recover(ctx, k.c, err)
		case errors.Is(err, client.ErrNodeExists) && k.mode != client.Ephemeral:
			err = k.write(ctx)
			if err == nil {
				return nil
			}
			if errors.Is(err, client.ErrNoNode) {
				err = nil
			}
		case errors.Is(err, client.ErrNodeExists):
			err = k.awaitFree(ctx)
		}
		if err != nil {
			return err
		}
	}
}

func (k *Kept) options(mode client.CreateMode) []client.CreateOption {
	opts := []client.CreateOption{mode}
	if k.acl != nil {
		opts = append(opts, k.acl)
	}
	return opts
}

// create makes one attempt. Nobody else of this session uses the path, so that
// a creation whose outcome is unknown is recovered by its name.
func (k *Kept) create(ctx context.Context) error {
	k.mu.Lock()
	data := k.data
	k.mu.Unlock()
	made, err := k.c.CreateUnique(ctx, k.path, data, k.options(k.mode)...)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.session = made.Session
	old := !bytes.Equal(data, k.data)
	k.mu.Unlock()
	if old { // Set has found no node meanwhile
		return k.write(k.within(ctx))
	}
	return nil
}

// awaitFree returns when nobody has the path.
func (k *Kept) awaitFree(ctx context.Context) error {
	_, found, changed, err := k.c.ExistsW(ctx, k.path)
	if err != nil {
		return err
	}
	if !found {
		k.c.ForgetWatch(k.path, changed)
		return nil
	}
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		k.c.ForgetWatch(k.path, changed)
		return fmt.Errorf("%s: %w: %w", k.path, ErrTaken, ctx.Err())
	}
}

// Set replaces the node's data. If it fails because there is no node at the
// moment, or no server, the next one has the new data. If they are refused, it is
// kept as it was.
func (k *Kept) Set(ctx context.Context, data []byte) error {
	k.mu.Lock()
	k.sets++
	turn, before := k.sets, k.data
	k.data = bytes.Clone(data)
	k.mu.Unlock()
	err := k.write(k.within(ctx))
	if err == nil {
		return nil
	}
	if refused(err) {
		k.mu.Lock()
		if k.sets == turn {
			k.data = before
		}
		k.mu.Unlock()
	}
	return fmt.Errorf("node: %w", err)
}

// refused tells whether data were, as they would be with the next node, too.
func refused(err error) bool {
	return errors.Is(err, client.ErrRequestTooLarge) || errors.Is(err, client.ErrQuotaExceeded)
}

// write writes the data; once more does no harm.
func (k *Kept) write(ctx context.Context) error {
	k.mu.Lock()
	data := k.data
	k.mu.Unlock()
	for {
		_, err := k.c.Set(ctx, k.path, data, client.AnyVersion)
		if ctx.Err() != nil || !errors.Is(err, client.ErrConnectionLoss) || !client.MaybeApplied(err) {
			return err
		}
	}
}

// Close keeps the node no more, and deletes it. If ctx ends first, it fails, and
// the node is deleted as soon as a server can be reached.
func (k *Kept) Close(ctx context.Context) error {
	k.cancel()
	<-k.done
	in := k.within(ctx)
	stat, found, err := k.c.Exists(in, k.path)
	switch {
	case k.mode == client.Ephemeral && errors.Is(err, client.ErrSessionExpired):
		return nil
	case err == nil && (!found || !k.owns(stat)):
		return nil
	}
	if err := k.c.EnsureDeleted(in, k.path); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	return nil
}
