package socket

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/tlsconf"
)

// Options say what connections are like.
type Options struct {
	// TLS is where certificates come from; nil if there is no TLS at all.
	TLS *tlsconf.Source
	// DialTLS dials by TLS, which needs TLS.
	DialTLS bool
	// AcceptPlain takes plain connections, too, when there is TLS.
	AcceptPlain bool
	// KeepAlive has the kernel look after connections that are silent.
	KeepAlive bool
	// Delay lets the kernel wait for more before it sends little: Nagle's algorithm.
	Delay bool
	// Unacked ends a connection when the other machine acknowledges nothing of what was sent for that long, where the
	// kernel can do it; 0 is for as long as the kernel's own patience lasts. A connection that was cut off speaks again only
	// when the kernel tries again, after as long again as it was cut off; a new one speaks at once. It is not for
	// connections whose other side may read nothing for a while.
	Unacked time.Duration
	// Timeout bounds a dial with its handshake; 0 is for as long as the context lets it.
	Timeout time.Duration
}

// Dial opens a connection; it is a Dialer. Names are resolved anew each time. Certificates must name the address's host.
func (o Options) Dial(ctx context.Context, address wire.Address) (net.Conn, error) {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	d := net.Dialer{KeepAliveConfig: o.keepAlive(), KeepAlive: -1}
	conn, err := d.DialContext(ctx, "tcp", address.String())
	if err != nil {
		return nil, err
	}
	o.tune(conn)
	if !o.DialTLS {
		return conn, nil
	}
	secure := tls.Client(conn, o.TLS.Client(address.Host))
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS with %v: %w", address, err)
	}
	return &abrupt{secure, conn}, nil
}

// abrupt is TLS that is closed without a word of its own. A write that was cut short has used up a record's number, and the
// word behind it would look forged to the other side. CloseWrite says the word, when all was written.
type abrupt struct {
	*tls.Conn
	raw net.Conn
}

// Close implements net.Conn.
func (a *abrupt) Close() error { return a.raw.Close() }

func (o Options) keepAlive() net.KeepAliveConfig { return net.KeepAliveConfig{Enable: o.KeepAlive} }

func (o Options) tune(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetNoDelay(!o.Delay) // on a connection that broke meanwhile it does not matter
		if o.Unacked > 0 {
			_ = breakUnacked(c, o.Unacked) // without it the kernel's own patience is left
		}
	}
}

// Listen listens at an address; an empty host is all of the machine's. Handshakes are left to those who read from a
// connection, who set its deadline: Accept waits for nobody.
func (o Options) Listen(ctx context.Context, address wire.Address) (net.Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: o.keepAlive(), KeepAlive: -1}
	l, err := lc.Listen(ctx, "tcp", address.String())
	if err != nil {
		return nil, err
	}
	if o.TLS == nil {
		return &listener{Listener: l, opts: o}, nil
	}
	config, err := o.TLS.Server()
	if err != nil {
		l.Close()
		return nil, err
	}
	return &listener{Listener: l, opts: o, tls: config}, nil
}

type listener struct {
	net.Listener
	opts Options
	tls  *tls.Config // nil for plain connections only
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.opts.tune(conn)
	switch {
	case l.tls == nil:
		return conn, nil
	case l.opts.AcceptPlain:
		return &either{raw: conn, config: l.tls, patience: l.opts.TLS.Options().HandshakeDetection}, nil
	}
	return &abrupt{tls.Server(conn, l.tls), conn}, nil
}
