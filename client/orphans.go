package client

import (
	"context"
	"slices"
	"strings"
)

// orphan is a node that CreateUnique may have made although it has failed.
type orphan struct {
	node uniqueNode
	home home
}

// home is where an orphan is looked for.
type home struct {
	parent    string
	session   *Session // that requests are bound to; nil if the caller's were not
	ephemeral bool     // it is of that session, then
}

// orphanRun is how many orphans are asked for, or deleted, in one write.
const orphanRun = 64

// disown deletes in the background what an attempt may have made. One task of the
// client does it for all: however many callers give up, the children of a parent
// are listed once for all that have done so until then.
func (c *Client) disown(ctx context.Context, u *uniqueNode) {
	parent, _ := u.split()
	o := orphan{uniqueNode{path: u.path, creation: creation{mode: u.mode}}, home{parent, boundTo(ctx), u.ephemeral()}}
	c.mu.Lock()
	idle := !c.cleaning
	c.orphans, c.cleaning = append(c.orphans, o), true
	c.mu.Unlock()
	if idle {
		c.Background(context.Background(), c.cleanUp)
	}
}

// cleanUp deletes orphans until there are none.
func (c *Client) cleanUp(ctx context.Context) {
	var left []orphan
	for {
		c.mu.Lock()
		left = append(left, c.orphans...)
		c.orphans, c.cleaning = nil, len(left) > 0
		c.mu.Unlock()
		if len(left) == 0 {
			return
		}
		homes := make(map[home][]orphan)
		for _, o := range left {
			homes[o.home] = append(homes[o.home], o)
		}
		left = left[:0]
		for at, orphans := range homes {
			in := ctx
			if at.session != nil {
				in = WithinSession(ctx, at.session)
			}
			err := c.deleteOrphans(in, at, orphans)
			if retryable(err) && !c.ended() && (at.session == nil || !at.session.over()) {
				left = append(left, orphans...) // those that are gone are not found again
			}
		}
	}
}

// deleteOrphans deletes those orphans of a home that there are. If it fails, some
// may be left.
func (c *Client) deleteOrphans(ctx context.Context, at home, orphans []orphan) error {
	names, err := c.presentChildren(ctx, at.parent)
	if err != nil {
		return err
	}
	slices.Sort(names)
	var found []string // paths
	for _, o := range orphans {
		_, name := o.node.split()
		for i, _ := slices.BinarySearch(names, name); i < len(names) && strings.HasPrefix(names[i], name); i++ {
			if o.node.is(names[i]) {
				found = append(found, Join(at.parent, names[i]))
				break
			}
		}
	}
	for run := range slices.Chunk(found, orphanRun) {
		if err := c.deleteOwn(ctx, at, run); retryable(err) {
			return err
		}
	}
	return nil
}

// deleteOwn deletes nodes, but for somebody else's. It gives a failure that is
// worth another attempt, if there is one.
func (c *Client) deleteOwn(ctx context.Context, at home, paths []string) error {
	look, remove := c.Batch(), c.Batch()
	var there []*Pending[NodeExists]
	for _, path := range paths {
		there = append(there, look.Exists(path))
	}
	if err := look.Do(ctx); err != nil {
		return err
	}
	var removed []*Pending[struct{}]
	for i, path := range paths {
		n := there[i].Value()
		mine := !at.ephemeral || n.Stat.EphemeralOwner == at.session.id
		if n.Found && mine {
			removed = append(removed, remove.Delete(path, AnyVersion))
		}
	}
	_ = remove.Do(ctx) // each has its failure
	for _, r := range removed {
		if retryable(r.Err()) {
			return r.Err()
		}
	}
	return nil
}
