package client

import (
	"sync/atomic"
	"time"
)

// Session is one session of a client with the servers. It lasts through
// connections that come and go.
type Session struct {
	id       int64
	password []byte
	base     time.Time
	timeout  atomic.Int64 // negotiated, nanoseconds
	acked    atomic.Int64 // when the last request that was answered had been sent, on clock
	done     chan struct{}
}

func (c *Client) newSession(id int64, password []byte) *Session {
	return &Session{
		id:       id,
		password: append([]byte(nil), password...),
		base:     c.base,
		done:     make(chan struct{}),
	}
}

// ID is the session's number, as it appears in EphemeralOwner.
func (s *Session) ID() int64 { return s.id }

// Password is what [WithSession] needs to take over the session.
func (s *Session) Password() []byte { return append([]byte(nil), s.password...) }

// Timeout is the time of silence after which the servers let the session
// expire, as they have granted it.
func (s *Session) Timeout() time.Duration { return time.Duration(s.timeout.Load()) }

// Done is closed when the session is known to be over: expired or closed.
func (s *Session) Done() <-chan struct{} { return s.done }

// SafeUntil is the time until which no server can have let the session expire:
// the time-out, less 2 % for clocks that run at different speeds, counted from
// when the last answered ping was sent. Who holds something by this session and
// stops at SafeUntil stops before anybody else can get it.
func (s *Session) SafeUntil() time.Time {
	timeout := s.Timeout()
	return s.base.Add(time.Duration(s.acked.Load()) + timeout - timeout/50)
}

// heard records that what was sent at that time has been answered.
func (s *Session) heard(sent time.Duration) {
	for {
		old := s.acked.Load()
		if int64(sent) <= old || s.acked.CompareAndSwap(old, int64(sent)) {
			return
		}
	}
}
