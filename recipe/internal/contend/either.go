package contend

import "context"

// Either is a context that ends with ctx, and when other ends, with the cause of
// that. The function that is returned gives up what it costs.
func Either(ctx, other context.Context) (context.Context, context.CancelFunc) {
	both, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(other, func() { cancel(context.Cause(other)) })
	return both, func() {
		stop()
		cancel(nil)
	}
}
