package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/quollhq/quoll/internal/auth"
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
