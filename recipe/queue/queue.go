package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quollhq/quoll/client"
)

// ErrEmpty is what an attempt without waiting fails with when no message is
// due.
var ErrEmpty = errors.New("no message is due")

// Option changes how a queue works.
type Option func(*Queue)

// WithLayout is the form of the queue. Default: [Curator].
func WithLayout(l Layout) Option { return func(q *Queue) { q.layout = l } }

// WithLocks is the node for the locks of messages that are being delivered:
// Curator's lockPath. Default: the queue's path with "-locks" appended; it does
// not apply to [KazooLocking].
func WithLocks(path string) Option { return func(q *Queue) { q.locks = path } }

// WithDeadLetters moves a message to the queue at path, of the same layout, when
// it was delivered that often and not acknowledged. Default: it is delivered
// again and again. The path must be another than the queue's and its locks'.
func WithDeadLetters(path string, attempts int) Option {
	return func(q *Queue) { q.dead, q.attempts = path, attempts }
}

// WithACL protects the nodes that the queue makes. Default: open to all.
func WithACL(acl client.ACLs) Option { return func(q *Queue) { q.acl = acl } }

// Queue is a queue of messages. It may be used by many goroutines.
type Queue struct {
	c        *client.Client
	path     string // of the messages
	locks    string
	dead     string
	attempts int
	layout   Layout
	acl      client.ACLs
}

// New makes a queue on the node path, which appears with the first message.
func New(c *client.Client, path string, opts ...Option) (*Queue, error) {
	q := &Queue{c: c, path: path}
	for _, opt := range opts {
		opt(q)
	}
	if q.layout == KazooLocking {
		q.path, q.locks = path+"/entries", path+"/taken"
	}
	if q.locks == "" {
		q.locks = path + "-locks"
	}
	if q.layout == KazooLocking && q.dead != "" {
		q.dead += "/entries"
	}
	for _, p := range []string{path, q.path, q.locks} {
		if err := client.ValidatePath(p); err != nil {
			return nil, fmt.Errorf("queue: %w", err)
		}
	}
	if q.dead != "" {
		if err := client.ValidatePath(q.dead); err != nil || q.attempts < 1 {
			return nil, fmt.Errorf("queue %s: %w: dead letters at %q after %d attempts", path, client.ErrBadArguments, q.dead, q.attempts)
		}
		if q.dead == q.path || q.dead == q.locks {
			return nil, fmt.Errorf("queue %s: %w: %s is not a place for its dead letters: it is the queue itself, or its locks", path, client.ErrBadArguments, q.dead)
		}
	}
	if _, err := q.layout.prefix(put{}); err != nil {
		return nil, fmt.Errorf("queue %s: %w", path, err)
	}
	return q, nil
}

type put struct {
	priority *int
	due      time.Time
}

// PutOption says more of one message.
type PutOption func(*put)

// Priority orders messages: lower ones come first. Default: 0, in kazoo's layouts
// 100.
func Priority(p int) PutOption { return func(o *put) { o.priority = &p } }

// Due is when the message may be delivered, by the clock of the receiver.
// Default: at once.
func Due(t time.Time) PutOption { return func(o *put) { o.due = t } }

// Put appends a message.
func (q *Queue) Put(ctx context.Context, body []byte, opts ...PutOption) error {
	return q.PutAll(ctx, [][]byte{body}, opts...)
}

// PutAll appends messages, all or none. In Curator's layouts they are one node
// and are delivered together.
func (q *Queue) PutAll(ctx context.Context, bodies [][]byte, opts ...PutOption) error {
	var p put
	for _, opt := range opts {
		opt(&p)
	}
	prefix, err := q.layout.prefix(p)
	if err != nil {
		return fmt.Errorf("queue %s: %w", q.path, err)
	}
	if len(bodies) == 0 {
		return nil
	}
	nodes := [][][]byte{bodies}
	if !q.layout.serialized() {
		nodes = slices.Collect(slices.Chunk(bodies, 1))
	}
	ops := make([]client.Op, len(nodes))
	for i, node := range nodes {
		ops[i] = client.CreateOp(client.Join(q.path, prefix), q.layout.encode(node), q.options(client.PersistentSequential)...)
	}
	for {
		_, err := q.c.Multi(ctx, ops...)
		if !errors.Is(err, client.ErrNoNode) {
			return q.wrap(err)
		}
		if err := q.ensure(ctx, q.path); err != nil {
			return err
		}
	}
}

func (q *Queue) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("queue %s: %w", q.path, err)
}

func (q *Queue) options(mode client.CreateMode) []client.CreateOption {
	opts := []client.CreateOption{mode}
	if q.acl != nil {
		opts = append(opts, q.acl)
	}
	return opts
}

func (q *Queue) ensure(ctx context.Context, path string) error {
	return q.wrap(q.c.EnsurePath(ctx, path, q.options(client.Persistent)...))
}

// Len counts the messages, those that are being delivered included.
func (q *Queue) Len(ctx context.Context) (int, error) {
	stat, _, err := q.c.Exists(ctx, q.path)
	return int(stat.NumChildren), q.wrap(err)
}

// Message is what was put.
type Message struct {
	// Bodies has one body, or those that were put together.
	Bodies [][]byte
	// Path of the message's node.
	Path string
	stat client.Stat
}

// Put is when the message was put.
func (m Message) Put() time.Time { return m.stat.Created() }

// entries sorts the names of messages, and leaves those out that are taken.
func (q *Queue) entries(names, taken []string) ([]entry, error) {
	skip := make(map[string]bool, len(taken))
	for _, name := range taken {
		skip[name] = true
	}
	list := make([]entry, 0, len(names))
	for _, name := range names {
		e, err := q.layout.parse(name)
		if err != nil {
			return nil, &ForeignError{client.Join(q.path, name), err}
		}
		if !skip[name] {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b entry) int {
		switch {
		case a.before(b):
			return -1
		case b.before(a):
			return 1
		}
		return 0
	})
	return list, nil
}
