package contend

import (
	"context"
	"errors"
	"time"

	"github.com/quollhq/quoll/client"
)

// recoverPause keeps from hammering a server that answers, but not as it should.
const recoverPause = 20 * time.Millisecond

// Recover waits until what has failed by err may work: until the client is
// connected again. If err is no failure of the way to the servers, see
// [client.Transient], or there is no use in waiting, Recover returns why.
func Recover(ctx context.Context, c *client.Client, err error) error {
	if !client.Transient(err) {
		return err
	}
	if !errors.Is(err, client.ErrSessionExpired) {
		timer := time.NewTimer(recoverPause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return c.WaitConnected(ctx)
}
