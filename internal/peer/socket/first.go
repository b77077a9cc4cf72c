package socket

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/quollhq/quoll/internal/peer/wire"
)

// ErrUnknown is the error for a member without any address.
var ErrUnknown = errors.New("no address is known")

// Dialer opens a connection with one address. It gives up when the context ends.
type Dialer func(ctx context.Context, address wire.Address) (net.Conn, error)

// First dials all addresses at once and returns the first connection that is there: an address that nothing answers at
// must not hold the others up. Its goroutines have ended when it returns. The error wraps ErrUnknown without addresses.
func First(ctx context.Context, addresses []wire.Address, dial Dialer) (net.Conn, error) {
	if len(addresses) == 0 {
		return nil, ErrUnknown
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu    sync.Mutex
		first net.Conn
		errs  []error
		tasks sync.WaitGroup
	)
	for _, a := range addresses {
		tasks.Go(func() {
			conn, err := dial(ctx, a)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				errs = append(errs, err)
			case first != nil:
				conn.Close()
			default:
				first = conn
				cancel()
			}
		})
	}
	tasks.Wait()
	if first == nil {
		return nil, errors.Join(errs...)
	}
	return first, nil
}
