package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/listener"
	"github.com/quollhq/quoll/internal/tlsconf"
)

// setupAuth makes the registry of schemes.
func (s *Server) setupAuth() error {
	c := &s.cfg.Auth
	classes := make(map[string]string, len(c.Providers))
	for _, p := range c.Providers {
		classes[p.Suffix] = p.Class
	}
	o := auth.Options{
		Logger: s.log, SkipACL: c.SkipACL, Classes: classes,
		Digest: auth.DigestOptions{Disabled: !c.Digest, Super: c.SuperDigest, Algorithm: c.DigestAlgorithm},
		X509:   auth.X509Options{SuperUser: c.X509SuperUser, Verify: verifyCertificate},
		SASL: auth.SASLOptions{
			SuperUsers: c.SuperUsers, AnyUser: s.cfg.SASL.AnyUserCanDo, AllowFailed: s.cfg.SASL.AllowFailed,
		},
	}
	if c.EnsembleNames != nil {
		names := strings.Join(c.EnsembleNames, ",")
		o.EnsembleNames = &names
	}
	if len(c.EnforceSchemes) > 0 {
		schemes := strings.Join(c.EnforceSchemes, ",")
		o.Policy = auth.PolicyOptions{Enforce: true, Schemes: &schemes}
	}
	var err error
	if s.auth, err = auth.New(o); err != nil {
		return fmt.Errorf("authentication: %w", err)
	}
	return nil
}

// verifyCertificate accepts what the TLS handshake has verified by the trust
// store.
func verifyCertificate(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("no certificate")
	}
	return nil
}

// openTLS reads the stores and keeps watching them while ctx lasts.
func (s *Server) openTLS(ctx context.Context) (*tls.Config, error) {
	source, err := tlsconf.Open(s.cfg.TLS, s.log)
	if err != nil {
		return nil, fmt.Errorf("TLS for clients: %w", err)
	}
	s.task(func() { source.Watch(ctx) })
	return source.Server()
}

// clientSocket is one address to accept clients on.
type clientSocket struct {
	net.Listener
	mode listener.Mode
	tls  *tls.Config
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
	if c.Listen.Client.Enabled {
		mode := listener.Plain
		if c.Listen.Unified {
			mode = listener.Unified
		}
		if err := s.bind(c.Listen.Client.String(), "clientPort", mode, tlsConfig); err != nil {
			return err
		}
	}
	if c.Listen.Secure.Enabled {
		return s.bind(c.Listen.Secure.String(), "secureClientPort", listener.Secure, tlsConfig)
	}
	return nil
}

func (s *Server) bind(addr, key string, mode listener.Mode, tlsConfig *tls.Config) error {
	sock, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot listen for clients on %s (%s): %w", addr, key, err)
	}
	if n := s.cfg.Listen.Backlog; n > 0 {
		setBacklog(sock, n)
	}
	s.socks = append(s.socks, clientSocket{sock, mode, tlsConfig})
	return nil
}

// acceptAll lets clients in on all sockets.
func (s *Server) acceptAll() {
	for _, sock := range s.socks {
		sk := sock.(clientSocket)
		how := listener.Socket{Mode: sk.mode, TLS: sk.tls, Connections: s.newConnections()}
		s.task(func() { s.listener.Serve(sk.Listener, how) })
	}
}

// addresses are where clients can come in.
func (s *Server) addresses() []string {
	var list []string
	for _, sock := range s.socks {
		list = append(list, sock.Addr().String())
	}
	return list
}

// Addr is the address of the plain client port, nil before Start or without one.
func (s *Server) Addr() net.Addr {
	for _, sock := range s.socks {
		if sock.(clientSocket).mode != listener.Secure {
			return sock.Addr()
		}
	}
	return nil
}

// SecureAddr is the address of the client port with TLS, nil before Start or
// without one.
func (s *Server) SecureAddr() net.Addr {
	for _, sock := range s.socks {
		if sock.(clientSocket).mode == listener.Secure {
			return sock.Addr()
		}
	}
	return nil
}
