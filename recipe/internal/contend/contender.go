// Package contend is the queue behind locks and elections: contenders are
// sequential ephemeral children of one node, and the one with the lowest number
// has what they contend for.
//
// Every child counts, whatever program has made it and whatever comes before
// its number; see [Order]. Each contender watches only the one that it waits
// for, so that a change wakes one of them.
package contend

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/quollhq/quoll/client"
)

// ErrGone is the failure of a contender whose node somebody has deleted.
var ErrGone = errors.New("the contender's node was deleted")

// Config says for what and how to contend.
type Config struct {
	Client *client.Client
	Path   string
	// Name draws what comes before the number; it must be unique.
	Name func() string
	Data []byte
	ACL  client.ACLs // nil: open to all
	// Shared contenders wait only for those that are not.
	Shared bool
}

// CuratorName names as Apache Curator does: _c_<uuid>-<kind>.
func CuratorName(kind string) func() string {
	return func() string { return client.UniqueName(kind) }
}

// KazooName names as kazoo does: <uuid without hyphens><kind>.
func KazooName(kind string) func() string {
	return func() string { return NewID() + kind }
}

// NewID is a fresh random identity of 32 hexadecimal digits.
func NewID() string { return strings.ReplaceAll(client.UUID(), "-", "") }

// Contender is a node in the queue.
type Contender struct {
	config Config
	client.Created
	name   string
	number Number
}

// Enter joins the queue, at its end. If it fails, nothing stays in the queue.
func Enter(ctx context.Context, config Config) (*Contender, error) {
	made, err := Create(ctx, config)
	if err != nil {
		return nil, err
	}
	name := made.Path[strings.LastIndexByte(made.Path, '/')+1:]
	number, ok := ParseNumber(name)
	c := &Contender{config, made, name, number}
	if !ok {
		return nil, errors.Join(&OrderError{made.Path}, c.Leave(ctx))
	}
	return c, nil
}

// Create makes a contender's node, and the path if there is none.
func Create(ctx context.Context, config Config) (client.Created, error) {
	opts := []client.CreateOption{client.EphemeralSequential}
	var all []client.CreateOption
	if config.ACL != nil {
		opts, all = append(opts, config.ACL), append(all, config.ACL)
	}
	for {
		made, err := config.Client.CreateUniqueAndList(ctx, client.Join(config.Path, config.Name()), config.Data, opts...)
		if !errors.Is(err, client.ErrNoNode) {
			return made, err
		}
		if err := config.Client.EnsurePath(ctx, config.Path, all...); err != nil {
			return made, err
		}
	}
}

// Name is the name of the contender's node.
func (c *Contender) Name() string { return c.name }

// First tells, of the time when the contender entered, whether nobody was ahead.
func (c *Contender) First() (bool, error) {
	ahead, err := c.ahead(c.Siblings)
	return ahead == "", err
}

// Wait returns when nobody is ahead. It fails with [client.ErrSessionExpired]
// when the contender has gone with its session. After a failure the contender
// may still be in the queue: Leave is due.
func (c *Contender) Wait(ctx context.Context) error {
	ctx = client.WithinSession(ctx, c.Session)
	names := c.Siblings
	for {
		ahead, err := c.ahead(names)
		if err != nil || ahead == "" {
			return err
		}
		if err := awaitDeletion(ctx, c.config.Client, client.Join(c.config.Path, ahead)); err != nil {
			return err
		}
		if names, err = c.config.Client.ChildNames(ctx, c.config.Path); err != nil {
			return err
		}
	}
}

// ahead is the name of the last one before the contender for which it has to
// wait, or "".
func (c *Contender) ahead(names []string) (string, error) {
	entries, err := Order(c.config.Path, names)
	if err != nil {
		return "", err
	}
	nearest, here := "", false
	for _, e := range entries {
		switch {
		case e.Name == c.name:
			here = true
		case e.Number.Before(c.number) && !(c.config.Shared && e.Shared):
			nearest = e.Name
		}
	}
	if !here {
		return "", fmt.Errorf("%s: %w", c.Path, ErrGone)
	}
	return nearest, nil
}

// awaitDeletion returns when there is no node.
func awaitDeletion(ctx context.Context, c *client.Client, path string) error {
	for {
		_, _, changed, err := c.GetW(ctx, path)
		if errors.Is(err, client.ErrNoNode) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case ev := <-changed:
			if ev.Type == client.EventDeleted {
				return nil
			}
			if ev.Type == client.EventSession {
				return fmt.Errorf("waiting for %s: %w", path, ev.Err)
			}
		case <-ctx.Done():
			c.ForgetWatch(path, changed)
			return ctx.Err()
		}
	}
}

// Leave leaves the queue. If ctx ends first, it fails, and the node is deleted
// as soon as possible.
func (c *Contender) Leave(ctx context.Context) error {
	return c.config.Client.EnsureDeleted(client.WithinSession(ctx, c.Session), c.Path)
}
