package tlsconf

import (
	"crypto/x509"
	"time"
)

// warnOutdated logs the certificates that are not valid at now. They are used all the same, as by Java: those who talk
// to this side may have clocks of their own, and others of the store's certificates may do.
func (s *Source) warnOutdated(m *material, now time.Time) {
	for _, c := range m.certs {
		s.warnIfOutdated("the certificate is out of date: others will refuse it", "keyStore", s.opts.KeyStore.Location, c.Leaf, now)
	}
	for _, c := range m.trusted {
		s.warnIfOutdated("a trusted certificate is out of date: what it has signed will be refused", "trustStore", s.opts.TrustStore.Location, c, now)
	}
}

func (s *Source) warnIfOutdated(msg, store, location string, c *x509.Certificate, now time.Time) {
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		s.log.Warn(msg, store, location, "subject", c.Subject.String(), "from", c.NotBefore, "until", c.NotAfter)
	}
}
