package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/listener"
)

// sockets are where clients come in.
type sockets struct {
	mu        sync.Mutex
	list      []clientSocket
	client    config.Endpoint // where the plain one is, or will be
	accepting bool
	closed    bool
}

// clientSocket is one address to accept clients on.
type clientSocket struct {
	net.Listener
	mode listener.Mode
	tls  *tls.Config
}

// all are the sockets that are open.
func (k *sockets) all() []clientSocket {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.list)
}

// endpoint is where the plain one is, or will be.
func (k *sockets) endpoint() config.Endpoint {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.client
}

// find is the first socket that is for TLS alone, or that is not.
func (k *sockets) find(secure bool) (int, bool) {
	i := slices.IndexFunc(k.list, func(c clientSocket) bool { return (c.mode == listener.Secure) == secure })
	return i, i >= 0
}

func (k *sockets) addr(secure bool) net.Addr {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i, ok := k.find(secure); ok {
		return k.list[i].Addr()
	}
	return nil
}

// close closes all sockets; none is opened any more.
func (k *sockets) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	for _, c := range k.list {
		c.Close()
	}
}

// listen opens the sockets for clients.
func (s *Server) listen(ctx context.Context) error {
	c := &s.cfg
	var tlsConfig *tls.Config
	if c.Listen.Secure.Enabled || c.Listen.Unified {
		var err error
		if tlsConfig, err = s.openTLS(ctx); err != nil {
			return err
		}
	}
	k := &s.sockets
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.Listen.Client.Enabled {
		mode := listener.Plain
		if c.Listen.Unified {
			mode = listener.Unified
		}
		sock, err := s.bind(k.client, "clientPort")
		if err != nil {
			return err
		}
		k.list = append(k.list, clientSocket{sock, mode, tlsConfig})
	}
	if c.Listen.Secure.Enabled {
		sock, err := s.bind(c.Listen.Secure, "secureClientPort")
		if err != nil {
			return err
		}
		k.list = append(k.list, clientSocket{sock, listener.Secure, tlsConfig})
	}
	return nil
}

func (s *Server) bind(at config.Endpoint, key string) (net.Listener, error) {
	sock, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("cannot listen for clients on %s (%s): %w", at, key, taken(err, key))
	}
	if n := s.cfg.Listen.Backlog; n > 0 {
		setBacklog(sock, n)
	}
	return sock, nil
}

// acceptAll lets clients in on all sockets.
func (s *Server) acceptAll() {
	k := &s.sockets
	k.mu.Lock()
	defer k.mu.Unlock()
	k.accepting = true
	for _, c := range k.list {
		s.accept(c)
	}
}

func (s *Server) accept(c clientSocket) {
	how := listener.Socket{Mode: c.mode, TLS: c.tls, Connections: s.newConnections()}
	s.task(func() { s.listener.Serve(c.Listener, how) })
}

// moveClientPort opens the plain port at another place, and closes the one that
// is open. Those who are connected stay. If it cannot, the port stays where it is.
func (s *Server) moveClientPort(to config.Endpoint) error {
	k := &s.sockets
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || !k.client.Enabled || sameEndpoint(k.client, to) {
		return nil
	}
	i, ok := k.find(false)
	if !ok {
		k.client = to // listen finds it
		return nil
	}
	from, err := k.client, error(nil)
	sock, err := s.bind(to, "the configuration of the ensemble")
	if err != nil { // it may be the same port, of other addresses
		k.list[i].Close()
		if sock, err = s.bind(to, "the configuration of the ensemble"); err != nil {
			to = from
			var failed error
			if sock, failed = s.bind(from, "clientPort"); failed != nil {
				return errors.Join(err, failed)
			}
		}
	}
	k.list[i].Close()
	k.client, k.list[i].Listener = to, sock
	if k.accepting {
		s.accept(k.list[i])
	}
	s.log.Info("the port for clients", "address", sock.Addr().String())
	return err
}

// sameEndpoint tells whether two endpoints are the same to clients.
func sameEndpoint(a, b config.Endpoint) bool {
	everywhere := func(host string) bool {
		ip := net.ParseIP(host)
		return host == "" || ip != nil && ip.IsUnspecified()
	}
	return a.Port == b.Port && (a.Host == b.Host || everywhere(a.Host) && everywhere(b.Host))
}

// addresses are where clients can come in.
func (s *Server) addresses() []string {
	var list []string
	for _, sock := range s.sockets.all() {
		list = append(list, sock.Addr().String())
	}
	return list
}

// Addr is the address of the plain client port, nil before Start or without one.
func (s *Server) Addr() net.Addr { return s.sockets.addr(false) }

// SecureAddr is the address of the client port with TLS, nil before Start or
// without one.
func (s *Server) SecureAddr() net.Addr { return s.sockets.addr(true) }

// taken says what to do about an error of listening if somebody else listens
// there; key is the setting that says where.
func taken(err error, key string) error {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w: this machine has no such address; change %s", err, key)
	case !errors.Is(err, syscall.EADDRINUSE):
		return err
	}
	return fmt.Errorf("%w: another program listens there, perhaps a server that still runs; stop that one, or change %s", err, key)
}
