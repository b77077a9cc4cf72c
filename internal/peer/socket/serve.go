package socket

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"
)

// acceptPause is the time after a failed accept, for example for want of file descriptors.
const acceptPause = 100 * time.Millisecond

// Serve hands over the connections that l accepts until ctx ends, and closes l. The error wraps net.ErrClosed: somebody
// else closed it before. what names those who connect in the log.
func Serve(ctx context.Context, l net.Listener, what string, log *slog.Logger, accept func(net.Conn)) error {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { l.Close(); close(closed) })
	defer func() {
		if !stop() {
			<-closed // who listens here next finds the address free
		}
	}()
	defer l.Close()
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			accept(conn)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			log.Warn("cannot accept "+what, "address", l.Addr().String(), "err", err)
			pause(ctx)
		}
	}
}

func pause(ctx context.Context) {
	timer := time.NewTimer(acceptPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
