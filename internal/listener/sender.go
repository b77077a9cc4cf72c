package listener

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/request"
)

// sender moves frames from the outbox to the socket. At most one goroutine
// writes at a time; who finds somebody writing leaves its frames to them.
type sender struct {
	c       *conn
	mu      sync.Mutex
	writing bool
	stopped bool
	cond    sync.Cond    // a write ended
	load    atomic.Int64 // bytes of the write under way that the socket did not take at once

	// The bytes of the write under way, for try.
	out  []byte
	err  error
	tryf func(fd uintptr) bool
}

func (s *sender) init(c *conn) {
	s.c = c
	s.cond.L = &s.mu
	s.tryf = s.try
}

// Flush sends what the outbox holds. It never blocks: what the socket does not
// take at once is left to a goroutine of its own, as is all that has to be
// encrypted.
func (c *conn) Flush() {
	s := &c.send
	s.mu.Lock()
	if s.writing || s.stopped {
		s.mu.Unlock()
		c.shedSlow()
		return
	}
	s.writing = true
	s.mu.Unlock()
	for {
		frames, last := c.Take()
		if frames == nil {
			if last {
				c.Close("session is closed")
			}
			if s.rest() {
				return
			}
			continue
		}
		if err := failpoint.Hit(failpoint.Flush); err != nil {
			c.Close("failpoint")
			s.rest()
			return
		}
		if c.raw == nil {
			s.handOver(frames)
			return
		}
		s.out, s.err = frames, nil
		if err := c.raw.Write(s.tryf); err != nil || s.err != nil {
			c.Close("cannot write to the client")
			s.rest()
			return
		}
		if len(s.out) > 0 {
			s.handOver(s.out)
			return
		}
		request.Recycle(frames)
	}
}

// try writes what the socket takes without waiting.
func (s *sender) try(fd uintptr) bool {
	for len(s.out) > 0 {
		n, err := syscall.Write(int(fd), s.out)
		if n > 0 {
			s.out = s.out[n:]
		}
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			s.err = err
			return true
		}
	}
	return true
}

// rest ends writing, unless more has come meanwhile.
func (s *sender) rest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped && s.c.Ready() {
		return false
	}
	s.writing = false
	s.cond.Broadcast()
	return true
}

// handOver leaves frames and all that follows to a goroutine, which ends when
// the outbox is empty. The caller is writing.
func (s *sender) handOver(frames []byte) {
	go s.drain(frames)
}

// drain writes, waiting for the socket, until the outbox is empty.
func (s *sender) drain(frames []byte) {
	for {
		if frames != nil {
			s.carry(len(frames))
			if _, err := s.c.nc.Write(frames); err != nil {
				s.c.Close("cannot write to the client")
			}
			s.carry(0)
		}
		var last bool
		if frames, last = s.c.Take(); frames != nil {
			continue
		}
		if last {
			s.c.Close("session is closed")
		}
		if s.rest() {
			return
		}
	}
}

// carry notes how many bytes are being written.
func (s *sender) carry(n int) {
	s.load.Store(int64(n))
	s.mu.Lock()
	s.cond.Broadcast()
	s.mu.Unlock()
}

// shedSlow ends the connection of a client that does not take its events.
// Replies are bounded by what is read from it; nothing but this bounds events.
func (c *conn) shedSlow() {
	if waiting := c.EventBytes(); waiting > c.l.MaxOutbox && c.shut("client does not read its events") {
		c.l.Engine.Metrics.SlowClients.Add(1)
		c.l.Logger.Warn("connection closed: the client does not read its events",
			"client", c.addr.String(), "waiting_bytes", waiting, "limit", c.l.MaxOutbox)
	}
}

var errSlow = errors.New("connection ended while its client was not reading")

// wait blocks the connection's goroutine until no more than high bytes wait to
// be sent.
func (s *sender) wait(high int) error {
	if s.waiting() <= high {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing && !s.stopped && s.waiting() > high {
		s.cond.Wait()
	}
	if s.stopped || s.c.leaving() {
		return errSlow
	}
	return nil
}

// waiting is how many bytes the client is due.
func (s *sender) waiting() int { return int(s.load.Load()) + s.c.Outbox.Len() }

// idle blocks the connection's goroutine until nothing is being sent.
func (s *sender) idle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing && !s.stopped {
		s.cond.Wait()
	}
}

// stop keeps others from writing and waits for the goroutine that does.
func (s *sender) stop() {
	s.mu.Lock()
	s.stopped = true
	s.cond.Broadcast()
	if s.writing {
		s.c.sock.SetDeadline(past)
	}
	for s.writing {
		s.cond.Wait()
	}
	s.mu.Unlock()
}
