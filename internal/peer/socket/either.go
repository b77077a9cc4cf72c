package socket

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/peer/wire"
)

// either is an accepted connection whose first bytes tell whether it is plain or TLS. They are looked at with the first
// Read or Write; on both ports the one who dials speaks first.
type either struct {
	raw      net.Conn
	config   *tls.Config
	patience time.Duration // how long the first bytes are waited for; 0 for as long as the deadline

	once sync.Once
	conn net.Conn // raw with its first bytes, or TLS on that
	err  error
}

func (e *either) detect() {
	if e.patience > 0 {
		timer := time.AfterFunc(e.patience, func() { _ = e.raw.SetReadDeadline(time.Unix(1, 0)) })
		defer timer.Stop()
	}
	first := make([]byte, 0, wire.TLSPeek)
	kind := wire.DetectTLS(first)
	for kind == wire.Undecided {
		n, err := e.raw.Read(first[len(first):cap(first)])
		first = first[:len(first)+n]
		if kind = wire.DetectTLS(first); kind == wire.Undecided && err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = fmt.Errorf("it did not begin in time: %w", err)
			}
			e.err = err
			return
		}
	}
	e.conn = &begun{Conn: e.raw, first: first}
	if kind == wire.TLS {
		e.conn = tls.Server(e.conn, e.config)
	}
}

// Read implements net.Conn.
func (e *either) Read(b []byte) (int, error) {
	if e.once.Do(e.detect); e.err != nil {
		return 0, e.err
	}
	return e.conn.Read(b)
}

// Write implements net.Conn.
func (e *either) Write(b []byte) (int, error) {
	if e.once.Do(e.detect); e.err != nil {
		return 0, e.err
	}
	return e.conn.Write(b)
}

// Close ends the connection without a word: TLS's would have to wait for who writes.
func (e *either) Close() error { return e.raw.Close() }

// CloseWrite tells the other side that nothing more comes, also without a word of TLS's.
func (e *either) CloseWrite() error {
	if half, ok := e.raw.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (e *either) LocalAddr() net.Addr                { return e.raw.LocalAddr() }
func (e *either) RemoteAddr() net.Addr               { return e.raw.RemoteAddr() }
func (e *either) SetDeadline(t time.Time) error      { return e.raw.SetDeadline(t) }
func (e *either) SetReadDeadline(t time.Time) error  { return e.raw.SetReadDeadline(t) }
func (e *either) SetWriteDeadline(t time.Time) error { return e.raw.SetWriteDeadline(t) }

// begun is a connection of which some bytes were read already.
type begun struct {
	net.Conn
	first []byte
}

// Read implements net.Conn.
func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}
