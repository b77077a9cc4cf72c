package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/quollhq/quoll/internal/proto"
)

// Created is a node that [Client.CreateUnique] has made.
type Created struct {
	Path string
	Stat Stat
	// Session is the one that the node was made in: its owner, if it is
	// ephemeral.
	Session *Session
	// Siblings are the names of the children of the node's parent, itself among
	// them, at a time after it was made. Only CreateUniqueAndList sets them.
	Siblings []string
}

// UniqueName puts before a name what makes it unique, in the form that Apache
// Curator's "protection" has: "_c_", a UUID, a hyphen, the name.
func UniqueName(name string) string { return "_c_" + UUID() + "-" + name }

// UUID draws a random UUID (version 4), in its usual form of 36 characters.
func UUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// CreateUnique makes a node whose name nobody else uses: for a sequential node
// what comes before the number is unique, see [UniqueName]. Its outcome is
// always known. If the connection breaks before the reply comes, the node is
// looked for under its name, and made again if it is not there. If CreateUnique
// fails, there is no node, or there is none as soon as the servers can be
// reached: what may have been made is deleted in the background, until the
// client is closed.
//
// An ephemeral node is of one session: when that ends, CreateUnique fails with
// [ErrSessionExpired].
func (c *Client) CreateUnique(ctx context.Context, path string, data []byte, opts ...CreateOption) (Created, error) {
	return c.createUnique(ctx, &uniqueNode{path: path, data: data, creation: newCreation(opts)})
}

// CreateUniqueAndList is CreateUnique and Children of the parent in one round
// trip.
func (c *Client) CreateUniqueAndList(ctx context.Context, path string, data []byte, opts ...CreateOption) (Created, error) {
	return c.createUnique(ctx, &uniqueNode{path: path, data: data, creation: newCreation(opts), list: true})
}

// uniqueNode is a node that CreateUnique makes.
type uniqueNode struct {
	creation
	path string
	data []byte
	list bool
}

func (u *uniqueNode) ephemeral() bool { return u.mode == Ephemeral || u.mode == EphemeralSequential }

// split cuts the path into parent and name.
func (u *uniqueNode) split() (parent, name string) {
	i := strings.LastIndexByte(u.path, '/')
	return u.path[:max(i, 1)], u.path[i+1:]
}

// is tells whether a child's name is the node's.
func (u *uniqueNode) is(child string) bool {
	_, name := u.split()
	rest, ok := strings.CutPrefix(child, name)
	return ok && (rest == "" || u.mode.Sequential() && strings.Trim(rest, "-0123456789") == "")
}

func (c *Client) createUnique(ctx context.Context, u *uniqueNode) (Created, error) {
	if err := u.valid(); err != nil {
		return Created{}, err
	}
	s, err := c.sessionFor(ctx)
	if err != nil {
		return Created{}, &OpError{Op: u.op(true).String(), Path: u.path, Err: err}
	}
	in := ctx
	if u.ephemeral() {
		in = WithinSession(ctx, s)
	}
	for {
		made, err := c.tryUnique(in, u)
		if err == nil {
			made.Session = s
			return made, nil
		}
		if !MaybeApplied(err) {
			return Created{}, err
		}
		made, found, err := c.recoverUnique(in, u, err)
		if err != nil || found {
			made.Session = s
			return made, err
		}
	}
}

func (u *uniqueNode) valid() error {
	err := createPath(u.path, u.mode)
	if err == nil {
		err = u.check()
	}
	if _, name := u.split(); err == nil && name == "" {
		err = fmt.Errorf("%w: a unique node needs a name", ErrBadArguments)
	}
	if err != nil {
		return &OpError{Op: u.op(true).String(), Path: u.path, Err: err}
	}
	return nil
}

// sessionFor is the session that requests with ctx are made in: the one it is
// bound to, or the present one, which is waited for.
func (c *Client) sessionFor(ctx context.Context) (*Session, error) {
	if s := boundTo(ctx); s != nil {
		return s, nil
	}
	for {
		if s := c.Session(); s != nil && !s.over() {
			return s, nil
		}
		if err := c.WaitConnected(ctx); err != nil {
			return nil, err
		}
	}
}

// tryUnique makes one attempt.
func (c *Client) tryUnique(ctx context.Context, u *uniqueNode) (Created, error) {
	op := u.op(true)
	create := c.newCall(op, u.path)
	create.out = u.appendTo(c.appendPrefix(create.out, u.path), u.data)
	calls := []*call{create}
	if u.list {
		parent, _ := u.split()
		list := c.newCall(proto.OpGetChildren, parent)
		list.out = append(c.appendPath(list.out, parent), 0)
		calls = append(calls, list)
	}
	replies, errs := c.doAll(ctx, calls...)
	if errs[0] != nil {
		return Created{}, errs[0]
	}
	r := &replies[0]
	made := Created{Path: c.clientPath(r.String()), Stat: decodeStat(&r.Decoder)}
	if err := r.end(); err != nil {
		return Created{}, err
	}
	if !u.list {
		return made, nil
	}
	if errs[1] == nil {
		made.Siblings = replies[1].Strings()
		return made, replies[1].end()
	}
	parent, _ := u.split()
	names, err := c.ChildNames(ctx, parent)
	made.Siblings = names
	if err != nil {
		c.disown(ctx, u)
	}
	return made, err
}

// recoverUnique finds out whether an attempt that failed by cause has made the
// node. If that cannot be, the node is disowned.
func (c *Client) recoverUnique(ctx context.Context, u *uniqueNode, cause error) (Created, bool, error) {
	for {
		if c.givesUp(ctx, cause) || !retryable(cause) || c.ended() {
			c.disown(ctx, u)
			return Created{}, false, cause
		}
		made, found, err := c.findUnique(ctx, u)
		switch {
		case err == nil:
			return made, found, nil
		case errors.Is(err, ErrSessionExpired) && u.ephemeral():
			return Created{}, false, &OpError{Op: u.op(true).String(), Path: u.path, Err: ErrSessionExpired}
		}
		cause = err
	}
}

// retryable tells whether a failure is one of the way to the server.
func retryable(err error) bool {
	for _, target := range []error{ErrConnectionLoss, ErrOperationTimeout, ErrSessionMoved, ErrRequestTimeout, ErrSessionExpired} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// findUnique looks for the node.
func (c *Client) findUnique(ctx context.Context, u *uniqueNode) (Created, bool, error) {
	parent, _ := u.split()
	names, err := c.presentChildren(ctx, parent)
	if err != nil {
		return Created{}, false, err
	}
	for _, name := range names {
		if !u.is(name) {
			continue
		}
		path := Join(parent, name)
		stat, found, err := c.Exists(ctx, path)
		if s := boundTo(ctx); s != nil && u.ephemeral() && stat.EphemeralOwner != s.id {
			found = false // somebody else's, after all
		}
		return Created{Path: path, Stat: stat, Siblings: names}, found, err
	}
	return Created{}, false, nil
}

// presentChildren are the names of a node's children, none if there is no such
// node. The server is made to catch up first: it may be another one than that
// which a create went to, and that request may be on its way to the leader's log.
// No request of an older connection can follow then.
func (c *Client) presentChildren(ctx context.Context, path string) ([]string, error) {
	if err := c.Sync(ctx, path); err != nil {
		return nil, err
	}
	names, err := c.ChildNames(ctx, path)
	if errors.Is(err, ErrNoNode) {
		err = nil
	}
	return names, err
}

// EnsureDeleted deletes a node whose name is not used again, whatever its
// version, over connections that break; that there is none is fine, and so is,
// if ctx is bound by [WithinSession], that the session ends, with which its
// ephemeral nodes go. If ctx ends first, or with [FailFast] no server is reached,
// EnsureDeleted fails, and goes on in the background until the client is closed.
func (c *Client) EnsureDeleted(ctx context.Context, path string) error {
	err := c.deleteOver(ctx, path, c.givesUp)
	if err == nil || !c.givesUp(ctx, err) {
		return err
	}
	c.Background(ctx, func(ctx context.Context) {
		_ = c.deleteOver(ctx, path, contextEnded) // the caller has its error
	})
	return err
}

// givesUp tells whether a failure is the end of what otherwise goes on over broken
// connections: ctx has ended, or nobody wants to wait for a server.
func (c *Client) givesUp(ctx context.Context, err error) bool {
	fast := c.opts.failFast || boundsOf(ctx).fast
	return ctx.Err() != nil || fast && errors.Is(err, ErrConnectionLoss) && !MaybeApplied(err)
}

// contextEnded is givesUp for what goes on in the background.
func contextEnded(ctx context.Context, _ error) bool { return ctx.Err() != nil }

// deleteOver deletes a node, until it is done or givesUp says so.
func (c *Client) deleteOver(ctx context.Context, path string, givesUp func(context.Context, error) bool) error {
	for {
		err := c.Delete(ctx, path, AnyVersion)
		switch {
		case err == nil || errors.Is(err, ErrNoNode):
			return nil
		case boundTo(ctx) != nil && (errors.Is(err, ErrSessionExpired) || boundTo(ctx).over()):
			return nil
		case givesUp(ctx, err) || !retryable(err) || c.ended():
			return err
		}
	}
}

// ended tells whether the client has come to its end.
func (c *Client) ended() bool { return c.endError() != nil }

// endError is why the client has come to its end, or nil.
func (c *Client) endError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// EnsurePath makes a node, and those above it, where there is none. Without a
// mode they are containers, which go away after their last child has; a server
// that knows no containers gets persistent nodes. Options are for all of them.
func (c *Client) EnsurePath(ctx context.Context, path string, opts ...CreateOption) error {
	if path == "/" {
		return nil
	}
	if err := ValidatePath(path); err != nil {
		return &OpError{Op: "create", Path: path, Err: err}
	}
	_, err := c.Create(ctx, path, nil, slices.Concat([]CreateOption{Container}, opts)...)
	if errors.Is(err, ErrUnimplemented) {
		_, err = c.Create(ctx, path, nil, slices.Concat(opts, []CreateOption{Persistent})...)
	}
	switch {
	case err == nil || errors.Is(err, ErrNodeExists):
		return nil
	case errors.Is(err, ErrNoNode) && strings.LastIndexByte(path, '/') > 0:
		parent := path[:strings.LastIndexByte(path, '/')]
		if err := c.EnsurePath(ctx, parent, opts...); err != nil {
			return err
		}
		return c.EnsurePath(ctx, path, opts...)
	case !c.givesUp(ctx, err) && errors.Is(err, ErrConnectionLoss) && !c.ended():
		return c.EnsurePath(ctx, path, opts...)
	}
	// Who may not create in the parent is told so even if the node is there.
	if _, found, existsErr := c.Exists(ctx, path); existsErr == nil && found {
		return nil
	}
	return err
}
