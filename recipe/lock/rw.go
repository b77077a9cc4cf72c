package lock

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/quollhq/quoll/client"
)

// RW is a lock that many readers have at a time, or one writer. They have it in
// the order in which they came: a reader waits behind a writer that waits.
type RW struct {
	reading, writing *Mutex
}

// NewRW makes a read-write lock on the node path, which appears with the first
// contender.
func NewRW(c *client.Client, path string, opts ...Option) (*RW, error) {
	o := newOptions(opts)
	r, err := newMutex(c, path, read, o)
	if err != nil {
		return nil, err
	}
	w, err := newMutex(c, path, write, o)
	return &RW{r, w}, err
}

// Reader is the lock as readers have it.
func (l *RW) Reader() *Mutex { return l.reading }

// Writer is the lock as writers have it.
func (l *RW) Writer() *Mutex { return l.writing }

// Downgrade makes a writer a reader, without anybody else writing in between.
// The writer's handle must be its only one; it is released when Downgrade
// succeeds. The token of the reader is larger. When Downgrade fails, the writer
// still has to be unlocked.
//
// The reader's node has the number of the writer's, as with Curator.
func (l *RW) Downgrade(ctx context.Context, w *Held) (*Held, error) {
	if w.handles.Load() != 1 || w.released.Load() {
		return nil, fmt.Errorf("downgrade %s: %w: the writer has other handles or none", w.path, client.ErrBadArguments)
	}
	name := w.path[strings.LastIndexByte(w.path, '/')+1:]
	at := strings.LastIndex(name, write.curator)
	if at < 0 || l.reading.config.Path != w.path[:len(w.path)-len(name)-1] {
		return nil, fmt.Errorf("downgrade %s: %w: not the node of a writer of %s with Curator's names", w.path, client.ErrBadArguments, l.reading.config.Path)
	}
	path := client.Join(l.reading.config.Path, client.UniqueName(read.curator)+name[at+len(write.curator):])
	made, err := l.swap(ctx, w, path)
	if err != nil {
		return nil, fmt.Errorf("downgrade %s: %w", w.path, err)
	}
	w.released.Store(true)
	if lost := w.close(); lost != nil {
		return nil, errors.Join(fmt.Errorf("downgrade %s: %w", w.path, lost), l.reading.config.Client.EnsureDeleted(client.WithinSession(ctx, w.session), path))
	}
	return hold(ctx, w.c, made), nil
}

// swap makes the reader's node and deletes the writer's, at once.
func (l *RW) swap(ctx context.Context, w *Held, path string) (client.Created, error) {
	config := l.reading.config
	opts := []client.CreateOption{client.Ephemeral}
	if config.ACL != nil {
		opts = append(opts, config.ACL)
	}
	in := client.WithinSession(ctx, w.session)
	made := client.Created{Path: path, Session: w.session}
	w.leaving.Store(true)
	for {
		results, err := w.c.Multi(in, client.CreateOp(path, config.Data, opts...), client.DeleteOp(w.path, client.AnyVersion))
		if err == nil {
			made.Stat = results[0].Stat
			return made, nil
		}
		unknown := client.MaybeApplied(err)
		if unknown && ctx.Err() == nil {
			var found bool
			if made.Stat, found, err = lookup(in, w.c, path); err == nil && found {
				return made, nil
			}
			if err == nil {
				continue
			}
		}
		w.leaving.Store(false)
		if unknown || errors.Is(err, client.ErrNoNode) {
			w.end(fmt.Errorf("%w: %s: %w", ErrLost, w.path, err))
			err = errors.Join(err, w.c.EnsureDeleted(in, path))
		}
		return made, err
	}
}

// lookup tells whether there is a node after all that was asked for before.
func lookup(ctx context.Context, c *client.Client, path string) (client.Stat, bool, error) {
	if err := c.Sync(ctx, path); err != nil {
		return client.Stat{}, false, err
	}
	return c.Exists(ctx, path)
}

// Contenders lists who has the lock or waits for it, the first one first.
func (l *RW) Contenders(ctx context.Context) ([]Contender, error) {
	return contenders(ctx, l.reading.config.Client, l.reading.config.Path)
}
