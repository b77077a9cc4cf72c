package client

import (
	"context"
	"fmt"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// CreateMode says what kind of node Create makes.
type CreateMode int32

// The modes. Sequential nodes get the parent's counter, ten digits, appended
// to their path. The default is Persistent.
const (
	// Persistent: until it is deleted.
	Persistent CreateMode = CreateMode(proto.FlagPersistent)
	// Ephemeral: until the session ends; it can have no children.
	Ephemeral CreateMode = CreateMode(proto.FlagEphemeral)
	// PersistentSequential is Persistent, with a number.
	PersistentSequential CreateMode = CreateMode(proto.FlagPersistentSequential)
	// EphemeralSequential is Ephemeral, with a number.
	EphemeralSequential CreateMode = CreateMode(proto.FlagEphemeralSequential)
	// Container: until it has had children and has none any more.
	Container CreateMode = CreateMode(proto.FlagContainer)
)

// Sequential tells whether the server appends a number.
func (m CreateMode) Sequential() bool {
	return m == PersistentSequential || m == EphemeralSequential
}

// TTL, as an option of Create, lets the server delete a persistent node that
// has no children and was not changed for this long. It counts in
// milliseconds. Servers need it enabled (extendedTypesEnabled).
type TTL time.Duration

// CreateOption is a [CreateMode], a [TTL] or [ACLs].
type CreateOption interface{ applyTo(*creation) }

type creation struct {
	mode   CreateMode
	ttl    time.Duration
	hasTTL bool // also if ttl is 0, which is refused: it must not mean a node for ever
	acl    ACLs
}

func (m CreateMode) applyTo(p *creation) { p.mode = m }
func (t TTL) applyTo(p *creation)        { p.ttl, p.hasTTL = time.Duration(t), true }
func (a ACLs) applyTo(p *creation)       { p.acl = a }

func newCreation(opts []CreateOption) creation {
	var p creation
	for _, o := range opts {
		o.applyTo(&p)
	}
	return p
}

// op is the operation that makes such a node. Plain nodes can be made with or
// without a Stat in the reply.
func (p *creation) op(withStat bool) proto.Op {
	switch {
	case p.hasTTL:
		return proto.OpCreateTTL
	case p.mode == Container:
		return proto.OpCreateContainer
	case withStat:
		return proto.OpCreate2
	}
	return proto.OpCreate
}

func (p *creation) check() error {
	if !p.hasTTL {
		return nil
	}
	if p.mode != Persistent && p.mode != PersistentSequential {
		return fmt.Errorf("%w: only persistent nodes have a time to live", ErrBadArguments)
	}
	if ms := p.ttl.Milliseconds(); ms <= 0 || ms > proto.MaxTTL {
		return fmt.Errorf("%w: time to live of %v is not one of 1 to %d ms", ErrBadArguments, p.ttl, proto.MaxTTL)
	}
	return nil
}

// appendTo appends what follows the path in a create request.
func (p *creation) appendTo(b, data []byte) []byte {
	b = jute.AppendBuffer(b, data)
	acl := p.acl
	if acl == nil {
		acl = ACLs{{PermAll, "world", "anyone"}}
	}
	b = appendACLs(b, acl)
	flags := int32(p.mode)
	if p.hasTTL {
		flags = proto.FlagPersistentTTL
		if p.mode.Sequential() {
			flags = proto.FlagPersistentSequentialTTL
		}
		b = jute.AppendInt(b, flags)
		return jute.AppendLong(b, p.ttl.Milliseconds())
	}
	return jute.AppendInt(b, flags)
}

func appendACLs(b []byte, acl ACLs) []byte {
	b = jute.AppendInt(b, int32(len(acl)))
	for i := range acl {
		b = jute.AppendInt(b, int32(acl[i].Perms))
		b = jute.AppendString(b, acl[i].Scheme)
		b = jute.AppendString(b, acl[i].ID)
	}
	return b
}

// createPath checks the path that Create was given: for a sequential node a
// prefix, which may end in a slash.
func createPath(path string, mode CreateMode) error {
	if mode.Sequential() {
		return ValidatePath(path + "1")
	}
	return ValidatePath(path)
}

// Create makes a node and returns its path, which is longer than the one given
// if the mode is sequential. Its parent must be there. Without options the
// node is persistent and open to all:
//
//	c.Create(ctx, "/app/jobs/job-", data, client.EphemeralSequential)
//	c.Create(ctx, "/app/cache", nil, client.TTL(time.Hour), client.CreatorACL())
func (c *Client) Create(ctx context.Context, path string, data []byte, opts ...CreateOption) (string, error) {
	p := newCreation(opts)
	made, _, err := c.create(ctx, p.op(false), path, data, &p)
	return made, err
}

// Create2 is Create, and returns the node's Stat, too.
func (c *Client) Create2(ctx context.Context, path string, data []byte, opts ...CreateOption) (string, Stat, error) {
	p := newCreation(opts)
	return c.create(ctx, p.op(true), path, data, &p)
}

func (c *Client) createCall(op proto.Op, path string, data []byte, p *creation) (*call, error) {
	err := createPath(path, p.mode)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return nil, &OpError{Op: op.String(), Path: path, Err: err}
	}
	q := c.newCall(op, path)
	q.out = p.appendTo(c.appendPrefix(q.out, path), data)
	return q, nil
}

func (c *Client) create(ctx context.Context, op proto.Op, path string, data []byte, p *creation) (string, Stat, error) {
	q, err := c.createCall(op, path, data, p)
	if err != nil {
		return "", Stat{}, err
	}
	r, err := c.do(ctx, q)
	if err != nil {
		return "", Stat{}, err
	}
	made := c.clientPath(r.String())
	var stat Stat
	if op != proto.OpCreate {
		stat = decodeStat(&r.Decoder)
	}
	return made, stat, r.end()
}

// appendPrefix appends a path, or the prefix of a sequential one, as the server
// knows it.
func (c *Client) appendPrefix(b []byte, path string) []byte {
	if c.chroot != "" && path == "/" {
		return jute.AppendString(b, c.chroot+"/")
	}
	return c.appendPath(b, path)
}

// Set replaces a node's data if it has this version, or any if version is
// [AnyVersion], and returns its new Stat.
func (c *Client) Set(ctx context.Context, path string, data []byte, version int32) (Stat, error) {
	q, err := c.setCall(path, data, version)
	if err != nil {
		return Stat{}, err
	}
	return c.statOf(ctx, q)
}

func (c *Client) setCall(path string, data []byte, version int32) (*call, error) {
	q, err := c.pathCall(proto.OpSetData, path)
	if err == nil {
		q.out = jute.AppendInt(jute.AppendBuffer(q.out, data), version)
	}
	return q, err
}

// SetACL replaces a node's access control list if its Aversion is version, or
// in any case if that is [AnyVersion], and returns its new Stat.
func (c *Client) SetACL(ctx context.Context, path string, acl ACLs, version int32) (Stat, error) {
	q, err := c.pathCall(proto.OpSetACL, path)
	if err != nil {
		return Stat{}, err
	}
	q.out = jute.AppendInt(appendACLs(q.out, acl), version)
	return c.statOf(ctx, q)
}

// statOf does q, which is answered by a Stat.
func (c *Client) statOf(ctx context.Context, q *call) (Stat, error) {
	r, err := c.do(ctx, q)
	if err != nil {
		return Stat{}, err
	}
	stat := decodeStat(&r.Decoder)
	return stat, r.end()
}

// Delete deletes a node that has no children if its data has this version, or
// any if version is [AnyVersion].
func (c *Client) Delete(ctx context.Context, path string, version int32) error {
	q, err := c.deleteCall(path, version)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, q)
	return err
}

func (c *Client) deleteCall(path string, version int32) (*call, error) {
	q, err := c.pathCall(proto.OpDelete, path)
	if err == nil {
		q.out = jute.AppendInt(q.out, version)
	}
	return q, err
}
