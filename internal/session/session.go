package session

import (
	"fmt"
	"sync/atomic"

	"github.com/quollhq/quoll/internal/proto"
)

// Owner is the number of whoever forwards a session's requests to the leader:
// the leader's own listener, or the connection of one learner. 0 is nobody.
type Owner uint64

// Session is one client's session. The identity and the atomic fields may be
// used by any goroutine; the rest is guarded by the Tracker.
type Session struct {
	id       int64
	timeout  atomic.Int32  // ms, as negotiated when the session was made or last committed
	closing  atomic.Bool   // no longer touched: it was closed, or it expired
	owner    atomic.Uint64 // an Owner
	local    atomic.Bool   // this server alone knows it
	deadline atomic.Int64  // ms; the bucket in which it expires unless it is touched

	// queued is the bucket in which the session lies: at most deadline, once
	// the Touch that moved deadline has returned, but where Keep has moved it. It changes under Tracker.mu.
	queued     atomic.Int64
	prev, next *Session // in that bucket's ring, guarded by Tracker.mu
	committed  bool     // the createSession transaction was applied; guarded by Tracker.mu

	// Batch is the number of the last batch of writes that the session had a part in,
	// 0 if none. It is the goroutine's that makes batches.
	Batch uint32
}

// ID is the session's number.
func (s *Session) ID() int64 { return s.id }

// Timeout is the time-out in milliseconds that was agreed upon last.
func (s *Session) Timeout() int32 { return s.timeout.Load() }

// Closing tells whether the session is about to end.
func (s *Session) Closing() bool { return s.closing.Load() }

// Deadline is when the session expires unless it is touched before.
func (s *Session) Deadline() int64 { return s.deadline.Load() }

// Local tells whether this server alone knows the session.
func (s *Session) Local() bool { return s.local.Load() }

// Globalize makes a local session one of the replicated state. It is true for one
// caller, who sees that it gets there, or that it ends.
func (s *Session) Globalize() bool { return s.local.CompareAndSwap(true, false) }

// String is the session's number as Apache's logs and dumps show it.
func (s *Session) String() string { return fmt.Sprintf("0x%x", uint64(s.id)) }

// Check tells whether o may make changes in the name of the session, as the
// leader sees it: SessionExpired when the session is closing, SessionMoved when
// another owner has taken it. A session that nobody owns becomes o's.
func (s *Session) Check(o Owner) proto.Code {
	if s.closing.Load() {
		return proto.SessionExpired
	}
	got := Owner(s.owner.Load())
	if got == 0 && s.owner.CompareAndSwap(0, uint64(o)) {
		return proto.OK
	}
	if got = Owner(s.owner.Load()); got != o {
		return proto.SessionMoved
	}
	return proto.OK
}

// SetOwner makes o the owner, whoever was before, because the client has come
// to o. It answers SessionExpired when the session is closing.
func (s *Session) SetOwner(o Owner) proto.Code {
	if s.closing.Load() {
		return proto.SessionExpired
	}
	s.owner.Store(uint64(o))
	return proto.OK
}
