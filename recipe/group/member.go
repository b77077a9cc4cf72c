package group

import (
	"context"
	"fmt"
	"strings"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/node"
)

// ErrTaken is what Join fails with, besides its context's error, when another
// member has the id.
var ErrTaken = node.ErrTaken

// Member is this program's membership of a group.
type Member struct {
	g    *Group
	node *node.Kept
}

// Join registers a member, and keeps it registered until Leave. A client joins
// with an id once at a time.
func (g *Group) Join(ctx context.Context, id string, data []byte) (*Member, error) {
	if g.layout != Curator {
		if data != nil {
			return nil, g.noData()
		}
		data = []byte(id)
	}
	path := client.Join(g.path, g.name(id))
	if err := client.ValidatePath(path); err != nil || id == "" || strings.Contains(id, "/") {
		return nil, fmt.Errorf("group %s: %w: %q is no id", g.path, client.ErrBadArguments, id)
	}
	var opts []node.Option
	if g.acl != nil {
		opts = append(opts, node.WithACL(g.acl))
	}
	kept, err := node.Keep(ctx, g.c, path, data, opts...)
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", g.path, err)
	}
	return &Member{g, kept}, nil
}

func (g *Group) noData() error {
	return fmt.Errorf("group %s: %w: kazoo's members have no data", g.path, client.ErrBadArguments)
}

// Path is the member's node.
func (m *Member) Path() string { return m.node.Path() }

// Done is closed when the membership is kept no more: after Leave, or because
// the client was closed or a server refused. Then Err says why.
func (m *Member) Done() <-chan struct{} { return m.node.Done() }

// Err is why the membership is kept no more; nil while it is.
func (m *Member) Err() error { return m.node.Err() }

// Update replaces the member's data. If it fails because there is no node at the
// moment, the next one has the new data.
func (m *Member) Update(ctx context.Context, data []byte) error {
	if m.g.layout != Curator {
		return m.g.noData()
	}
	if err := m.node.Set(ctx, data); err != nil {
		return fmt.Errorf("group %s: %w", m.g.path, err)
	}
	return nil
}

// Leave ends the membership. If ctx ends first, it fails, and the node is
// deleted as soon as a server can be reached.
func (m *Member) Leave(ctx context.Context) error {
	if err := m.node.Close(ctx); err != nil {
		return fmt.Errorf("group %s: %w", m.g.path, err)
	}
	return nil
}
