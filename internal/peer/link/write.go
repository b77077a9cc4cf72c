package link

import (
	"bufio"
	"errors"
	"fmt"
	"runtime"
	"syscall"

	"github.com/quollhq/quoll/internal/failpoint"
)

// write sends what is queued until the connection ends.
func (c *Conn) write() {
	for {
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return
		}
		// Whoever else has something to say right now says it first: one write takes all of it.
		runtime.Gosched()
		for idle := false; !idle; {
			var err error
			if idle, err = c.writeNext(); err != nil {
				c.fail(err)
				return
			}
		}
	}
}

// errFinished ends a connection that has nothing left to send.
var errFinished = fmt.Errorf("%w: all was sent", ErrClosed)

// WriteNow writes what is queued as far as the socket takes it at once; the rest, and whatever has to be encrypted, is
// left to the connection's own goroutine. It never waits.
func (c *Conn) WriteNow() {
	if c.raw == nil || !c.writing.TryLock() {
		c.Flush()
		return
	}
	var err error
	if len(c.rest) == 0 && c.takeChunks() {
		err = c.writeRest(c.writeSome)
	}
	more := len(c.rest) > 0 || !c.out.idle()
	c.writing.Unlock()
	switch {
	case err != nil:
		c.fail(err)
	case more:
		c.Flush()
	}
}

// takeChunks makes the next chunks of packets what is to be written. It is false if none are next.
func (c *Conn) takeChunks() bool {
	c.chunks, c.taken = c.out.chunks(c.chunks[:0])
	if c.rest = c.chunks; len(c.rest) == 0 {
		return false
	}
	c.first = c.rest[0]
	return true
}

// writeNext writes what is next in the queue.
func (c *Conn) writeNext() (idle bool, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if len(c.rest) > 0 || c.takeChunks() {
		return false, c.writeRest(c.writeAll)
	}
	s, last := c.out.next()
	switch {
	case last:
		return true, errFinished
	case s != nil:
		return false, c.writeStream(s)
	}
	return true, nil
}

// writeRest has write write what was taken from the queue. All of it is, or some is left for later, or there is an error.
func (c *Conn) writeRest(write func() error) error {
	if err := failpoint.Hit(failpoint.QuorumSend); err != nil {
		return err
	}
	c.progress()
	err := write()
	if err == nil && len(c.rest) == 0 {
		c.out.wrote(c.taken, c.first)
	}
	c.progress()
	return broken(err)
}

func (c *Conn) writeAll() error {
	if len(c.rest) == 1 {
		_, err := c.conn.Write(c.rest[0])
		c.rest = c.rest[:0]
		return err
	}
	_, err := c.rest.WriteTo(c.conn)
	return err
}

// writeSome writes without waiting.
func (c *Conn) writeSome() error {
	c.tryErr = nil
	return errors.Join(c.raw.Write(c.tryf), c.tryErr)
}

// try writes to the socket until it takes no more.
func (c *Conn) try(fd uintptr) bool {
	for len(c.rest) > 0 {
		n, err := syscall.Write(int(fd), c.rest[0])
		if n > 0 {
			c.rest[0] = c.rest[0][n:]
		}
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			c.tryErr = err
			return true
		case len(c.rest[0]) == 0:
			c.rest = c.rest[1:]
		}
	}
	return true
}

// writeStream writes s and closes it.
func (c *Conn) writeStream(s Stream) error {
	w := bufio.NewWriterSize(streamed{c}, chunkSize)
	_, err := s.WriteTo(w)
	if err == nil {
		err = w.Flush()
	}
	return broken(errors.Join(err, s.Close()))
}

// streamed writes to a connection and notes the progress.
type streamed struct{ c *Conn }

func (s streamed) Write(b []byte) (int, error) {
	s.c.progress()
	return s.c.conn.Write(b)
}

func broken(err error) error {
	if err != nil {
		return fmt.Errorf("quorum connection: %w", err)
	}
	return nil
}
