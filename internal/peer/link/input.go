package link

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// input reads from a connection and gives up when nothing comes for too long.
type input struct {
	conn net.Conn
	now  func() time.Time

	mu       sync.Mutex
	limit    time.Duration // how long nothing may come; 0 for as long as it takes
	deadline time.Time     // what the connection was told last
	// done is closed when the connection ends, before its deadline is set to be over; nil during a handshake, which has
	// a deadline of its own.
	done <-chan struct{}
}

// Read implements io.Reader.
func (in *input) Read(b []byte) (int, error) {
	in.mu.Lock()
	err := in.arm()
	in.mu.Unlock()
	if err != nil {
		return 0, err
	}
	n, err := in.conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) && in.done != nil {
		err = ErrSilent
	}
	return n, err
}

// setLimit takes effect at once.
func (in *input) setLimit(d time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.limit, in.deadline = d, time.Time{}
	if d <= 0 {
		_ = in.conn.SetReadDeadline(time.Time{}) // a broken connection is noticed when it is read from
	}
	_ = in.arm()
}

// arm sees to it that the next read ends. Moving a deadline costs more than looking at the clock, so it is set a quarter
// later than it must be, and moved when it has come nearer than that. With in.mu held.
func (in *input) arm() error {
	if in.limit > 0 {
		now := in.now()
		if in.deadline.Sub(now) >= in.limit {
			return nil
		}
		in.deadline = now.Add(in.limit + in.limit/4)
		if err := in.conn.SetReadDeadline(in.deadline); err != nil {
			return err
		}
	}
	select {
	case <-in.done:
		_ = in.conn.SetDeadline(past) // it may have been overwritten
		return ErrClosed
	default:
		return nil
	}
}
