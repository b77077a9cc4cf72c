package config

import (
	"fmt"

	"github.com/quollhq/quoll/internal/tlsconf"
)

func (c *collector) sasl(cfg *Config) {
	s := &cfg.SASL
	if s.LoginConfig == "" {
		if c.isSet("sasl.serverconfig") {
			c.wrong("sasl.serverconfig", "java.security.auth.login.config beside it, the path of the JAAS file")
		}
		return
	}
	if s.JAAS = c.jaas(s.LoginConfig); s.JAAS == nil {
		return
	}
	if s.ServerSection() == nil {
		msg := fmt.Sprintf("the JAAS file %s has no section %q: SASL for clients stays off", s.LoginConfig, s.Section)
		if c.isSet("sasl.serverconfig") {
			c.wrong("sasl.serverconfig", "a section of "+s.LoginConfig)
			return
		}
		c.warn(c.origin("java.security.auth.login.config"), "%s", msg)
	}
}

// jaas reads the JAAS file; it returns nil without one and after an error.
func (c *collector) jaas(path string) *JAAS {
	if path == "" {
		return nil
	}
	text, err := readBounded(path, maxFile)
	if err != nil {
		c.fail(fmt.Errorf("%s: java.security.auth.login.config: %w", c.origin("java.security.auth.login.config"), err))
		return nil
	}
	j, err := ParseJAAS(path, text, nil)
	if err != nil {
		c.fail(err)
	}
	return j
}

func (c *collector) tls(cfg *Config) {
	need := ""
	if cfg.Listen.Secure.Enabled {
		need = "secureClientPort"
	} else if cfg.Listen.Unified {
		need = "client.portUnification"
	}
	if need != "" && cfg.TLS.KeyStore.Location == "" {
		c.fail(&KeyError{Origin: c.origin(need), Key: "ssl.keyStore.location", Want: "the path of a key store, because " + need + " is set"})
	}
	c.tlsSide(&cfg.TLS, "ssl.")
	c.tlsSide(&cfg.PeerTLS, "ssl.quorum.")
	if (cfg.Admin.ForceHTTPS || cfg.Admin.Unified) && cfg.PeerTLS.KeyStore.Location == "" {
		key := "admin.forceHttps"
		if !cfg.Admin.ForceHTTPS {
			key = "admin.portUnification"
		}
		c.fail(&KeyError{Origin: c.origin(key), Key: "ssl.quorum.keyStore.location", Want: "the path of a key store, because " + key + " is true"})
	}
	// Without FIPS mode Apache checks the address and then the names it
	// resolves to; the switch for the latter came only later.
	if !cfg.Auth.FIPS && !c.isSet("ssl.allowReverseDnsLookup") {
		cfg.TLS.AllowReverseDNS = true
	}
	if !cfg.Auth.FIPS && !c.isSet("ssl.quorum.allowReverseDnsLookup") {
		cfg.PeerTLS.AllowReverseDNS = true
	}
}

// tlsSide checks names that a handshake would only fail with later.
func (c *collector) tlsSide(o *tlsconf.Options, prefix string) {
	for _, bad := range o.Check() {
		if bad.Fatal {
			c.wrong(prefix+bad.Key, bad.Want)
			continue
		}
		c.warn(c.origin(prefix+bad.Key), "%s: %s", prefix+bad.Key, bad.Want)
	}
}

// AdminTLS returns the options of the admin server's HTTPS: the stores for
// servers, as in Apache, with its own word on clients' certificates.
func (c *Config) AdminTLS() tlsconf.Options {
	o := c.PeerTLS
	o.ClientHostnameVerification = false
	o.ClientAuth = tlsconf.NoClient
	if c.Admin.NeedClientAuth {
		o.ClientAuth = tlsconf.NeedClient
	}
	return o
}

func (c *collector) metrics(cfg *Config) {
	m := &cfg.Metrics
	m.Prometheus = m.Class == prometheusMetricsClass
	m.HTTPS.Host = m.HTTP.Host
	m.HTTP.Enabled = m.Prometheus && m.HTTP.Port >= 0
	m.HTTPS.Enabled = m.Prometheus && m.HTTPS.Port >= 0
	m.TLS.HandshakeDetection = tlsconf.Defaults().HandshakeDetection
	switch {
	case cfg.metricsNeedCert:
		m.TLS.ClientAuth = tlsconf.NeedClient
	case cfg.metricsWantCert:
		m.TLS.ClientAuth = tlsconf.WantClient
	default:
		m.TLS.ClientAuth = tlsconf.NoClient
	}
	c.tlsSide(&m.TLS, "metricsProvider.ssl.")
	if m.HTTPS.Enabled && m.TLS.KeyStore.Location == "" {
		c.fail(&KeyError{Origin: c.origin("metricsProvider.httpsPort"), Key: "metricsProvider.ssl.keyStore.location", Want: "the path of a key store, because metricsProvider.httpsPort is set"})
	}
}
