package tlsconf

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"
)

// reverseTimeout bounds the look-up of a peer's names during a handshake.
const reverseTimeout = 5 * time.Second

// checkName checks that the certificate names host. An address may also be
// named by what it resolves to, if that is allowed.
func (s *Source) checkName(c *x509.Certificate, host string) error {
	host = strings.TrimSuffix(host, ".")
	err := matchName(c, host)
	if err == nil || !s.opts.AllowReverseDNS || net.ParseIP(host) == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), reverseTimeout)
	defer cancel()
	names, lookupErr := s.lookup(ctx, host)
	if lookupErr != nil {
		return fmt.Errorf("%w; its names: %w", err, lookupErr)
	}
	for _, n := range names {
		if matchName(c, strings.TrimSuffix(n, ".")) == nil {
			return nil
		}
	}
	return fmt.Errorf("%w; nor one of its names %v", err, names)
}

// matchName is the check of HTTPS. Certificates without any alternative name
// count by their common name, as Java has it.
func matchName(c *x509.Certificate, host string) error {
	err := c.VerifyHostname(bracketAddr(host))
	if err == nil {
		return nil
	}
	if len(c.DNSNames) == 0 && len(c.IPAddresses) == 0 && matchCommonName(c.Subject.CommonName, host) {
		return nil
	}
	return fmt.Errorf("tls: the certificate does not name %s: %w", host, err)
}

func bracketAddr(host string) string {
	if net.ParseIP(host) != nil {
		return "[" + host + "]"
	}
	return host
}

// matchCommonName compares names without regard to case; a "*." at the front
// stands for one label.
func matchCommonName(cn, host string) bool {
	if cn == "" {
		return false
	}
	if suffix, ok := strings.CutPrefix(cn, "*."); ok && net.ParseIP(host) == nil {
		_, rest, found := strings.Cut(host, ".")
		return found && strings.Contains(suffix, ".") && strings.EqualFold(rest, suffix)
	}
	return strings.EqualFold(cn, host)
}
