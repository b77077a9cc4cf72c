package config

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/tlsconf"
)

// Client is what the command line client can be told by the same means as
// Apache's: properties of CLIENT_JVMFLAGS and JVMFLAGS and a file of them.
type Client struct {
	// Secure speaks TLS, with the stores of TLS.
	Secure bool
	TLS    tlsconf.Options
	SASL   ClientSASL
	// RequestTimeout bounds a request, 0 for no bound.
	RequestTimeout time.Duration
	// JuteMaxBuffer bounds one reply in bytes.
	JuteMaxBuffer int64
	// DisableWatchReset leaves watches behind when the connection changes.
	DisableWatchReset bool
	FIPS              bool
}

// ClientSASL is the client's side of SASL.
type ClientSASL struct {
	// Enabled uses SASL when the JAAS file has the section.
	Enabled bool
	// LoginConfig is the path of the JAAS file, "" without one; JAAS its content.
	LoginConfig string
	JAAS        *JAAS
	Section     string
	// Username is the service part of the server's Kerberos principal, which
	// ServerPrincipal replaces as a whole.
	Username, ServerPrincipal, ServerRealm string
	CanonicalizeHost, AllowReverseDNS      bool
	// KerberosConfig is the path of krb5.conf, "" for the system's.
	KerberosConfig string
}

// ClientSection returns the JAAS section to use, nil when there is none or
// SASL is switched off.
func (s ClientSASL) ClientSection() *JAASSection {
	if !s.Enabled {
		return nil
	}
	return s.JAAS.Section(s.Section)
}

// clientKeys is the table of the client's keys.
func clientKeys() []Key {
	of := func(c *Config) *Client { return &c.client }
	sasl := func(c *Config) *ClientSASL { return &c.client.SASL }
	return slices.Concat(group("Client",
		key("client.secure", boolean(), "false", "Speak TLS.", func(c *Config) *bool { return &of(c).Secure }),
		key("request.timeout", millis(0), "0", "Milliseconds a request may take; 0 for any time.", func(c *Config) *time.Duration { return &of(c).RequestTimeout }),
		key("disableAutoWatchReset", boolean(), "false", "Leave watches behind when the connection changes.", func(c *Config) *bool { return &of(c).DisableWatchReset }),
		key("jute.maxbuffer", byteCount(64, maxInt32), "1048575", "Bytes of one reply at most.", func(c *Config) *int64 { return &of(c).JuteMaxBuffer }, raw),
		key("fips-mode", boolean(), "true", "Check TLS host names by HTTPS's rules.", func(c *Config) *bool { return &of(c).FIPS }),
		key("sasl.client", boolean(), "true", "Use SASL when the JAAS file has the section.", func(c *Config) *bool { return &sasl(c).Enabled }),
		key("sasl.clientconfig", text(), "Client", "Section of the JAAS file.", func(c *Config) *string { return &sasl(c).Section }),
		key("sasl.client.username", text(), "zookeeper", "First part of the server's principal.", func(c *Config) *string { return &sasl(c).Username }),
		key("sasl.client.canonicalize.hostname", boolean(), "true", "Resolve the server's name for its principal.", func(c *Config) *bool { return &sasl(c).CanonicalizeHost }),
		key("sasl.client.allowReverseDnsLookup", boolean(), "false", "Resolve the server's address for its principal.", func(c *Config) *bool { return &sasl(c).AllowReverseDNS }),
		key("server.principal", text(), "", "The server's principal.", func(c *Config) *string { return &sasl(c).ServerPrincipal }),
		key("server.realm", text(), "", "Kerberos realm of the server.", func(c *Config) *string { return &sasl(c).ServerRealm }),
		key("java.security.auth.login.config", path(), "", "Path of the JAAS file.", func(c *Config) *string { return &sasl(c).LoginConfig }, raw),
		key("java.security.krb5.conf", path(), "", "Path of the Kerberos configuration.", func(c *Config) *string { return &sasl(c).KerberosConfig }, raw),
	), tlsKeys("TLS", "ssl.", tlsOf))
}

var allClientKeys = sync.OnceValue(func() *table { return newTable(clientKeys()) })

// ClientKeys returns the client's keys. The caller may change the slice.
func ClientKeys() []Key { return slices.Clone(allClientKeys().keys) }

// LoadClient is [Load] for the command line client. It reads CLIENT_JVMFLAGS
// in the place of SERVER_JVMFLAGS, a file of properties with or without
// "zookeeper." before their names, and passes over keys of servers.
func LoadClient(src Sources) (Client, []Warning, error) {
	c := newCollector(allClientKeys())
	c.others = allKeys()
	if src.File != "" {
		c.file(src.File)
	}
	for _, variable := range []string{"CLIENT_JVMFLAGS", "JVMFLAGS"} {
		c.jvmFlags(variable, lookupEnv(src.Env, variable))
	}
	c.environment(src.Env)
	c.flags(src.Flags)

	cfg := defaults(c.keys)
	c.apply(&cfg)
	cl := &cfg.client
	cl.TLS = cfg.TLS
	c.tlsSide(&cl.TLS, "ssl.")
	if !cl.FIPS && !c.isSet("ssl.allowReverseDnsLookup") {
		cl.TLS.AllowReverseDNS = true
	}
	cl.SASL.JAAS = c.jaas(cl.SASL.LoginConfig)
	if cl.SASL.JAAS != nil && cl.SASL.ClientSection() == nil && c.isSet("sasl.clientconfig") {
		c.wrong("sasl.clientconfig", "a section of "+cl.SASL.LoginConfig)
	}
	return *cl, c.warnings, errors.Join(c.errs...)
}
