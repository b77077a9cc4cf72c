package tlsconf

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// protocols maps Java's names to Go's versions.
var protocols = map[string]uint16{
	"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
}

// versions returns the lowest and highest version of the options. TLS knows
// only ranges: what lies between two enabled versions is enabled, too.
func (o Options) versions() (low, high uint16, err error) {
	names := o.EnabledProtocols
	if len(names) == 0 && o.Protocol != "" && o.Protocol != "TLS" {
		names = []string{o.Protocol}
	}
	if len(names) == 0 {
		return tls.VersionTLS12, tls.VersionTLS13, nil
	}
	for _, n := range names {
		v, ok := protocols[n]
		if !ok {
			return 0, 0, fmt.Errorf("found the TLS version %q, want TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3", n)
		}
		low, high = min(cmpZero(low, v), v), max(high, v)
	}
	return low, high, nil
}

func cmpZero(v, other uint16) uint16 {
	if v == 0 {
		return other
	}
	return v
}

// suiteByName finds a cipher suite by IANA's name or by Java's, whose older
// ones begin with SSL_.
func suiteByName(name string) (id uint16, tls13, ok bool) {
	alias := strings.Replace(name, "SSL_", "TLS_", 1)
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if s.Name == name || s.Name == alias || javaSuite(s.Name) == name {
			return s.ID, slices.Equal(s.SupportedVersions, []uint16{tls.VersionTLS13}), true
		}
	}
	return 0, false, false
}

// javaSuite is the name Java gives to a suite whose Go name lacks the hash.
func javaSuite(name string) string {
	if strings.HasSuffix(name, "_CHACHA20_POLY1305") {
		return name + "_SHA256"
	}
	return name
}

// suites returns the configured cipher suites of TLS 1.2 and the names Go
// does not have.
func (o Options) suites() (ids []uint16, unknown []string) {
	for _, n := range o.CipherSuites {
		id, tls13, ok := suiteByName(n)
		switch {
		case !ok:
			unknown = append(unknown, n)
		case !tls13:
			ids = append(ids, id)
		}
	}
	return ids, unknown
}

// Check returns what is wrong with the options that can be told without
// reading a store.
func (o Options) Check() []Problem {
	var ps []Problem
	if _, _, err := o.versions(); err != nil {
		key := "enabledProtocols"
		if len(o.EnabledProtocols) == 0 {
			key = "protocol"
		}
		ps = append(ps, Problem{Key: key, Want: "TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3", Fatal: true})
	}
	switch _, unknown := o.suites(); {
	case len(unknown) == 0:
	case len(unknown) == len(o.CipherSuites):
		ps = append(ps, Problem{Key: "ciphersuites", Want: "at least one of " + strings.Join(suiteNames(), ", "), Fatal: true})
	default:
		ps = append(ps, Problem{Key: "ciphersuites", Want: "there is no such cipher suite here, left out: " + strings.Join(unknown, ", ")})
	}
	return append(ps, storeProblems("keyStore", o.KeyStore, storeProblems("trustStore", o.TrustStore, nil))...)
}

func storeProblems(key string, s Store, before []Problem) []Problem {
	if s.Location == "" {
		return before
	}
	if _, err := s.kind(); err != nil {
		return append(before, Problem{Key: key + ".type", Want: "JKS, PEM or PKCS12, or a location that ends in .jks, .pem or .p12", Fatal: true})
	}
	return before
}

func suiteNames() []string {
	var names []string
	for _, s := range tls.CipherSuites() {
		names = append(names, s.Name)
	}
	return names
}
