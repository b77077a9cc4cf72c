package tlsconf

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// pollInterval is how often Watch looks at the files. A look is a few stat
// calls; polling also sees mounted secrets whose directory is swapped.
const pollInterval = time.Second

// Source hands out TLS configurations from stores. Its methods may be called
// at the same time.
type Source struct {
	opts    Options
	log     *slog.Logger
	revoked *revocation // nil when certificates' states are not asked for
	lookup  func(ctx context.Context, addr string) ([]string, error)
	every   time.Duration // between two looks at the files

	mu      sync.Mutex // one Reload at a time
	seen    fingerprint
	current atomic.Pointer[material]
}

// material is what was read from the stores at one time.
type material struct {
	certs   []tls.Certificate
	trusted []*x509.Certificate
	roots   *x509.CertPool // of trusted; nil: the system's
	// server serves all connections that need nothing of their own.
	server *tls.Config
}

// Open reads the stores. log gets reloads and their failures; nil is
// slog.Default.
func Open(o Options, log *slog.Logger) (*Source, error) {
	if log == nil {
		log = slog.Default()
	}
	s := &Source{opts: o, log: log, lookup: net.DefaultResolver.LookupAddr, every: pollInterval}
	for _, p := range o.Check() {
		if p.Fatal {
			return nil, fmt.Errorf("tls: %s: want %s", p.Key, p.Want)
		}
	}
	if o.CRL || o.OCSP {
		s.revoked = newRevocation(o.OCSP, &http.Client{Timeout: fetchTimeout})
	}
	return s, s.Reload()
}

// Options returns what the source was opened with.
func (s *Source) Options() Options { return s.opts }

// Reload reads the stores now. After an error the earlier material stays.
func (s *Source) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.fingerprint()
	m, err := s.load()
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	s.seen = seen
	s.current.Store(m)
	s.warnOutdated(m, time.Now())
	return nil
}

func (s *Source) load() (*material, error) {
	m := &material{}
	var err error
	if s.opts.KeyStore.Location != "" {
		if m.certs, err = s.opts.KeyStore.keys(); err != nil {
			return nil, err
		}
	}
	if s.opts.TrustStore.Location != "" {
		if m.trusted, err = s.opts.TrustStore.trusted(); err != nil {
			return nil, err
		}
		m.roots = x509.NewCertPool()
		for _, c := range m.trusted {
			m.roots.AddCert(c)
		}
	}
	m.server, err = s.serverConfig(m)
	return m, err
}

// ErrNoKey is wrapped by errors of servers without a key store.
var ErrNoKey = errors.New("a TLS server needs a key store")

// base is what servers and clients have in common.
func (s *Source) base(m *material) (*tls.Config, error) {
	low, high, err := s.opts.versions()
	if err != nil {
		return nil, err
	}
	suites, _ := s.opts.suites()
	return &tls.Config{Certificates: m.certs, MinVersion: low, MaxVersion: high, CipherSuites: suites}, nil
}

func (s *Source) serverConfig(m *material) (*tls.Config, error) {
	c, err := s.base(m)
	if err != nil {
		return nil, err
	}
	c.ClientCAs = m.roots
	// A session resumed by ticket would keep what an earlier trust store said of
	// its client. Connections last; there is little to be saved.
	c.SessionTicketsDisabled = true
	switch s.opts.ClientAuth {
	case NeedClient:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case WantClient:
		c.ClientAuth = tls.VerifyClientCertIfGiven
	case NoClient:
		c.ClientAuth = tls.NoClientCert
	}
	if s.revoked != nil {
		c.VerifyConnection = s.revoked.verifyChains
	}
	return c, nil
}

// Server returns the configuration of a server: each handshake uses what was
// read last. The error wraps [ErrNoKey] when there is no key store.
func (s *Source) Server() (*tls.Config, error) {
	m := s.current.Load()
	if len(m.certs) == 0 {
		return nil, fmt.Errorf("tls: %w", ErrNoKey)
	}
	c := m.server.Clone()
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		return s.forConn(s.current.Load(), h.Conn), nil
	}
	return c, nil
}

// forConn is the shared configuration unless the peer's address matters.
func (s *Source) forConn(m *material, conn net.Conn) *tls.Config {
	if !s.opts.HostnameVerification || !s.opts.ClientHostnameVerification {
		return m.server
	}
	c := m.server.Clone()
	rest := c.VerifyConnection
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) > 0 {
			if err := s.checkName(cs.PeerCertificates[0], remoteHost(conn)); err != nil {
				return err
			}
		}
		if rest != nil {
			return rest(cs)
		}
		return nil
	}
	return c
}

func remoteHost(conn net.Conn) string {
	addr := conn.RemoteAddr().String()
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// Client returns the configuration for one connection to host, a name or
// address without a port.
func (s *Source) Client(host string) *tls.Config {
	m := s.current.Load()
	// The versions were checked when the stores were read.
	c, _ := s.base(m)
	c.GetClientCertificate = m.present
	c.ServerName = host
	// Go couples the chain with the name and has no switch for the latter;
	// verifyServer does both as configured.
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(cs tls.ConnectionState) error { return s.verifyServer(m, host, cs) }
	return c
}

// present chooses the certificate that a server is shown: one by an authority that it names if there is one, else the
// first. A server that believes in none of them then says why, where without a certificate it could only say that
// there was none.
func (m *material) present(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	for i := range m.certs {
		if r.SupportsCertificate(&m.certs[i]) == nil {
			return &m.certs[i], nil
		}
	}
	if len(m.certs) == 0 {
		return &tls.Certificate{}, nil
	}
	return &m.certs[0], nil
}

func (s *Source) verifyServer(m *material, host string, cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("tls: the server has no certificate")
	}
	leaf := cs.PeerCertificates[0]
	inter := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		inter.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: m.roots, Intermediates: inter})
	if err != nil {
		return fmt.Errorf("tls: certificate of %s: %w", host, err)
	}
	if s.opts.HostnameVerification {
		if err := s.checkName(leaf, host); err != nil {
			return err
		}
	}
	if s.revoked != nil {
		return s.revoked.check(chains)
	}
	return nil
}

// Watch reads changed stores until ctx ends; without Options.Reload it returns
// at once. A store that cannot be read is tried again when it changes.
func (s *Source) Watch(ctx context.Context) {
	if !s.opts.Reload {
		return
	}
	t := time.NewTicker(s.every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.poll()
		}
	}
}

// poll reloads when a file has changed since the last try; it tells whether it did.
func (s *Source) poll() bool {
	now := s.fingerprint()
	s.mu.Lock()
	same := now == s.seen
	s.seen = now
	s.mu.Unlock()
	if same {
		return false
	}
	if err := s.Reload(); err != nil {
		s.log.Error("changed TLS stores cannot be read; the earlier ones stay in use", "error", err)
		return false
	}
	s.log.Info("TLS stores reloaded", "keyStore", s.opts.KeyStore.Location, "trustStore", s.opts.TrustStore.Location)
	return true
}

// fingerprint tells versions of the files apart; missing files are zero.
type fingerprint [4]fileVersion

type fileVersion struct {
	size  int64
	mtime time.Time
}

func (s *Source) fingerprint() fingerprint {
	var f fingerprint
	for i, p := range append(s.opts.KeyStore.paths(), s.opts.TrustStore.paths()...) {
		if info, err := os.Stat(p); err == nil {
			f[i] = fileVersion{info.Size(), info.ModTime()}
		}
	}
	return f
}
