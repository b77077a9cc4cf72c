package lock

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/internal/contend"
)

// The failures.
var (
	// ErrLocked is what an attempt without waiting fails with when somebody else
	// has the lock.
	ErrLocked = errors.New("locked by another contender")
	// ErrLost is the cause of a context's end when the lock may be lost.
	ErrLost = errors.New("the lock may be lost")
	// ErrReleased is the cause of a context's end after Unlock, and the error of
	// a second Unlock.
	ErrReleased = errors.New("the lock was released")
)

// Option changes how a lock works.
type Option func(*options)

type options struct {
	data  []byte
	acl   client.ACLs
	names Names
}

// Names is the form of the names of a contender's nodes.
type Names int

// The forms of names.
const (
	// CuratorNames are those of Apache Curator, and of go-zookeeper.
	CuratorNames Names = iota
	// KazooNames are those of kazoo, which overlooks others.
	KazooNames
	// LatchNames are those of Apache Curator's LeaderLatch, for a Mutex.
	LatchNames
)

// WithNames says by which library's names a Mutex or RW is to be known.
// Default: [CuratorNames].
func WithNames(n Names) Option { return func(o *options) { o.names = n } }

// WithData is what others see of a contender, in [Mutex.Contenders]. Default:
// the name of the host.
func WithData(data []byte) Option { return func(o *options) { o.data = data } }

// WithACL protects the nodes of the lock. Default: open to all.
func WithACL(acl client.ACLs) Option { return func(o *options) { o.acl = acl } }

func newOptions(opts []Option) options {
	host, _ := os.Hostname() // without one, there is no data
	o := options{data: []byte(host)}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// The kinds of contenders, by the libraries' names.
type kind struct {
	curator, kazoo string
	shared         bool
}

var (
	plain = kind{"lock-", "__lock__", false}
	write = kind{"__WRIT__", "__lock__", false}
	read  = kind{"__READ__", "__rlock__", true}
)

// Mutex is a lock that one holder has at a time. It may be used by many
// goroutines; each acquisition is a holder of its own.
type Mutex struct {
	config contend.Config
}

// New makes a mutex on the node path, which appears with the first contender.
func New(c *client.Client, path string, opts ...Option) (*Mutex, error) {
	return newMutex(c, path, plain, newOptions(opts))
}

func newMutex(c *client.Client, path string, k kind, o options) (*Mutex, error) {
	if err := client.ValidatePath(path); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	config := contend.Config{Client: c, Path: path, Name: contend.CuratorName(k.curator), Data: o.data, ACL: o.acl, Shared: k.shared}
	switch {
	case o.names == KazooNames:
		config.Name = contend.KazooName(k.kazoo)
	case o.names == LatchNames && k == plain:
		config.Name = contend.CuratorName("latch-")
	case o.names != CuratorNames:
		return nil, fmt.Errorf("lock %s: %w: this lock has no names of that form", path, client.ErrBadArguments)
	}
	return &Mutex{config}, nil
}

// Path is the node of the lock.
func (m *Mutex) Path() string { return m.config.Path }

// Lock waits until it has the lock. With a context that has a deadline it is
// the timed form.
func (m *Mutex) Lock(ctx context.Context) (*Held, error) {
	return m.acquire(ctx, (*contend.Contender).Wait)
}

// TryLock takes the lock if nobody has it or waits for it, or fails with
// [ErrLocked].
func (m *Mutex) TryLock(ctx context.Context) (*Held, error) {
	return m.acquire(ctx, func(c *contend.Contender, _ context.Context) error {
		first, err := c.First()
		if err == nil && !first {
			err = ErrLocked
		}
		return err
	})
}

// acquire joins the queue, again if the session is lost meanwhile, and lets
// settle say when the contender has come to its front.
func (m *Mutex) acquire(ctx context.Context, settle func(*contend.Contender, context.Context) error) (*Held, error) {
	for {
		h, err := m.attempt(ctx, settle)
		if err == nil {
			return h, nil
		}
		err = fmt.Errorf("lock %s: %w", m.config.Path, err)
		if !errors.Is(err, client.ErrSessionExpired) {
			return nil, err
		}
		if ended := m.config.Client.WaitConnected(ctx); ended != nil {
			return nil, err
		}
	}
}

func (m *Mutex) attempt(ctx context.Context, settle func(*contend.Contender, context.Context) error) (*Held, error) {
	c, err := contend.Enter(ctx, m.config)
	if err != nil {
		return nil, err
	}
	if err := settle(c, ctx); err != nil {
		if left := c.Leave(ctx); left != nil && ctx.Err() == nil {
			err = errors.Join(err, left)
		}
		return nil, err
	}
	return hold(ctx, m.config.Client, c.Created), nil
}

// Contender is somebody who has a lock or waits for it.
type Contender struct {
	Path    string // of its node
	Data    []byte // what it says of itself
	Token   int64  // the token it has, or will have
	Session int64
	// Shared tells that it excludes no other shared one: a reader.
	Shared bool
}

// Contenders lists who has the lock or waits for it, the first one first.
func (m *Mutex) Contenders(ctx context.Context) ([]Contender, error) {
	return contenders(ctx, m.config.Client, m.config.Path)
}

func contenders(ctx context.Context, c *client.Client, path string) ([]Contender, error) {
	list, err := contend.List(ctx, c, path)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	found := make([]Contender, len(list))
	for i, p := range list {
		found[i] = Contender{p.Path, p.Data, p.Stat.Czxid, p.Stat.EphemeralOwner, p.Shared}
	}
	return found, nil
}

// revocation is what Curator writes into the node of a holder to ask for the
// lock.
const revocation = "__REVOKE__"

// Revoke asks a holder, or who waits, to give the lock up: see [Held.Revoked].
// Curator's revocable locks understand it, too.
func Revoke(ctx context.Context, c *client.Client, who Contender) error {
	if _, err := c.Set(ctx, who.Path, []byte(revocation), client.AnyVersion); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return nil
}
