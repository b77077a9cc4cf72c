package group

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/quollhq/quoll/client"
)

// ErrTaken is what Join fails with, besides its context's error, when another
// member has the id.
var ErrTaken = errors.New("another member has this id")

// Member is this program's membership of a group.
type Member struct {
	g      *Group
	path   string
	cancel context.CancelFunc
	done   chan struct{} // closed when keep has ended

	mu      sync.Mutex
	data    []byte
	session *client.Session // that of the node
	err     error           // why the membership is kept no more
}

// Join registers a member, and keeps it registered until Leave. A client joins
// with an id once at a time.
func (g *Group) Join(ctx context.Context, id string, data []byte) (*Member, error) {
	if g.layout != Curator {
		if data != nil {
			return nil, fmt.Errorf("group %s: %w: kazoo's members have no data", g.path, client.ErrBadArguments)
		}
		data = []byte(id)
	}
	path := client.Join(g.path, g.name(id))
	if err := client.ValidatePath(path); err != nil || id == "" || strings.Contains(id, "/") {
		return nil, fmt.Errorf("group %s: %w: %q is no id", g.path, client.ErrBadArguments, id)
	}
	m := &Member{g: g, path: path, data: bytes.Clone(data), done: make(chan struct{})}
	if err := m.register(ctx); err != nil {
		return nil, fmt.Errorf("group: %w", err)
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.cancel = cancel
	go func() {
		defer close(m.done)
		err := m.keep(life)
		m.mu.Lock()
		m.err = err
		m.mu.Unlock()
	}()
	return m, nil
}

// Path is the member's node.
func (m *Member) Path() string { return m.path }

// Done is closed when the membership is kept no more: after Leave, or because
// the client was closed or a server refused. Then Err says why.
func (m *Member) Done() <-chan struct{} { return m.done }

// Err is why the membership is kept no more; nil while it is.
func (m *Member) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// keep registers the member whenever it is not.
func (m *Member) keep(ctx context.Context) error {
	for {
		err := m.follow(ctx)
		if errors.Is(err, client.ErrSessionExpired) {
			err = m.g.c.WaitConnected(ctx)
		}
		if err == nil {
			err = m.register(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// follow returns when the node is gone.
func (m *Member) follow(ctx context.Context) error {
	m.mu.Lock()
	in := client.WithinSession(ctx, m.session)
	m.mu.Unlock()
	for {
		stat, found, changed, err := m.g.c.ExistsW(in, m.path)
		if err != nil {
			return err
		}
		if !found || !m.owns(stat) {
			m.g.c.ForgetWatch(m.path, changed)
			return nil
		}
		select {
		case ev := <-changed:
			if ev.Type == client.EventSession {
				return ev.Err
			}
		case <-ctx.Done():
			m.g.c.ForgetWatch(m.path, changed)
			return ctx.Err()
		}
	}
}

// owns tells whether a node is of the member's session.
func (m *Member) owns(stat client.Stat) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session != nil && stat.EphemeralOwner == m.session.ID()
}

// register makes the node, when nobody else has one of its name.
func (m *Member) register(ctx context.Context) error {
	for {
		err := m.create(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, client.ErrNoNode):
			if err := m.g.c.EnsurePath(ctx, m.g.path, m.g.options(client.Container)...); err != nil {
				return err
			}
		case errors.Is(err, client.ErrSessionExpired):
			if ended := m.g.c.WaitConnected(ctx); ended != nil {
				return err
			}
		case !errors.Is(err, client.ErrNodeExists):
			return err
		default:
			if err := m.awaitFree(ctx); err != nil {
				return err
			}
		}
	}
}

func (g *Group) options(mode client.CreateMode) []client.CreateOption {
	opts := []client.CreateOption{mode}
	if g.acl != nil {
		opts = append(opts, g.acl)
	}
	return opts
}

// create makes one attempt. Nobody else of this session uses the path, so that
// a creation whose outcome is unknown is recovered by its name.
func (m *Member) create(ctx context.Context) error {
	m.mu.Lock()
	data := m.data
	m.mu.Unlock()
	made, err := m.g.c.CreateUnique(ctx, m.path, data, m.g.options(client.Ephemeral)...)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session = made.Session
	return nil
}

// awaitFree returns when nobody has the id.
func (m *Member) awaitFree(ctx context.Context) error {
	_, found, changed, err := m.g.c.ExistsW(ctx, m.path)
	if err != nil {
		return err
	}
	if !found {
		m.g.c.ForgetWatch(m.path, changed)
		return nil
	}
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		m.g.c.ForgetWatch(m.path, changed)
		return fmt.Errorf("%s: %w: %w", m.path, ErrTaken, ctx.Err())
	}
}

// Update replaces the member's data. If it fails because there is no node at the
// moment, the next one has the new data.
func (m *Member) Update(ctx context.Context, data []byte) error {
	if m.g.layout != Curator {
		return fmt.Errorf("group %s: %w: kazoo's members have no data", m.g.path, client.ErrBadArguments)
	}
	m.mu.Lock()
	m.data = bytes.Clone(data)
	in := client.WithinSession(ctx, m.session)
	m.mu.Unlock()
	for {
		_, err := m.g.c.Set(in, m.path, data, client.AnyVersion)
		if ctx.Err() == nil && errors.Is(err, client.ErrConnectionLoss) && client.MaybeApplied(err) {
			continue // the same data once more do no harm
		}
		if err != nil {
			return fmt.Errorf("group: %w", err)
		}
		return nil
	}
}

// Leave ends the membership. If ctx ends first, it fails, and the node is
// deleted as soon as a server can be reached.
func (m *Member) Leave(ctx context.Context) error {
	m.cancel()
	<-m.done
	m.mu.Lock()
	session := m.session
	m.mu.Unlock()
	in := client.WithinSession(ctx, session)
	stat, found, err := m.g.c.Exists(in, m.path)
	switch {
	case errors.Is(err, client.ErrSessionExpired):
		return nil
	case err == nil && (!found || !m.owns(stat)):
		return nil
	}
	if err := m.g.c.EnsureDeleted(in, m.path); err != nil {
		return fmt.Errorf("group: %w", err)
	}
	return nil
}
