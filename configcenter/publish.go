package configcenter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/quollhq/quoll/client"
)

// Change is what to publish.
type Change struct {
	// Set are properties to add or replace, Delete those to remove.
	Set    map[string]string
	Delete []string
	// Author and Reason are for the record.
	Author, Reason string
	// Base, if it is not 0, is the revision that the change was made from, or
	// NeverPublished: if it is not the last one any more, publishing fails with
	// ErrConflict.
	Base int64
}

// NeverPublished is the Base of a change that is to be the first of its context.
const NeverPublished = -1

// Publish changes properties of a context, all at once, and records it as a
// revision. If it fails nothing has changed. If what was published is there
// already it fails with ErrUnchanged.
func (c *Center) Publish(ctx context.Context, name string, change Change) (Revision, error) {
	if len(change.Set) > 0 {
		if err := checkNew(name, change.Set); err != nil {
			return Revision{}, fmt.Errorf("configcenter: %w", err)
		}
	}
	return c.publish(ctx, name, change, func(*state) (step, error) {
		return step{action: ActionPublish, set: change.Set, remove: change.Delete}, nil
	})
}

// Rollback publishes the properties of an earlier revision anew. Set and Delete
// of the change are not used.
func (c *Center) Rollback(ctx context.Context, name string, to int64, change Change) (Revision, error) {
	r, err := c.Revision(ctx, name, to)
	if err != nil {
		return Revision{}, err
	}
	if change.Reason == "" {
		change.Reason = fmt.Sprintf("back to revision %d", to)
	}
	return c.publish(ctx, name, change, func(s *state) (step, error) {
		st := step{action: ActionRollback, set: make(map[string]string)}
		for _, d := range Diff(s.values(), r.Properties) {
			if d.Removed {
				st.remove = append(st.remove, d.Key)
			} else {
				st.set[d.Key] = d.New
			}
		}
		return st, nil
	})
}

// step is one change of a context that becomes a revision.
type step struct {
	action string
	canary string
	set    map[string]string
	remove []string
	ops    []client.Op // besides those of properties
}

// publish makes a revision of a step, which is planned anew when somebody else
// was faster.
func (c *Center) publish(ctx context.Context, name string, change Change, plan func(*state) (step, error)) (Revision, error) {
	r, err := c.tryPublish(ctx, name, change, plan)
	if err != nil {
		return r, fmt.Errorf("configcenter: publishing in %s: %w", c.dir(name), err)
	}
	c.log.Info("published", "context", name, "revision", r.Number, "action", r.Action, "author", r.Author, "reason", r.Reason)
	c.prune(ctx, name, r.Number)
	return r, nil
}

func (c *Center) tryPublish(ctx context.Context, name string, change Change, plan func(*state) (step, error)) (Revision, error) {
	if err := checkName("context", name); err != nil {
		return Revision{}, err
	}
	r := Revision{ID: client.UUID(), Author: change.Author, Reason: change.Reason, Identities: c.identities(ctx)}
	tidy := true
	for range rounds {
		states, err := c.read(ctx, newKnown(c, name))
		if err != nil {
			return r, err
		}
		s := states[name]
		if change.Base != 0 && max(change.Base, 0) != s.revision {
			return r, fmt.Errorf("%w: the last revision is %d, not %d", ErrConflict, s.revision, change.Base)
		}
		st, err := plan(s)
		if err != nil {
			return r, err
		}
		ops, err := c.operations(name, s, st, tidy, &r)
		if err != nil {
			return r, err
		}
		err = c.commit(ctx, name, ops, &r)
		if tidy && errors.Is(err, client.ErrNoAuth) {
			tidy = false // perhaps it is a step of somebody else's, which then stays
			continue
		}
		if err == nil || !lostRace(err) {
			return r, err
		}
	}
	return r, ErrConflict
}

// lostRace tells whether a publication was refused because the context has
// changed since it was read.
func lostRace(err error) bool {
	return errors.Is(err, client.ErrBadVersion) || errors.Is(err, client.ErrNodeExists) ||
		errors.Is(err, client.ErrNoNode) || errors.Is(err, client.ErrNotEmpty)
}

// identities are those as which the server knows the client; none if it does not
// say.
func (c *Center) identities(ctx context.Context) (list []string) {
	infos, err := c.c.WhoAmI(ctx)
	if err != nil {
		return nil
	}
	for _, info := range infos {
		list = append(list, info.Scheme+":"+info.User)
	}
	return list
}

// operations makes a step's operations and completes its revision.
func (c *Center) operations(name string, s *state, st step, tidy bool, r *Revision) ([]client.Op, error) {
	r.Number, r.Action, r.Canary, r.Time = s.revision+1, st.action, st.canary, time.Now().UTC().Truncate(time.Millisecond)
	e, size := newEdit(c, name, s, tidy), 0
	for _, key := range slices.Sorted(maps.Keys(st.set)) {
		if err := checkKey(key); err != nil {
			return nil, err
		}
		if slices.Contains(st.remove, key) {
			return nil, fmt.Errorf("%w: property %q is both set and deleted", ErrInvalid, key)
		}
		e.set(key, st.set[key])
		size += len(key) + len(st.set[key])
	}
	e.remove(st.remove)
	if err := e.check(); err != nil {
		return nil, err
	}
	ops := append(slices.Clone(st.ops), e.ops...)
	if len(ops) == 0 {
		return nil, ErrUnchanged
	}
	r.Properties = e.after
	record, err := r.encode()
	if err != nil {
		return nil, err
	}
	ops = append(ops, c.createOp(c.revisionPath(name, r.Number), record), c.headOp(name, s, r.Number))
	if size += len(record) + len(ops)*(operationSize+len(c.revisionPath(name, r.Number))); size > c.packet {
		return nil, fmt.Errorf("%w: revision %d needs %d bytes, a packet has %d", ErrTooLarge, r.Number, size, c.packet)
	}
	return ops, nil
}

// operationSize is what an operation of a multi takes besides path and data, in
// bytes: header, lengths, version, an ACL.
const operationSize = 64

func (c *Center) headOp(name string, s *state, number int64) client.Op {
	data := strconv.AppendInt(nil, number, 10)
	if s.head < 0 {
		return c.createOp(c.headPath(name), data)
	}
	return client.SetOp(c.headPath(name), data, s.head)
}

func (c *Center) createOp(path string, data []byte) client.Op {
	if c.acl != nil {
		return client.CreateOp(path, data, c.acl)
	}
	return client.CreateOp(path, data)
}

// commit does the operations, over connections that break.
func (c *Center) commit(ctx context.Context, name string, ops []client.Op, r *Revision) error {
	opts := []client.CreateOption{client.Persistent}
	if c.acl != nil {
		opts = append(opts, c.acl)
	}
	for _, dir := range []string{c.dir(name), c.revisionDir(name), c.canaryDir(name)} {
		if err := c.c.EnsurePath(ctx, dir, opts...); err != nil {
			return err
		}
	}
	for {
		_, err := c.c.Multi(ctx, ops...)
		if !client.MaybeApplied(err) || ctx.Err() != nil {
			return err
		}
		there, unknown := c.lookup(ctx, name, r.Number)
		switch {
		case unknown == nil && there.ID == r.ID:
			return nil
		case unknown != nil && !errors.Is(unknown, ErrUnknown):
			return errors.Join(err, unknown) // of which the first says that it may have been published
		}
	}
}

// lookup is Revision, of all that was asked for before, over connections that
// break and sessions that expire.
func (c *Center) lookup(ctx context.Context, name string, number int64) (r Revision, err error) {
	for range rounds {
		if err = c.c.Sync(ctx, c.meta); err == nil {
			r, err = c.Revision(ctx, name, number)
		}
		if !client.Transient(err) || c.c.WaitConnected(ctx) != nil {
			break
		}
	}
	return r, err
}

// prune removes revisions that are too old. What fails is done next time.
func (c *Center) prune(ctx context.Context, name string, last int64) {
	numbers, err := c.numbers(ctx, name)
	for _, n := range numbers {
		if n > last-c.history || err != nil {
			break
		}
		err = c.c.Delete(ctx, c.revisionPath(name, n), client.AnyVersion)
		if errors.Is(err, client.ErrNoNode) {
			err = nil
		}
	}
	if err != nil {
		c.log.Warn("old revisions not removed", "context", name, "error", err)
	}
}
