package link

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"runtime"

	"github.com/quollhq/quoll/internal/failpoint"
)

// write sends what is queued until the connection ends.
func (c *Conn) write() {
	var chunks [][]byte
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
			if chunks, idle, err = c.writeNext(chunks[:0]); err != nil {
				c.fail(err)
				return
			}
		}
	}
}

// errFinished ends a connection that has nothing left to send.
var errFinished = fmt.Errorf("%w: all was sent", ErrClosed)

// writeNext writes what is next in the queue. chunks is memory to be used again.
func (c *Conn) writeNext(chunks [][]byte) (_ [][]byte, idle bool, err error) {
	chunks, s, idle, last := c.out.take(chunks)
	switch {
	case last:
		return chunks, true, errFinished
	case idle:
		return chunks, true, nil
	case s != nil:
		return chunks, false, c.writeStream(s)
	}
	return chunks, false, c.writeChunks(chunks)
}

func (c *Conn) writeChunks(chunks [][]byte) error {
	if err := failpoint.Hit(failpoint.QuorumSend); err != nil {
		return err
	}
	c.progress()
	size := 0
	for _, b := range chunks {
		size += len(b)
	}
	first := chunks[0]
	var err error
	if len(chunks) == 1 {
		_, err = c.conn.Write(first)
	} else {
		rest := net.Buffers(chunks)
		_, err = rest.WriteTo(c.conn)
	}
	c.out.wrote(size, first)
	c.progress()
	return broken(err)
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
