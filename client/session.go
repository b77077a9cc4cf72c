package client

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// ErrSessionUnsafe is why the context of a session has ended that may have
// expired without this client knowing.
var ErrSessionUnsafe = errors.New("the session may have expired: no server has answered for too long")

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
//
// That holds as long as the server that answers has its leader's ear. A follower
// that is cut off from the leader notices, and hangs up on its clients, within
// syncLimit ticks; meanwhile it answers pings that the leader does not hear of.
// What must not happen even then is to be checked by the leader: in a
// [Client.Multi] with a [CheckOp], or by a number that grows.
func (s *Session) SafeUntil() time.Time {
	timeout := s.Timeout()
	return s.base.Add(time.Duration(s.acked.Load()) + timeout - timeout/50)
}

// Context derives a context that ends, at the latest, at SafeUntil: when its
// cause is [ErrSessionExpired] the session is over, when it is
// [ErrSessionUnsafe] it may be. As long as servers answer, it goes on. The
// function releases what the context needs; it must be called.
func (s *Session) Context(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(parent)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.follow(ctx, end)
	}()
	return ctx, func() {
		end(nil)
		<-ended
	}
}

// follow ends a context when the session may be over.
func (s *Session) follow(ctx context.Context, end context.CancelCauseFunc) {
	timer := time.NewTimer(time.Until(s.SafeUntil()))
	defer timer.Stop()
	for {
		select {
		case <-s.done:
			end(ErrSessionExpired)
			return
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		left := time.Until(s.SafeUntil())
		if left <= 0 {
			end(ErrSessionUnsafe)
			return
		}
		timer.Reset(left)
	}
}

// over tells whether the session is known to have ended.
func (s *Session) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
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
