package barrier

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/quollhq/quoll/client"
)

// ErrInside is what Enter fails with for who is inside, and Leave for who is not.
var ErrInside = errors.New("entered already, or not at all")

// readyName is the node that tells that all have come.
const readyName = "ready"

// Double is one participant's side of a double barrier. It is for one goroutine
// at a time. Use a path once, or again only when all have left: who enters while
// others still leave may be let through early.
type Double struct {
	c     *client.Client
	path  string
	n     int
	data  []byte
	acl   client.ACLs
	mine  client.Created // while inside
	enter bool
}

// Option changes how a participant of a double barrier works.
type Option func(*Double)

// WithData is what others see of a participant. Default: the name of the host.
func WithData(data []byte) Option { return func(d *Double) { d.data = data } }

// WithACL protects the nodes of the participant. Default: open to all.
func WithACL(acl client.ACLs) Option { return func(d *Double) { d.acl = acl } }

// NewDouble makes a participant of a barrier for n, on the node path, which
// appears with the first one.
func NewDouble(c *client.Client, path string, n int, opts ...Option) (*Double, error) {
	if err := client.ValidatePath(path); err != nil {
		return nil, fmt.Errorf("barrier: %w", err)
	}
	if n < 1 {
		return nil, fmt.Errorf("barrier %s: %w: %d participants", path, client.ErrBadArguments, n)
	}
	host, _ := os.Hostname() // without one, there is no data
	d := &Double{c: c, path: path, n: n, data: []byte(host)}
	for _, opt := range opts {
		opt(d)
	}
	return d, nil
}

func (d *Double) options(mode client.CreateMode) []client.CreateOption {
	opts := []client.CreateOption{mode}
	if d.acl != nil {
		opts = append(opts, d.acl)
	}
	return opts
}

func (d *Double) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("double barrier %s: %w", d.path, err)
}

// Enter waits until all participants have entered. If it fails, this one has
// not: also when its session ends meanwhile, with [client.ErrSessionExpired].
func (d *Double) Enter(ctx context.Context) error {
	if d.enter {
		return d.failed(ErrInside)
	}
	mine, err := d.register(ctx)
	if err != nil {
		return d.failed(err)
	}
	if err := d.awaitAll(client.WithinSession(ctx, mine.Session)); err != nil {
		if left := d.c.EnsureDeleted(client.WithinSession(ctx, mine.Session), mine.Path); left != nil && ctx.Err() == nil {
			err = errors.Join(err, left)
		}
		return d.failed(err)
	}
	d.mine, d.enter = mine, true
	return nil
}

// register makes the participant's node.
func (d *Double) register(ctx context.Context) (client.Created, error) {
	for {
		made, err := d.c.CreateUnique(ctx, client.Join(d.path, client.UUID()), d.data, d.options(client.Ephemeral)...)
		if !errors.Is(err, client.ErrNoNode) {
			return made, err
		}
		if err := d.c.EnsurePath(ctx, d.path, d.options(client.Container)...); err != nil {
			return made, err
		}
	}
}

// awaitAll waits for the node "ready", or makes it if all are there. The watch
// is set before they are counted: who comes last makes the node after that.
func (d *Double) awaitAll(ctx context.Context) error {
	ready := client.Join(d.path, readyName)
	for {
		_, found, changed, err := d.c.ExistsW(ctx, ready)
		if err != nil {
			return err
		}
		names, err := d.inside(ctx)
		if err != nil || found {
			d.c.ForgetWatch(ready, changed)
			return err
		}
		if len(names) >= d.n {
			d.c.ForgetWatch(ready, changed)
			return d.c.EnsurePath(ctx, ready, d.options(client.Persistent)...)
		}
		select {
		case ev := <-changed:
			switch ev.Type {
			case client.EventCreated:
				return nil
			case client.EventSession:
				return ev.Err
			}
		case <-ctx.Done():
			d.c.ForgetWatch(ready, changed)
			return ctx.Err()
		}
	}
}

// inside lists the nodes of those inside, sorted.
func (d *Double) inside(ctx context.Context) ([]string, error) {
	names, err := d.c.ChildNames(ctx, d.path)
	if errors.Is(err, client.ErrNoNode) {
		return nil, nil
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == readyName })
	slices.Sort(names)
	return names, err
}

// Leave waits until all participants have left. If ctx ends first, it fails, and
// this one has left.
//
// All but the one with the lowest name leave at once and wait for that; it waits
// for the others, one after the other.
func (d *Double) Leave(ctx context.Context) error {
	if !d.enter {
		return d.failed(ErrInside)
	}
	d.enter = false
	in := client.WithinSession(ctx, d.mine.Session)
	err := d.leave(in)
	if err != nil {
		if left := d.c.EnsureDeleted(in, d.mine.Path); left != nil && ctx.Err() == nil {
			err = errors.Join(err, left)
		}
		return d.failed(err)
	}
	if err := d.unready(ctx); err != nil {
		return d.failed(err)
	}
	return nil
}

// unready makes the barrier fit for the next time, also when the session has ended
// meanwhile: who has left may be the last one who does. Nobody can be through the
// next time before this participant has entered again.
func (d *Double) unready(ctx context.Context) error {
	for {
		err := d.c.Delete(ctx, client.Join(d.path, readyName), client.AnyVersion)
		switch {
		case err == nil || errors.Is(err, client.ErrNoNode):
			return nil
		case !client.Transient(err) || d.c.WaitConnected(ctx) != nil:
			return err
		}
	}
}

func (d *Double) leave(ctx context.Context) error {
	name, here := d.mine.Path[strings.LastIndexByte(d.mine.Path, '/')+1:], true
	for {
		names, err := d.inside(ctx)
		if err != nil {
			return err
		}
		at := slices.Index(names, name)
		if here && at < 0 {
			return fmt.Errorf("%s was deleted: %w", d.mine.Path, client.ErrNoNode)
		}
		if here && (at > 0 || len(names) == 1) {
			if err := d.c.EnsureDeleted(ctx, d.mine.Path); err != nil {
				return err
			}
			here = false
			names = slices.Delete(names, at, at+1)
		}
		if len(names) == 0 {
			return nil
		}
		other := names[0]
		if here {
			other = names[len(names)-1]
		}
		if err := d.awaitDeletion(ctx, client.Join(d.path, other)); err != nil {
			return err
		}
	}
}

func (d *Double) awaitDeletion(ctx context.Context, path string) error {
	for {
		_, _, changed, err := d.c.GetW(ctx, path)
		if errors.Is(err, client.ErrNoNode) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case ev := <-changed:
			if ev.Type == client.EventSession {
				return ev.Err
			}
		case <-ctx.Done():
			d.c.ForgetWatch(path, changed)
			return ctx.Err()
		}
	}
}
