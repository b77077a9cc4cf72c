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

// First dials all addresses at once and returns the first connection that is there, and with which address: one that
// nothing answers at must not hold the others up. Its goroutines have ended when it returns. Without addresses the error
// wraps ErrUnknown.
func First(ctx context.Context, addresses []wire.Address, dial Dialer) (net.Conn, wire.Address, error) {
	if len(addresses) == 0 {
		return nil, wire.Address{}, ErrUnknown
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu    sync.Mutex
		first net.Conn
		with  wire.Address
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
				first, with = conn, a
				cancel()
			}
		})
	}
	tasks.Wait()
	if first == nil {
		return nil, wire.Address{}, errors.Join(errs...)
	}
	return first, with, nil
}
