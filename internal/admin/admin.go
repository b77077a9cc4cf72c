package admin

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/listener"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/tally"
)

// Snapshot is a snapshot on the server's disk.
type Snapshot struct {
	Path string
	Zxid int64
	Time time.Time
	Size int64 // bytes
}

// Host is what the server itself has to do or to tell.
type Host interface {
	// Snapshot writes a snapshot of the state as of now.
	Snapshot(ctx context.Context) (Snapshot, error)
	// LastSnapshot is the newest that was written or loaded; false if there is none.
	LastSnapshot() (Snapshot, bool)
	// Restore replaces the whole state by the snapshot that r yields, durably,
	// and gives the zxid of the server after it.
	Restore(ctx context.Context, r io.Reader) (zxid int64, err error)
	// HandOver has this leader give up its role without losing a request, and
	// gives the number of the member that leads then.
	HandOver(ctx context.Context) (leader int64, err error)
	// Feed is how transactions come to this member of an ensemble, and go on from
	// there. It is empty for a server that is alone or serves nobody.
	Feed(ctx context.Context) Feed
	// Seat is this member's place in its ensemble; false for a server that is alone
	// or serves nobody.
	Seat() (Seat, bool)
	// Recount begins to count anew what goes to observers and comes from them.
	Recount(ctx context.Context) error
	// Ensemble is what this member counts as one; nil for a server that is alone.
	Ensemble() *peer.Metrics
	// Ports are those that clients come in by, -1 for none.
	Ports() (client, secure int)
	// Dirs are the directories of snapshots and of logs.
	Dirs() (snapshots, logs string)
	// Startup tells how the data was loaded.
	Startup() Startup
	// SnapshotTime sums up how long snapshots took.
	SnapshotTime() tally.LatencyView
	// SnapshotError is why the last snapshot failed, nil if it did not.
	SnapshotError() error
	// SlowSyncs counts syncs of the log that took longer than the warning threshold.
	SlowSyncs() int64
}

// Startup tells how a server loaded its data.
type Startup struct {
	SnapshotTime, LogTime time.Duration
	Transactions          int64 // replayed from logs
}

// Node is a server that serves clients.
type Node struct {
	Engine   *request.Engine
	Listener *listener.Listener
	Host     Host
	// Mode gives the server's role as srvr shows it.
	Mode func() string
}

// Options configure an Admin. All fields are required.
type Options struct {
	Config *config.Config
	Logger *slog.Logger
	// Version is the full version line, as Apache writes it: VERSION-REVISION,
	// built on DATE.
	Version string
	// Began is when the process began.
	Began time.Time
}

// Admin answers operators. Its methods may be called at any time by any
// goroutine.
type Admin struct {
	Options
	node  atomic.Pointer[Node]
	words map[string]bool // whitelist
	trace atomic.Int64    // the trace mask; it is kept, but has no effect
	quota counterSet      // quota_exceeded_error_per_namespace
	fails failures
	http  web

	snapshotLimit, restoreLimit limiter
	restoreTime                 tally.Latency
	windows                     windows
}

// failures count what did not work out.
type failures struct {
	snapshot, restore               atomic.Int64
	snapshotLimited, restoreLimited atomic.Int64
	insecure                        atomic.Int64 // plain requests on a port that speaks TLS, too
}

// defaultTraceMask is that of Apache's server.
const defaultTraceMask = 0b100110010

// New makes an Admin that has no node and listens nowhere.
func New(o Options) *Admin {
	a := &Admin{Options: o, words: whitelist(o.Config.Listen.FourLetterWords, o.Config.Ensemble.ReadOnly)}
	a.trace.Store(defaultTraceMask)
	// Apache takes the interval of snapshots in microseconds, though it is
	// configured in milliseconds. Scripts that take a snapshot every minute work
	// with it, so it is kept.
	a.snapshotLimit.interval = o.Config.Admin.RateInterval / 1000
	a.restoreLimit.interval = o.Config.Admin.RateInterval
	return a
}

// SetNode tells that n serves clients from now on; nil: nobody does.
func (a *Admin) SetNode(n *Node) { a.node.Store(n) }

// serving is the node, nil unless it serves clients at this moment.
func (a *Admin) serving() *Node {
	if n := a.node.Load(); n != nil && n.Engine.Serving() {
		return n
	}
	return nil
}

// QuotaExceeded counts a request that a hard quota refused, below a top-level
// znode.
func (a *Admin) QuotaExceeded(namespace string) { a.quota.add(namespace) }

// notServing is the answer of what needs a node when there is none.
const notServing = "This ZooKeeper instance is not currently serving requests"

// limiter lets one through per interval. The first interval starts at the
// first question.
type limiter struct {
	mu       sync.Mutex
	interval time.Duration
	reset    time.Time
	used     bool
}

func (l *limiter) allow(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reset.IsZero() || now.Sub(l.reset) > l.interval {
		l.reset, l.used = now, false
	}
	if l.used {
		return false
	}
	l.used = true
	return true
}

// counterSet counts by a label.
type counterSet struct {
	mu sync.Mutex
	m  map[string]*int64
}

// maxNamespaces bounds the labels, which clients choose.
const maxNamespaces = 1000

// add counts one. A label that is new is copied: it may lie in the memory of a request.
func (c *counterSet) add(label string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.m[label]; n != nil {
		*n++
		return
	}
	if c.m == nil {
		c.m = make(map[string]*int64)
	}
	if len(c.m) < maxNamespaces {
		n := int64(1)
		c.m[strings.Clone(label)] = &n
	}
}

func (c *counterSet) values() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := make(map[string]int64, len(c.m))
	for k, v := range c.m {
		m[k] = *v
	}
	return m
}
