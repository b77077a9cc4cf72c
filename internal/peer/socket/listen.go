package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/peer/wire"
)

// bindPause is the time between two tries to listen, as in Apache's servers.
const bindPause = time.Second

// ListenAll listens at all addresses of a member, each once, and accepts from all of them. An address that is in use is
// tried again, tries times in all; 0 stands for ever.
func (o Options) ListenAll(ctx context.Context, addresses []wire.Address, tries int) (net.Listener, error) {
	if len(addresses) == 0 {
		return nil, ErrUnknown
	}
	var listeners []net.Listener
	seen := make(map[wire.Address]bool)
	for _, a := range addresses {
		if seen[a] {
			continue
		}
		seen[a] = true
		l, err := o.listenAgain(ctx, a, tries)
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, fmt.Errorf("cannot listen at %v: %w", a, err)
		}
		listeners = append(listeners, l)
	}
	if len(listeners) == 1 {
		return listeners[0], nil
	}
	return join(listeners), nil
}

func (o Options) listenAgain(ctx context.Context, a wire.Address, tries int) (net.Listener, error) {
	for n := 1; ; n++ {
		l, err := o.Listen(ctx, a)
		if err == nil || n == tries {
			return l, err
		}
		timer := time.NewTimer(bindPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

// joined accepts from several listeners, each with a goroutine of its own, which Close waits for.
type joined struct {
	listeners []net.Listener
	accepted  chan acceptance
	closed    chan struct{}
	once      sync.Once
	tasks     sync.WaitGroup
}

type acceptance struct {
	conn net.Conn
	err  error
}

func join(listeners []net.Listener) net.Listener {
	j := &joined{listeners: listeners, accepted: make(chan acceptance), closed: make(chan struct{})}
	for _, l := range listeners {
		j.tasks.Go(func() { j.run(l) })
	}
	return j
}

func (j *joined) run(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case j.accepted <- acceptance{conn, err}:
		case <-j.closed:
			if err == nil {
				conn.Close()
			}
			return
		}
	}
}

// Accept implements net.Listener.
func (j *joined) Accept() (net.Conn, error) {
	select {
	case a := <-j.accepted:
		return a.conn, a.err
	case <-j.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (j *joined) Close() error {
	var errs []error
	j.once.Do(func() {
		close(j.closed)
		for _, l := range j.listeners {
			errs = append(errs, l.Close())
		}
		j.tasks.Wait()
	})
	return errors.Join(errs...)
}

// Addr is the first listener's.
func (j *joined) Addr() net.Addr { return j.listeners[0].Addr() }
