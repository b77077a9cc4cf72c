// Package request turns requests into replies: reads straight from the tree,
// writes by way of the log.
//
// The way of a write:
//
//	connections    Submit
//	   |
//	   v  (queue of submissions; its lock is held for moments)
//	writer         takes all that is queued, and for the whole batch:
//	               validates against the tree and the changes in flight, and
//	               encodes each transaction into the batch's buffer;
//	               appends the buffer to the log, with one fdatasync for all
//	               (meanwhile it begins with the next batch, if much is queued);
//	               applies to the tree, fires watches, puts replies and events
//	               into the clients' outboxes
//	   |
//	   v
//	outboxes       flushed with one write per client and batch
//
// Validation makes sure that applying cannot fail; from then on a transaction
// needs no clock and no chance. A client's reads wait for its own earlier
// writes only.
//
// Locks are taken in this order: the tree's, the flight's, Engine's own, an
// outbox's. The queue's is the last one.
package request

import (
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/audit"
	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/watch"
)

// Log is where batches become durable. One call is made at a time, Sync's by a
// goroutine of its own now and then.
type Log interface {
	// Append writes framed records whose zxids lie between first and last.
	Append(batch []byte, first, last int64, n int) error
	// Sync makes durable what was appended. A failure is final.
	Sync() error
	// Roll makes the next Append start a new file.
	Roll() error
}

// Snapshotter is told when a snapshot is due, by any goroutine. It must not block.
type Snapshotter interface {
	// Due starts a snapshot; freeze, which it may call at once or not at all,
	// gives the state, or tells that none is to be written any more. It is false if one
	// is being written: then it is to be asked again.
	Due(freeze func() (Frozen, bool)) bool
	// Size is the length of the last snapshot on disk, in bytes; 0 before
	// there is one.
	Size() int64
}

// Frozen is the state of a server as of one transaction.
type Frozen struct {
	View     *tree.View
	Sessions map[int64]int32 // timeouts in milliseconds by session id; the receiver's own
}

// Options configure an Engine. All fields but the limits are required.
type Options struct {
	Tree     *tree.Tree
	Watches  *watch.Manager
	Sessions *session.Tracker
	Auth     *auth.Registry
	Log      Log
	Logger   *slog.Logger
	Now      func() time.Time
	Rand     *rand.Rand
	// Live are the sessions that the loaded state has, with their timeouts in
	// milliseconds.
	Live map[int64]int32

	DigestEnabled   bool
	ExtendedTypes   bool // TTL znodes
	ReconfigEnabled bool
	// LeaderRefuses has a member let no clients in while it leads.
	LeaderRefuses   bool
	EnforceQuota    bool
	CloseSessionTxn bool // list the ephemerals in closeSession transactions

	// OutstandingLimit is how many writes may be in flight before clients that
	// have some among them are read no further.
	OutstandingLimit int
	// MaxInFlight bounds the bytes of transactions that wait for the disk.
	MaxInFlight int
	// MaxEntry is the longest transaction, in bytes, that a start reads; 1 GiB at
	// most, 0 for storage.DefaultMaxEntry.
	MaxEntry int
	// SnapCount and SnapSize say after how many transactions and bytes of log a
	// snapshot is due (each between half of it and all of it); SnapSize 0
	// switches the second off. By count alone it is not due before the log is about
	// as long as the last snapshot (between 3/4 and 5/4 of it): the state of a large
	// tree would be written over and over for little that a start has to replay.
	SnapCount int
	SnapSize  int64
	Snapshots Snapshotter
	// Logged is how many transactions were logged since the last snapshot.
	Logged int

	// Ensemble is the one that this server is a member of; nil if it is alone. The
	// engine rests until Lead or Follow. Log is not used then.
	Ensemble Ensemble
	// LocalSessions are those of a member.
	LocalSessions LocalSessions
	// Clock is what sessions are tracked by, in milliseconds; required in an
	// ensemble.
	Clock func() int64

	// Hooks that may be nil.

	// Audit is told of every write; nil is off. AuditClient names the client.
	Audit       *audit.Logger
	AuditClient func(*Client) audit.Client
	// SessionClosed is called when a session has ended that its client did not close,
	// mostly by the writer, which holds the tree's lock.
	SessionClosed func(id int64)
	// Differs is told when the digest of the tree after a transaction is not the one
	// that it came with, holding the tree's lock. If it is true, Commit ends there.
	Differs func(*Difference) bool
	// QuotaExceeded is called, with a name that is valid during the call, when a hard limit refused a request below the
	// given top-level namespace.
	QuotaExceeded func(namespace string)
}

// Engine executes requests on one server. Start it before use, Close it after.
type Engine struct {
	Options
	Metrics Metrics

	began   time.Time
	acls    *auth.Cache
	digests digestLog
	zxid    atomic.Int64 // the last applied
	pipe    pipeline
	fails   chan error
	done    sync.WaitGroup

	mu      sync.Mutex
	clients map[watch.ID]*Client
	left    map[int64]int32 // sessions of clients of observers, and of those that have left, of which the leader was not told, with their time-outs
}

// New makes an Engine over a loaded tree.
func New(o Options) *Engine {
	e := &Engine{
		Options: o,
		began:   o.Now(),
		acls:    o.Auth.NewCache(),
		fails:   make(chan error, 1),
		clients: make(map[watch.ID]*Client),
		left:    make(map[int64]int32),
	}
	if e.Live == nil {
		e.Live = make(map[int64]int32)
	}
	if e.MaxEntry == 0 {
		e.MaxEntry = storage.DefaultMaxEntry
	}
	e.zxid.Store(o.Tree.Zxid())
	e.pipe.init(e)
	return e
}

// Start runs the writer, and those who sync and send for it, until Close.
func (e *Engine) Start() {
	e.done.Add(2 + flushers)
	go e.pipe.run()
	go e.pipe.runSync()
	for range flushers {
		go e.pipe.runFlush()
	}
}

// Close lets what was submitted finish, and ends the goroutines. Submissions
// after it are dropped.
func (e *Engine) Close() {
	e.pipe.queue.close()
	e.done.Wait()
}

// Failed yields the error that ended the pipeline: a log that could not be
// written. Nothing is acknowledged after it.
func (e *Engine) Failed() <-chan error { return e.fails }

// Zxid is the last applied transaction's, or that of one shortly before.
func (e *Engine) Zxid() int64 { return e.zxid.Load() }

// Reached tells whether the state is that of zxid, or a later one. A client
// that was told of a zxid is not refused for it: a reply can be with its client
// while the writer, which still holds the tree, has not said so by Zxid.
func (e *Engine) Reached(zxid int64) bool {
	if zxid <= e.zxid.Load() {
		return true
	}
	e.Tree.RLock(0)
	defer e.Tree.RUnlock(0)
	return zxid <= e.Tree.Zxid()
}

// InFlight is the number of writes submitted and not answered so far.
func (e *Engine) InFlight() int { return int(e.pipe.inFlight.Load()) }

// QueueLen is the number of writes that wait for the disk.
func (e *Engine) QueueLen() int { return int(e.pipe.preparing.Load()) }

// Attach registers a client so that watches can reach it.
func (e *Engine) Attach(c *Client) {
	c.Watcher = e.Watches.Attach()
	e.mu.Lock()
	e.clients[c.Watcher] = c
	e.mu.Unlock()
	e.Tree.Lock()
	for int(c.Watcher) >= len(e.pipe.watchers) {
		e.pipe.watchers = append(e.pipe.watchers, nil)
	}
	e.pipe.watchers[c.Watcher] = c
	e.Tree.Unlock()
}

// Detach forgets a client and its watches. Replies still due to it are dropped
// by its outbox.
func (e *Engine) Detach(c *Client) {
	e.Tree.Lock()
	e.pipe.watchers[c.Watcher] = nil
	e.Tree.Unlock()
	following := e.pipe.flight.follows(c)
	e.mu.Lock()
	delete(e.clients, c.Watcher)
	if following {
		e.touch(c, func(id int64, timeout int32) { e.left[id] = timeout })
	}
	e.mu.Unlock()
	c.flushReads()
	e.Watches.Detach(c.Watcher)
}

// Clients calls f for every attached client until it returns false.
func (e *Engine) Clients(f func(*Client) bool) {
	e.mu.Lock()
	all := make([]*Client, 0, len(e.clients))
	for _, c := range e.clients {
		all = append(all, c)
	}
	e.mu.Unlock()
	for _, c := range all {
		if !f(c) {
			return
		}
	}
}

// Client by watcher number, nil if it is gone.
func (e *Engine) Client(id watch.ID) *Client {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.clients[id]
}
