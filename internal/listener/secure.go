package listener

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// errHandshakes refuses a connection while as many as are allowed are being
// encrypted.
var errHandshakes = errors.New("too many TLS handshakes at a time")

// secure starts encryption where the socket or the client asks for it.
func (c *conn) secure(mode Mode, tlsConfig *tls.Config) error {
	sock := c.sock
	if mode == Unified {
		var first [1]byte
		if _, err := io.ReadFull(sock, first[:]); err != nil {
			return err
		}
		if looksLikeTLS(first[0]) {
			sock = &peeked{Conn: sock, first: first[:]}
		} else {
			mode = Plain
			if err := c.acquire(); err != nil {
				return err
			}
			c.to = copy(c.in, first[:])
		}
	}
	if mode == Plain {
		if sc, ok := c.sock.(syscall.Conn); ok {
			c.raw, _ = sc.SyscallConn()
		}
		return nil
	}
	return c.encrypt(tls.Server(sock, tlsConfig))
}

// encrypt does the TLS handshake. The socket's deadline bounds it.
func (c *conn) encrypt(tc *tls.Conn) error {
	l := c.l
	n := l.handshakes.Add(1)
	defer l.handshakes.Add(-1)
	if l.HandshakeLimit > 0 && n > int64(l.HandshakeLimit) {
		l.HandshakesRefused.Add(1)
		return errHandshakes
	}
	if err := tc.Handshake(); err != nil {
		return err
	}
	c.encrypted.Store(true)
	c.nc = tc
	// Only a certificate that the trust store vouches for says who a client is.
	if state := tc.ConnectionState(); len(state.VerifiedChains) > 0 {
		c.peer.Certificates = state.PeerCertificates
	}
	return nil
}

func (c *conn) logSecure(err error) {
	if errors.Is(err, io.EOF) || c.leaving() {
		return
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.l.Sessionless.Add(1)
	}
	c.l.Logger.Warn("cannot encrypt a connection", "client", c.addr.String(), "error", err)
}

// looksLikeTLS tells by its first byte whether a connection begins with a TLS
// record. One byte is enough, and all that can be waited for: a four-letter
// word is shorter than the head of a record. A frame begins with its length,
// whose first byte is 0, or with the letters of a word.
func looksLikeTLS(first byte) bool {
	const lowest, highest = 20, 24 // types of records
	return first >= lowest && first <= highest
}

// peeked is a connection of which some bytes were read already.
type peeked struct {
	net.Conn
	first []byte
}

func (p *peeked) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}
