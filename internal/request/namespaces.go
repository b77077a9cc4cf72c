package request

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tally"
	"github.com/quollhq/quoll/internal/txn"
)

// Namespace is what is below one znode of the root's, with that znode: the bytes of
// paths, data and stats that were read there or written.
type Namespace struct {
	Reads, Writes tally.Sizes
	prefix        string // the znode's path
}

// maxNamespaces bounds them: what is beyond is not counted.
const maxNamespaces = 1000

// namespaces are found without a lock; they become more, and never fewer.
type namespaces struct {
	mu    sync.Mutex
	known atomic.Pointer[map[string]*Namespace] // by prefix; a map is not changed once it is here
}

// list is of those in which something was counted, by the name of the top-level znode.
func (m *Metrics) list() map[string]*Namespace {
	list := make(map[string]*Namespace)
	if known := m.namespaces.known.Load(); known != nil {
		for prefix, ns := range *known {
			list[prefix[1:]] = ns
		}
	}
	return list
}

// of is the namespace of the path of a znode; nil for the root, or if there are too
// many.
func (n *namespaces) of(path string) *Namespace {
	if len(path) <= 1 {
		return nil
	}
	prefix := path
	if end := strings.IndexByte(path[1:], '/'); end >= 0 {
		prefix = path[:1+end]
	}
	if known := n.known.Load(); known != nil {
		if ns := (*known)[prefix]; ns != nil || len(*known) >= maxNamespaces {
			return ns
		}
	}
	return n.add(strings.Clone(prefix))
}

func (n *namespaces) add(prefix string) *Namespace {
	n.mu.Lock()
	defer n.mu.Unlock()
	more := make(map[string]*Namespace)
	if known := n.known.Load(); known != nil {
		if ns := (*known)[prefix]; ns != nil || len(*known) >= maxNamespaces {
			return ns
		}
		maps.Copy(more, *known)
	}
	ns := &Namespace{prefix: prefix}
	more[prefix] = ns
	n.known.Store(&more)
	return ns
}

// holds tells whether the path of a znode is in the namespace.
func (n *Namespace) holds(path string) bool {
	k := len(n.prefix)
	return len(path) >= k && path[:k] == n.prefix && (len(path) == k || path[k] == '/')
}

// visits counts what one goroutine reads or writes: mostly what is in the namespace
// that it was in last.
type visits struct {
	all    *namespaces
	at     *Namespace // nil if what is there is not counted
	seen   tally.SizesView
	writes bool
}

// add notes a znode with this path, of which so many bytes were read or written.
func (v *visits) add(path string, bytes int) {
	if v.at == nil || !v.at.holds(path) {
		v.flush()
		if v.at = v.all.of(path); v.at == nil {
			return
		}
	}
	v.seen.Add(int64(len(path) + bytes))
}

// flush counts for all to see.
func (v *visits) flush() {
	if v.seen.Count == 0 {
		return
	}
	to := &v.at.Reads
	if v.writes {
		to = &v.at.Writes
	}
	to.AddAll(v.seen)
	v.seen = tally.SizesView{}
}

// take takes over what w has seen, and goes on where w is. So what a client reads one
// by one costs no more than that: it is for all to see once somebody asks, or when the
// client goes elsewhere.
func (v *visits) take(w *visits) {
	if v.at != w.at {
		v.flush()
		v.at = w.at
	}
	v.seen.Merge(w.seen)
	w.seen = tally.SizesView{}
}

// Namespaces are those in which something was read or written, by the name of the
// top-level znode.
func (e *Engine) Namespaces() map[string]*Namespace {
	e.Clients(func(c *Client) bool {
		c.flushReads()
		return true
	})
	return e.Metrics.list()
}

func (c *Client) flushReads() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads.flush()
}

// ResetMetrics starts anew what the command srst resets.
func (e *Engine) ResetMetrics() {
	e.Namespaces()
	e.Metrics.Reset()
}

// wrote notes what a transaction has written, as Apache's servers count it: paths, and
// the data that they were given.
func (c *committer) wrote() {
	switch c.tx.Header.Type {
	case proto.OpMulti:
		if slices.ContainsFunc(c.tx.Subs, func(b txn.Body) bool { return b.Type == proto.OpError }) {
			return // none of it was done
		}
		for i := range c.tx.Subs {
			c.wroteOne(c.tx.Subs[i].Type, c.tx.Subs[i].Path, len(c.tx.Subs[i].Data))
		}
	case proto.OpCloseSession:
		for i := range c.res.Changes {
			if ch := &c.res.Changes[i]; ch.Type == proto.EventNodeDeleted {
				c.visits.add(ch.Path, 0)
			}
		}
	default:
		c.wroteOne(c.tx.Header.Type, c.tx.Path, len(c.tx.Data))
	}
}

func (c *committer) wroteOne(op proto.Op, path string, data int) {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL, proto.OpSetData, proto.OpReconfig:
		c.visits.add(path, data)
	case proto.OpDelete, proto.OpDeleteContainer:
		c.visits.add(path, 0)
	}
}
