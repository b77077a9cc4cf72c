package config

import (
	"slices"
	"strings"
	"time"

	"github.com/quollhq/quoll/internal/tlsconf"
)

func authKeys() []Key {
	return group("Authentication and ACLs",
		family("authProvider.X", "the name of a Java class", "Switches an authentication scheme on by the name of Apache's class.", addProvider),
		key("DigestAuthenticationProvider.enabled", boolean(), "true", "The digest scheme.", func(c *Config) *bool { return &c.Auth.Digest }),
		key("DigestAuthenticationProvider.superDigest", secret(), "", "user:base64(hash) of the super user of the digest scheme.", func(c *Config) *string { return &c.Auth.SuperDigest }),
		key("DigestAuthenticationProvider.digestAlg", text(), "SHA1", "Hash of the digest scheme by Java's name.", func(c *Config) *string { return &c.Auth.DigestAlgorithm }),
		key("X509AuthenticationProvider.superUser", text(), "", "Subject of the certificate that is super.", func(c *Config) *string { return &c.Auth.X509SuperUser }),
		key("IPAuthenticationProvider.usexforwardedfor", boolean(), "false", "Let the admin server believe X-Forwarded-For.", func(c *Config) *bool { return &c.Auth.ForwardedFor }),
		key("superUser", text(), "", "SASL name that is super.", func(c *Config) *string { return &c.superUser }),
		family("superUser.X", "a SASL name", "More SASL names that are super.", addSuperUser),
		key("skipACL", yesNo(), "no", "Check no ACL at all.", func(c *Config) *bool { return &c.Auth.SkipACL }),
		key("sessionRequireClientSASLAuth", boolean(), "false", "Let only sessions in that have authenticated by SASL.", func(c *Config) *bool { return &c.requireSASL }),
		key("enforce.auth.enabled", boolean(), "false", "Let only sessions in that have one of enforce.auth.schemes.", func(c *Config) *bool { return &c.enforceAuth }),
		key("enforce.auth.schemes", list(), "", "Schemes for enforce.auth.enabled, separated by commas.", func(c *Config) *[]string { return &c.enforceSchemes }),
		key("ensembleAuthName", list(), "", "Names clients may expect this ensemble to have, separated by commas.", func(c *Config) *[]string { return &c.Auth.EnsembleNames }),
		key("fips-mode", boolean(), "true", "Check TLS host names by HTTPS's rules. With false the address is tried first, then its names, and DIGEST-MD5 between servers is allowed.", func(c *Config) *bool { return &c.Auth.FIPS }),
	)
}

// providerSchemes maps the simple names of Apache's classes to their schemes.
var providerSchemes = map[string]string{
	"SASLAuthenticationProvider":     "sasl",
	"X509AuthenticationProvider":     "x509",
	"EnsembleAuthenticationProvider": "ensemble",
	"KeyAuthenticationProvider":      "key",
	"DigestAuthenticationProvider":   "digest",
	"IPAuthenticationProvider":       "ip",
}

func addProvider(c *Config, suffix, class string) error {
	simple, _ := strings.CutPrefix(class, "org.apache.zookeeper.server.auth.")
	c.Auth.Providers = append(c.Auth.Providers, Provider{Suffix: suffix, Class: class, Scheme: providerSchemes[simple]})
	return nil
}

func addSuperUser(c *Config, _, name string) error {
	c.Auth.SuperUsers = append(c.Auth.SuperUsers, name)
	return nil
}

func saslKeys() []Key {
	return group("SASL and Kerberos",
		key("java.security.auth.login.config", path(), "", "Path of the JAAS file.", func(c *Config) *string { return &c.SASL.LoginConfig }, raw),
		key("sasl.serverconfig", text(), "Server", "Section of the JAAS file for clients' connections.", func(c *Config) *string { return &c.SASL.Section }),
		key("SASLAuthenticationProvider.superPassword", secret(), "", "DIGEST-MD5 password of the user super.", func(c *Config) *string { return &c.SASL.SuperPassword }),
		key("allowSaslFailedClients", boolean(), "false", "Keep connections whose SASL authentication failed.", func(c *Config) *bool { return &c.SASL.AllowFailed }),
		key("letAnySaslUserDoX", text(), "", "SASL name in ACLs that every SASL name may act as.", func(c *Config) *string { return &c.SASL.AnyUserCanDo }),
		key("java.security.krb5.conf", path(), "", "Path of the Kerberos configuration; the system's when not set.", func(c *Config) *string { return &c.SASL.Kerberos.Config }, raw),
		key("server.realm", text(), "", "Kerberos realm of the servers.", func(c *Config) *string { return &c.SASL.Kerberos.Realm }),
		key("security.auth_to_local", text(), "DEFAULT", "Rules that map principals to names.", func(c *Config) *string { return &c.SASL.Kerberos.AuthToLocal }),
		key("kerberos.removeHostFromPrincipal", boolean(), "false", "Take the host off a principal's name.", func(c *Config) *bool { return &c.SASL.Kerberos.RemoveHost }),
		key("kerberos.removeRealmFromPrincipal", boolean(), "false", "Take the realm off a principal's name.", func(c *Config) *bool { return &c.SASL.Kerberos.RemoveRealm }),
		key("kerberos.canonicalizeHostNames", boolean(), "false", "Resolve servers' names to their canonical ones.", func(c *Config) *bool { return &c.SASL.Kerberos.CanonicalizeHosts }),
		key("requireKerberosConfig", boolean(), "false", "Fail when there is no default Kerberos realm.", func(c *Config) *bool { return &c.SASL.Kerberos.RequireConfig }),
	)
}

func peerSASLKeys() []Key {
	s := func(c *Config) *PeerSASL { return &c.Ensemble.SASL }
	return group("SASL between servers",
		key("quorum.auth.enableSasl", boolean(), "false", "SASL between servers.", func(c *Config) *bool { return &s(c).Enabled }, fromFile),
		key("quorum.auth.serverRequireSasl", boolean(), "false", "Refuse servers without SASL.", func(c *Config) *bool { return &s(c).ServerRequired }, fromFile),
		key("quorum.auth.learnerRequireSasl", boolean(), "false", "Use SASL with every server.", func(c *Config) *bool { return &s(c).LearnerRequired }, fromFile),
		key("quorum.auth.kerberos.servicePrincipal", text(), "zkquorum/localhost", "Kerberos principal of servers.", func(c *Config) *string { return &s(c).ServicePrincipal }, fromFile),
		key("quorum.auth.learner.saslLoginContext", text(), "QuorumLearner", "Section of the JAAS file for connections to servers.", func(c *Config) *string { return &s(c).LearnerSection }, fromFile),
		key("quorum.auth.server.saslLoginContext", text(), "QuorumServer", "Section of the JAAS file for connections from servers.", func(c *Config) *string { return &s(c).ServerSection }, fromFile),
	)
}

func tlsOf(c *Config) *tlsconf.Options     { return &c.TLS }
func peerTLSOf(c *Config) *tlsconf.Options { return &c.PeerTLS }

// tlsKeys are the keys of one TLS side, all beginning with prefix.
func tlsKeys(section, prefix string, of func(*Config) *tlsconf.Options) []Key {
	clientNames := "false"
	if prefix == "ssl.quorum." {
		clientNames = "true"
	}
	keys := slices.Concat(storeKeys(prefix+"keyStore.", "key store", func(c *Config) *tlsconf.Store { return &of(c).KeyStore }),
		storeKeys(prefix+"trustStore.", "trust store", func(c *Config) *tlsconf.Store { return &of(c).TrustStore }),
		[]Key{
			key(prefix+"protocol", text(), "", "The one TLS version, as TLSv1.2; TLSv1.2 and TLSv1.3 when nothing is set.", func(c *Config) *string { return &of(c).Protocol }),
			key(prefix+"enabledProtocols", list(), "", "TLS versions, separated by commas.", func(c *Config) *[]string { return &of(c).EnabledProtocols }),
			key(prefix+"ciphersuites", list(), "", "Cipher suites for TLS 1.2 by Java's or IANA's names, separated by commas.", func(c *Config) *[]string { return &of(c).CipherSuites }),
			key(prefix+"clientAuth", clientAuth(), "need", "Whether clients must have a certificate.", func(c *Config) *tlsconf.ClientAuth { return &of(c).ClientAuth }),
			key(prefix+"hostnameVerification", boolean(), "true", "Check the names in certificates.", func(c *Config) *bool { return &of(c).HostnameVerification }),
			key(prefix+"clientHostnameVerification", boolean(), clientNames, "Check the names in the certificates of those who connect.", func(c *Config) *bool { return &of(c).ClientHostnameVerification }),
			key(prefix+"allowReverseDnsLookup", boolean(), "false", "Check a peer known by its address by the names the address resolves to.", func(c *Config) *bool { return &of(c).AllowReverseDNS }),
			key(prefix+"crl", boolean(), "false", "Check certificates against revocation lists.", func(c *Config) *bool { return &of(c).CRL }),
			key(prefix+"ocsp", boolean(), "false", "Ask OCSP responders about certificates.", func(c *Config) *bool { return &of(c).OCSP }),
			key(prefix+"handshakeDetectionTimeoutMillis", millis(1), "5000", "Milliseconds to wait on a port for TLS and plain text for the first bytes.", func(c *Config) *time.Duration { return &of(c).HandshakeDetection }),
		})
	if prefix == "ssl." {
		keys = append(keys,
			key("ssl.authProvider", text(), "x509", "Scheme of the provider that makes identities out of client certificates.", func(c *Config) *string { return &c.Auth.X509Provider }),
			key("client.certReload", boolean(), "false", "Read changed stores without a restart.", func(c *Config) *bool { return &c.TLS.Reload }))
	} else {
		keys = append(keys,
			key("sslQuorumReloadCertFiles", boolean(), "false", "Read changed stores without a restart.", func(c *Config) *bool { return &c.PeerTLS.Reload }, fromFile))
	}
	return group(section, keys...)
}

func storeKeys(prefix, what string, of func(*Config) *tlsconf.Store) []Key {
	return []Key{
		key(prefix+"location", path(), "", "Path of the "+what+".", func(c *Config) *string { return &of(c).Location }),
		key(prefix+"password", secret(), "", "Password of the "+what+".", func(c *Config) *string { return &of(c).Password }, mayBeEmpty),
		key(prefix+"passwordPath", path(), "", "File with the password of the "+what+"; it wins over the password.", func(c *Config) *string { return &of(c).PasswordPath }),
		key(prefix+"type", choice("JKS", "PEM", "PKCS12", "BCFKS"), "", "Type of the "+what+"; by the suffix .jks, .pem or .p12 when not set. BCFKS cannot be read.", func(c *Config) *string { return &of(c).Type }),
	}
}

func clientAuth() spec[tlsconf.ClientAuth] {
	return spec[tlsconf.ClientAuth]{KindChoice, "one of need, want, none", func(s string) (tlsconf.ClientAuth, bool) {
		for _, a := range []tlsconf.ClientAuth{tlsconf.NeedClient, tlsconf.WantClient, tlsconf.NoClient} {
			if strings.EqualFold(s, a.String()) {
				return a, true
			}
		}
		return 0, false
	}}
}
