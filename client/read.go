package client

import (
	"context"
	"errors"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// pathCall starts a call whose body begins with a node's path.
func (c *Client) pathCall(op proto.Op, path string) (*call, error) {
	if err := ValidatePath(path); err != nil {
		return nil, &OpError{Op: op.String(), Path: path, Err: err}
	}
	q := c.newCall(op, path)
	q.out = c.appendPath(q.out, path)
	return q, nil
}

// appendPath appends path as the server knows it.
func (c *Client) appendPath(b []byte, path string) []byte {
	if c.chroot == "" {
		return jute.AppendString(b, path)
	}
	return jute.AppendString(b, c.serverPath(path))
}

// read asks op of path, which takes a watch flag: to is told once, if it is set.
func (c *Client) read(ctx context.Context, op proto.Op, path string, kind onceKind, to sink) (reply, error) {
	q, err := c.pathCall(op, path)
	if err != nil {
		return reply{}, err
	}
	q.out = jute.AppendBool(q.out, to.set())
	if to.set() {
		q.once = &onceWatch{kind, c.serverPath(path), to}
	}
	return c.do(ctx, q)
}

func decodeStat(d *jute.Decoder) Stat {
	var s proto.Stat
	s.Decode(d)
	return Stat(s)
}

// Get reads a node's data. Data that is null, as it is in a node created
// without any, comes as nil.
func (c *Client) Get(ctx context.Context, path string) ([]byte, Stat, error) {
	return c.get(ctx, path, sink{})
}

// GetW is Get with a watch: the channel yields one event when the data changes
// or the node goes away, and is closed. See [Event] for how it ends otherwise.
func (c *Client) GetW(ctx context.Context, path string) ([]byte, Stat, <-chan Event, error) {
	to := newSink()
	data, stat, err := c.get(ctx, path, to)
	if err != nil {
		return nil, stat, nil, err
	}
	return data, stat, to.ch, nil
}

func (c *Client) get(ctx context.Context, path string, to sink) ([]byte, Stat, error) {
	return dataAndStat(c.read(ctx, proto.OpGetData, path, onceData, to))
}

// dataAndStat takes apart what a call has returned whose reply is that of getData.
func dataAndStat(r reply, err error) ([]byte, Stat, error) {
	if err != nil {
		return nil, Stat{}, err
	}
	data := r.Buffer()
	stat := decodeStat(&r.Decoder)
	return data, stat, r.end()
}

// Exists tells whether there is a node, and its Stat.
func (c *Client) Exists(ctx context.Context, path string) (Stat, bool, error) {
	return c.exists(ctx, path, sink{})
}

// ExistsW is Exists with a watch: the channel yields one event when the node
// comes, goes or gets other data, and is closed.
func (c *Client) ExistsW(ctx context.Context, path string) (Stat, bool, <-chan Event, error) {
	to := newSink()
	stat, found, err := c.exists(ctx, path, to)
	if err != nil {
		return stat, false, nil, err
	}
	return stat, found, to.ch, nil
}

func (c *Client) exists(ctx context.Context, path string, to sink) (Stat, bool, error) {
	r, err := c.read(ctx, proto.OpExists, path, onceData, to)
	if errors.Is(err, ErrNoNode) {
		return Stat{}, false, nil
	}
	if err != nil {
		return Stat{}, false, err
	}
	stat := decodeStat(&r.Decoder)
	if err := r.end(); err != nil {
		return Stat{}, false, err
	}
	return stat, true, nil
}

// Children reads the names of a node's children, in no order, and the node's
// Stat.
func (c *Client) Children(ctx context.Context, path string) ([]string, Stat, error) {
	return c.children(ctx, path, sink{})
}

// ChildrenW is Children with a watch: the channel yields one event when a child
// comes or goes, or the node itself goes away, and is closed.
func (c *Client) ChildrenW(ctx context.Context, path string) ([]string, Stat, <-chan Event, error) {
	to := newSink()
	names, stat, err := c.children(ctx, path, to)
	if err != nil {
		return nil, stat, nil, err
	}
	return names, stat, to.ch, nil
}

func (c *Client) children(ctx context.Context, path string, to sink) ([]string, Stat, error) {
	r, err := c.read(ctx, proto.OpGetChildren2, path, onceChild, to)
	if err != nil {
		return nil, Stat{}, err
	}
	names := r.Strings()
	stat := decodeStat(&r.Decoder)
	return names, stat, r.end()
}

// ChildNames is Children without the Stat.
func (c *Client) ChildNames(ctx context.Context, path string) ([]string, error) {
	r, err := c.read(ctx, proto.OpGetChildren, path, onceChild, sink{})
	if err != nil {
		return nil, err
	}
	names := r.Strings()
	return names, r.end()
}

// AllChildrenNumber counts all nodes below a node.
func (c *Client) AllChildrenNumber(ctx context.Context, path string) (int, error) {
	q, err := c.pathCall(proto.OpGetAllChildrenNumber, path)
	if err != nil {
		return 0, err
	}
	r, err := c.do(ctx, q)
	if err != nil {
		return 0, err
	}
	n := int(r.Int())
	return n, r.end()
}

// Ephemerals lists the ephemeral nodes of this session whose paths start with
// prefix, which is a path; "/" means all.
func (c *Client) Ephemerals(ctx context.Context, prefix string) ([]string, error) {
	q, err := c.pathCall(proto.OpGetEphemerals, prefix)
	if err != nil {
		return nil, err
	}
	r, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	paths := r.Strings()
	for i, p := range paths {
		paths[i] = c.clientPath(p)
	}
	return paths, r.end()
}

// ACL reads a node's access control list. Passwords in it are masked unless
// the client may administrate the node.
func (c *Client) ACL(ctx context.Context, path string) (ACLs, Stat, error) {
	q, err := c.pathCall(proto.OpGetACL, path)
	if err != nil {
		return nil, Stat{}, err
	}
	r, err := c.do(ctx, q)
	if err != nil {
		return nil, Stat{}, err
	}
	acl, stat := decodeACL(&r)
	return acl, stat, r.end()
}

func decodeACL(r *reply) (ACLs, Stat) {
	list := proto.DecodeACLs(&r.Decoder)
	stat := decodeStat(&r.Decoder)
	acl := make(ACLs, len(list))
	for i, a := range list {
		acl[i] = ACL{Perm(a.Perms), a.Scheme, a.ID}
	}
	return acl, stat
}

// Sync lets the client's later reads see everything that was committed before
// Sync was called, by whomever. The path says nothing to servers of today.
func (c *Client) Sync(ctx context.Context, path string) error {
	q, err := c.pathCall(proto.OpSync, path)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, q)
	return err
}
