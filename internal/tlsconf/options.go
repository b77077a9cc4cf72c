package tlsconf

import "time"

// ClientAuth says whether a server wants certificates of its clients.
type ClientAuth int

// The zero value is NeedClient, Apache's default.
const (
	// NeedClient refuses clients without a certificate.
	NeedClient ClientAuth = iota
	// WantClient asks for a certificate and goes on without.
	WantClient
	// NoClient does not ask.
	NoClient
)

// String returns the value of ssl.clientAuth.
func (a ClientAuth) String() string {
	switch a {
	case WantClient:
		return "want"
	case NoClient:
		return "none"
	}
	return "need"
}

// Store is a key store or trust store in a file.
type Store struct {
	// Location is the path; empty means there is no store.
	Location string
	// Password opens the store; PasswordPath, when set, is a file that holds
	// it and wins.
	Password, PasswordPath string
	// Type is JKS, PEM or PKCS12 in any case; empty means by the suffix
	// .jks, .pem or .p12 of Location.
	Type string
}

// Options are the settings of one TLS side, named as Apache's ssl.* keys.
type Options struct {
	KeyStore, TrustStore Store
	// Protocol is ssl.protocol: the one version spoken when EnabledProtocols
	// is empty. Empty (or "TLS") means TLS 1.2 and 1.3.
	Protocol string
	// EnabledProtocols are Java's names, as TLSv1.2 and TLSv1.3.
	EnabledProtocols []string
	// CipherSuites are Java's or IANA's names for TLS 1.2 and older. Empty
	// means Go's choice. TLS 1.3 has no choice.
	CipherSuites []string
	ClientAuth   ClientAuth
	// HostnameVerification makes clients check the server's name.
	HostnameVerification bool
	// ClientHostnameVerification makes servers check that a client's
	// certificate names the address it comes from. Both must be set.
	ClientHostnameVerification bool
	// AllowReverseDNS lets a peer known by its address alone be checked by the
	// names that address resolves to.
	AllowReverseDNS bool
	// CRL and OCSP switch revocation checks on. A certificate whose state
	// cannot be found out is then refused, as by Apache.
	CRL, OCSP bool
	// Reload reads changed stores while Watch runs.
	Reload bool
	// HandshakeDetection is how long a port for TLS and plain text waits for
	// the first bytes that tell which it is.
	HandshakeDetection time.Duration
}

// Defaults returns Apache's defaults of a side that serves or calls clients.
func Defaults() Options {
	return Options{HostnameVerification: true, HandshakeDetection: 5 * time.Second}
}

// Problem is a setting that cannot be used as it is.
type Problem struct {
	// Key is the setting without its prefix, as "ciphersuites".
	Key string
	// Want says what would be right, or what is left out.
	Want string
	// Fatal problems leave nothing to speak TLS with.
	Fatal bool
}
