package discovery

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/quollhq/quoll/client"
)

// keep brings the node into the state that is wanted, in the present session,
// and returns what tells that it is another one.
func (r *Registration) keep(ctx context.Context, in Instance, there bool) (<-chan client.Event, error) {
	if err := r.d.c.WaitConnected(ctx); err != nil {
		return nil, err
	}
	s := r.d.c.Session()
	r.sessions[s.ID()] = true
	ctx = client.WithinSession(ctx, s)
	if !there {
		return nil, r.remove(ctx, in)
	}
	node, err := r.d.layout.Encode(in)
	if err != nil {
		return nil, err
	}
	k := keeper{Registration: r, session: s, service: in.Service, node: node, mode: client.Ephemeral}
	switch {
	case in.Static:
		k.mode = client.Persistent
	case node.Sequential:
		k.mode = client.EphemeralSequential
	}
	for {
		changed, done, err := k.step(ctx)
		if done || err != nil {
			return changed, err
		}
	}
}

// keeper brings a node into its state, step by step. After each step it looks
// again: so it does not matter whether a step whose outcome is unknown took place.
type keeper struct {
	*Registration
	session *client.Session
	service string
	node    Node
	mode    client.CreateMode
}

// target is the path that the node has, or is to have; "" if the server decides.
func (k *keeper) target() string {
	if !k.node.Sequential {
		return client.Join(k.dir, k.node.Name)
	}
	return k.path
}

func (k *keeper) step(ctx context.Context) (changed <-chan client.Event, done bool, err error) {
	path := k.target()
	if path == "" {
		return nil, false, k.number(ctx)
	}
	data, stat, ch, err := k.d.c.GetW(ctx, path)
	if errors.Is(err, client.ErrNoNode) {
		return nil, false, k.missing(ctx, path)
	}
	if err != nil {
		return nil, false, err
	}
	mine := stat.EphemeralOwner == k.session.ID() || k.mode == client.Persistent && stat.EphemeralOwner == 0
	old, wanted := k.path, k.node.Data
	switch {
	case mine && (old == path || old == "") && bytes.Equal(data, wanted), mine && old == path && bytes.Equal(k.wrote, wanted):
		// In the second case somebody has edited it, which stands until Update.
		k.path, k.wrote = path, wanted
		return ch, true, nil
	case mine && bytes.Equal(data, wanted): // the instance has got another name
		if err = again(k.d.c.Delete(ctx, old, client.AnyVersion)); err == nil {
			k.path = path
		}
	case mine:
		_, err = k.d.c.Set(ctx, path, wanted, stat.Version)
	case old == path && !k.sessions[stat.EphemeralOwner]:
		err = &NodeError{path, fmt.Errorf("%w: it is at %s now", ErrReplaced, k.where(path, data))}
	default:
		// Another program's, or what another life of this one has left, which is to expire.
		k.d.log.Warn("an instance has this id already, and is replaced", "path", path, "address", k.where(path, data))
		_, err = k.d.c.Multi(ctx, client.DeleteOp(path, stat.Version), k.create(path))
	}
	k.d.c.ForgetWatch(path, ch)
	return nil, false, again(err)
}

// where tells where the instance is that a node stands for.
func (k *keeper) where(path string, data []byte) string {
	in, err := k.d.layout.Decode(k.service, path, data)
	if err != nil {
		return "an unknown address"
	}
	return in.HostPort()
}

// again passes over the failure of a step that somebody else was faster than.
func again(err error) error {
	for _, target := range []error{client.ErrNoNode, client.ErrNodeExists, client.ErrBadVersion} {
		if errors.Is(err, target) {
			return nil
		}
	}
	return err
}

func (k *keeper) create(path string) client.Op {
	if k.d.acl != nil {
		return client.CreateOp(path, k.node.Data, k.mode, k.d.acl)
	}
	return client.CreateOp(path, k.node.Data, k.mode)
}

func (k *keeper) make(ctx context.Context, path string) (string, error) {
	results, err := k.d.c.Multi(ctx, k.create(path))
	if errors.Is(err, client.ErrNoNode) {
		opts := []client.CreateOption{}
		if k.d.acl != nil {
			opts = append(opts, k.d.acl)
		}
		return "", k.d.c.EnsurePath(ctx, k.dir, opts...)
	}
	if err != nil {
		return "", err
	}
	return results[0].Path, nil
}

// missing makes the node that is not there.
func (k *keeper) missing(ctx context.Context, path string) error {
	if k.node.Sequential {
		k.path = "" // another one gets another number
		return nil
	}
	_, err := k.make(ctx, path)
	return again(err)
}

// number makes a sequential node, unless one was made whose reply got lost.
func (k *keeper) number(ctx context.Context) error {
	prefix := client.Join(k.dir, k.node.Name)
	if k.tried != nil {
		path, err := k.recover(ctx, prefix)
		if err != nil || path != "" {
			k.path = path
			return err
		}
	}
	k.tried = k.node.Data
	path, err := k.make(ctx, prefix)
	if !client.MaybeApplied(err) {
		k.tried = nil
	}
	k.path = path
	return err
}

// recover finds the sequential node of the last attempt, "" if it was not made.
func (r *Registration) recover(ctx context.Context, prefix string) (path string, err error) {
	if err := r.d.c.Sync(ctx, r.dir); err != nil {
		return "", err
	}
	have, err := r.d.c.Ephemerals(ctx, prefix)
	for _, path := range have {
		data, _, err := r.d.c.Get(ctx, path)
		if err != nil {
			return "", again(err)
		}
		if bytes.Equal(data, r.tried) {
			r.tried = nil
			return path, nil
		}
	}
	if err == nil {
		r.tried = nil
	}
	return "", err
}

// remove deletes the instance's node, if it is still the instance's.
func (r *Registration) remove(ctx context.Context, in Instance) error {
	path, err := r.present(ctx, in)
	for err == nil && path != "" {
		var stat client.Stat
		var found bool
		if stat, found, err = r.d.c.Exists(ctx, path); err != nil {
			break
		}
		if mine := r.sessions[stat.EphemeralOwner] || in.Static && stat.EphemeralOwner == 0; !found || !mine {
			break
		}
		err = again(r.d.c.Delete(ctx, path, stat.Version))
	}
	if err == nil {
		r.path, r.wrote = "", nil
	}
	return err
}

// present is the path of the node that the instance has, or may have.
func (r *Registration) present(ctx context.Context, in Instance) (string, error) {
	if r.path != "" {
		return r.path, nil
	}
	node, err := r.d.layout.Encode(in)
	switch {
	case err != nil:
		return "", err
	case !node.Sequential:
		return client.Join(r.dir, node.Name), nil
	case r.tried != nil:
		return r.recover(ctx, client.Join(r.dir, node.Name))
	}
	return "", nil
}
