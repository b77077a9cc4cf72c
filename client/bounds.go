package client

import "context"

// bounds is what a context says of the requests that are made with it.
type bounds struct {
	session *Session
	zxid    *int64
	present bool // see Linearizable
	fast    bool // see FailFast
}

type boundsKey struct{}

func boundsOf(ctx context.Context) bounds {
	b, _ := ctx.Value(boundsKey{}).(bounds)
	return b
}

// WithinSession binds requests to a session: made with this context they fail
// with [ErrSessionExpired] when the session is over, and are never made in a
// later one.
func WithinSession(ctx context.Context, s *Session) context.Context {
	b := boundsOf(ctx)
	b.session = s
	return context.WithValue(ctx, boundsKey{}, b)
}

// WithReplyZxid lets each request that is made with this context, and answered,
// put the zxid of its reply into *zxid: the newest change that the server had
// seen. It is for one goroutine.
func WithReplyZxid(ctx context.Context, zxid *int64) context.Context {
	b := boundsOf(ctx)
	b.zxid = zxid
	return context.WithValue(ctx, boundsKey{}, b)
}

// FailFast makes requests, [Dial] and [Client.WaitConnected] with this context
// fail with [ErrConnectionLoss] when each server has been tried in vain while they
// waited for a connection, as [WithFailFast] does for all requests of a client. The
// error wraps what the attempts have failed with. What goes on over broken
// connections by itself, as [Client.CreateUnique] does, fails in the same way.
func FailFast(ctx context.Context) context.Context {
	b := boundsOf(ctx)
	b.fast = true
	return context.WithValue(ctx, boundsKey{}, b)
}

// Unbound is ctx without what [WithinSession], [WithReplyZxid], [Linearizable] and
// [FailFast] have said. It is for what goes on after the call that ctx was given to:
// such bounds are those of the call.
func Unbound(ctx context.Context) context.Context {
	if boundsOf(ctx) == (bounds{}) {
		return ctx
	}
	return context.WithValue(ctx, boundsKey{}, bounds{})
}

// boundTo is the session that requests with ctx are bound to, or nil.
func boundTo(ctx context.Context) *Session { return boundsOf(ctx).session }
