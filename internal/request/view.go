package request

import (
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

// ClientView is a client's statistics at one moment.
type ClientView struct {
	Session        int64 // 0 before there is one
	Timeout        int32 // of the session, ms
	Received, Sent int64
	Pending        int  // writes in flight
	Waiting        bool // frames wait to be sent
	Established    time.Time

	// HasLast tells that a request was answered since the beginning or the last
	// reset, and that the fields below mean something.
	HasLast                bool
	LastOp                 proto.Op
	LastXid                int32 // of the last request that was the client's own doing, -1 for none
	LastZxid               int64
	LastResponse           time.Time
	LastLatency            time.Duration
	MinLatency, MaxLatency time.Duration
	AvgLatency             time.Duration
}

// View reads the client's statistics.
func (c *Client) View() ClientView {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.Stats
	v := ClientView{
		Session: s.session, Timeout: s.timeout,
		Received: s.Received.Load(), Sent: s.Sent.Load(), Pending: c.pending, Waiting: len(c.buf) > 0,
		Established: s.Established, HasLast: !s.LastResponse.IsZero(), LastOp: s.LastOp, LastXid: s.LastXid,
		LastZxid: s.LastZxid, LastResponse: s.LastResponse, LastLatency: s.LastLatency,
		MinLatency: s.MinLatency, MaxLatency: s.MaxLatency,
	}
	if s.Count > 0 {
		v.AvgLatency = s.TotalLatency / time.Duration(s.Count)
	}
	return v
}

// Opened notes that the client has its session, with a time-out in
// milliseconds.
func (c *Client) Opened(timeout int32, zxid int64) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.Stats
	s.session, s.timeout = c.Session.ID(), timeout
	s.answered(proto.OpCreateSession, 0, zxid, 1, now.Sub(s.Established), now)
}

// ResetStats starts the client's statistics anew.
func (c *Client) ResetStats() {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.Stats
	s.Received.Store(0)
	s.Sent.Store(0)
	s.LastOp, s.LastXid, s.LastZxid, s.LastResponse, s.LastLatency = 0, -1, -1, time.Time{}, 0
	s.MinLatency, s.MaxLatency, s.TotalLatency, s.Count = 0, 0, 0, 0
}

// Digests of the tree are kept for every digestEvery-th transaction, the last
// digestKept of them, so that servers can be compared.
const (
	digestEvery = 128
	digestKept  = 1024
)

// ZxidDigest is the digest of the tree after a transaction.
type ZxidDigest struct {
	Zxid    int64
	Version int // of the algorithm
	Digest  uint64
}

// digestLog keeps the last digests. The writer adds to it.
type digestLog struct {
	mu   sync.Mutex
	ring []ZxidDigest
	next int // where the oldest stands once ring is full
}

func (l *digestLog) add(zxid int64, digest uint64) {
	d := ZxidDigest{Zxid: zxid, Version: txn.DigestVersion, Digest: digest}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < digestKept {
		l.ring = append(l.ring, d)
		return
	}
	l.ring[l.next] = d
	l.next = (l.next + 1) % digestKept
}

// Digests are recent digests of the tree, oldest first.
func (e *Engine) Digests() []ZxidDigest {
	l := &e.digests
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]ZxidDigest, 0, len(l.ring))
	all = append(all, l.ring[l.next:]...)
	return append(all, l.ring[:l.next]...)
}

// Err is why the pipeline has failed, nil while it has not. In contrast to
// Failed it may be asked for any number of times.
func (e *Engine) Err() error {
	q := &e.pipe.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}
