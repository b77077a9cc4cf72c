// Package group keeps track of who is there: members register with an id and
// data, and everybody can list and follow them.
//
//	g, err := group.New(c, "/app/workers")
//	...
//	m, err := g.Join(ctx, "worker-7", []byte("10.0.0.7:8080"))
//	...
//	defer m.Leave(ctx)
//	for members, err := range g.Watch(ctx) { ... }
//
// # What is guaranteed
//
// A member is an ephemeral node. From Join until Leave it is kept there: when its
// session has expired, or somebody has deleted the node, it registers again.
// A member whose process has died is listed until its session expires. An id is
// one member's at a time; who joins with one that is taken, for example by its own
// former life, waits until it is free.
//
// A watcher sees the members as they are after each change; changes that come
// fast may be seen as one. What it sees is never older than what it saw before.
//
// # With other programs
//
// Nodes have the form of Apache Curator's GroupMember, or with [KazooParty] and
// [KazooShallowParty] of kazoo's Party and ShallowParty.
package group

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/internal/contend"
)

// Layout is the form of a member's node.
type Layout int

// The layouts.
const (
	// Curator is that of Apache Curator's GroupMember: the name is the id.
	Curator Layout = iota
	// KazooParty is that of kazoo's Party: the data are the id, and members have
	// none of their own.
	KazooParty
	// KazooShallowParty is that of kazoo's ShallowParty: id and data as with
	// KazooParty, the id in the name, too.
	KazooShallowParty
)

const partyMark = "__party__"

// Option changes how a group works.
type Option func(*Group)

// WithLayout is the form of the members' nodes. Default: [Curator].
func WithLayout(l Layout) Option { return func(g *Group) { g.layout = l } }

// WithACL protects the nodes that the group makes. Default: open to all.
func WithACL(acl client.ACLs) Option { return func(g *Group) { g.acl = acl } }

// Group is a set of members.
type Group struct {
	c      *client.Client
	path   string
	layout Layout
	acl    client.ACLs
}

// New makes a group whose members are the children of path, which appears with
// the first one.
func New(c *client.Client, path string, opts ...Option) (*Group, error) {
	if err := client.ValidatePath(path); err != nil {
		return nil, fmt.Errorf("group: %w", err)
	}
	g := &Group{c: c, path: path}
	for _, opt := range opts {
		opt(g)
	}
	return g, nil
}

// Info is what a group knows of a member.
type Info struct {
	ID   string
	Data []byte
	Path string
	Stat client.Stat
}

// name draws the name of a member's node.
func (g *Group) name(id string) string {
	switch g.layout {
	case KazooParty:
		return contend.NewID() + partyMark
	case KazooShallowParty:
		return contend.NewID() + "-" + id
	}
	return id
}

// hexID is the length of what kazoo puts before an id.
const hexID = 32

// info reads a member's node; ok is false for other nodes.
func (g *Group) info(name string, data []byte, stat client.Stat) (i Info, ok bool) {
	i = Info{Path: client.Join(g.path, name), Stat: stat}
	switch {
	case g.layout == Curator:
		i.ID, i.Data = name, data
		return i, true
	case g.layout == KazooParty:
		i.ID = string(data)
		return i, strings.HasSuffix(name, partyMark)
	case len(name) > hexID && name[hexID] == '-':
		i.ID = name[hexID+1:]
		return i, true
	}
	return i, false
}

// Members lists the members, sorted by id.
func (g *Group) Members(ctx context.Context) ([]Info, error) {
	names, err := g.c.ChildNames(ctx, g.path)
	if errors.Is(err, client.ErrNoNode) {
		return nil, nil
	}
	var list []Info
	for part := range slices.Chunk(names, 256) {
		if err != nil {
			break
		}
		var some []Info
		some, err = g.read(ctx, part)
		list = append(list, some...)
	}
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", g.path, err)
	}
	slices.SortFunc(list, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Stat.Czxid, b.Stat.Czxid))
	})
	return list, nil
}

// read reads members; those that have gone meanwhile are left out.
func (g *Group) read(ctx context.Context, names []string) ([]Info, error) {
	ops := make([]client.ReadOp, len(names))
	for i, name := range names {
		ops[i] = client.GetOp(client.Join(g.path, name))
	}
	results, err := g.c.MultiRead(ctx, ops...)
	if err != nil {
		return nil, err
	}
	var list []Info
	for i, r := range results {
		if errors.Is(r.Err, client.ErrNoNode) {
			continue
		}
		if r.Err != nil {
			return nil, fmt.Errorf("%s: %w", client.Join(g.path, names[i]), r.Err)
		}
		if m, ok := g.info(names[i], r.Data, r.Stat); ok {
			list = append(list, m)
		}
	}
	return list, nil
}

// Watch ranges over the members: those at present, and those after each change.
// The last pair holds the error that ended it, that of ctx included.
func (g *Group) Watch(ctx context.Context) iter.Seq2[[]Info, error] {
	return func(yield func([]Info, error) bool) {
		var last []Info
		known := false
		for {
			err := g.follow(ctx, func(now []Info) bool {
				if known && slices.EqualFunc(now, last, same) {
					return true
				}
				last, known = now, true
				return yield(now, nil)
			})
			if err == nil {
				return
			}
			if errors.Is(err, client.ErrSessionExpired) && g.c.WaitConnected(ctx) == nil {
				continue
			}
			yield(nil, err)
			return
		}
	}
}

func same(a, b Info) bool { return a.Path == b.Path && a.Stat == b.Stat }

// follow tells of the members until tell returns false. The watch is set before
// they are read, so that no change falls in between.
func (g *Group) follow(ctx context.Context, tell func([]Info) bool) error {
	w, err := g.c.AddWatch(ctx, g.path, client.WatchTree)
	if err != nil {
		return fmt.Errorf("group: %w", err)
	}
	defer w.Release()
	for {
		members, err := g.Members(ctx)
		if err != nil {
			return err
		}
		if !tell(members) {
			return nil
		}
		if _, err := w.Next(ctx); err != nil {
			return fmt.Errorf("group %s: %w", g.path, err)
		}
		for more := true; more; {
			_, more = w.TryNext()
		}
	}
}
