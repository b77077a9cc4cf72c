package admin

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/tlsconf"
)

// unified is a socket for TLS and plain text: the first bytes of a connection
// tell. Each new connection waits for them in a goroutine of its own, so that a
// silent one holds up nobody.
type unified struct {
	net.Listener
	conf    *tls.Config
	wait    time.Duration
	plain   func() // called for each connection in plain text
	ready   chan net.Conn
	done    chan struct{}
	closing sync.Once
	pending sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{} // those whose first bytes are awaited
}

func newUnified(sock net.Listener, conf *tls.Config, wait time.Duration, plain func()) *unified {
	u := &unified{
		Listener: sock, conf: conf, wait: wait, plain: plain,
		ready: make(chan net.Conn), done: make(chan struct{}), open: make(map[net.Conn]struct{}),
	}
	u.pending.Add(1)
	go u.accept()
	return u
}

// acceptRetry is how long accept waits when there are no descriptors left.
const acceptRetry = 100 * time.Millisecond

// accept takes connections until the socket is closed.
func (u *unified) accept() {
	defer u.pending.Done()
	for {
		c, err := u.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			u.end()
			return
		}
		if err != nil {
			select {
			case <-u.done:
				return
			case <-time.After(acceptRetry):
				continue
			}
		}
		u.mu.Lock()
		u.open[c] = struct{}{}
		u.mu.Unlock()
		u.pending.Add(1)
		go func() {
			defer u.pending.Done()
			u.sort(c)
		}()
	}
}

// sort finds out what c speaks and hands it on.
func (u *unified) sort(c net.Conn) {
	r := bufio.NewReaderSize(c, 16)
	c.SetReadDeadline(time.Now().Add(u.wait))
	head, err := r.Peek(tlsconf.DetectBytes)
	c.SetReadDeadline(time.Time{})
	u.mu.Lock()
	delete(u.open, c)
	u.mu.Unlock()
	if err != nil && len(head) == 0 {
		c.Close()
		return
	}
	var conn net.Conn = &peekedConn{Conn: c, r: r}
	if tlsconf.LooksLikeTLS(head) {
		conn = tls.Server(conn, u.conf)
	} else {
		u.plain()
	}
	select {
	case u.ready <- conn:
	case <-u.done:
		c.Close()
	}
}

// peekedConn is a connection whose first bytes are in r.
type peekedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *peekedConn) Read(b []byte) (int, error) {
	if c.r != nil && c.r.Buffered() > 0 {
		return c.r.Read(b)
	}
	return c.Conn.Read(b)
}

// Accept is net.Listener's.
func (u *unified) Accept() (net.Conn, error) {
	select {
	case c := <-u.ready:
		return c, nil
	case <-u.done:
		return nil, net.ErrClosed
	}
}

func (u *unified) end() { u.closing.Do(func() { close(u.done) }) }

// Close ends the socket and waits for its goroutines.
func (u *unified) Close() error {
	u.end()
	err := u.Listener.Close()
	u.mu.Lock()
	for c := range u.open {
		c.Close()
	}
	u.mu.Unlock()
	u.pending.Wait()
	return err
}
