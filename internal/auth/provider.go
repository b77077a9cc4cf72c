package auth

import (
	"crypto/x509"
	"net/netip"

	"github.com/quollhq/quoll/internal/proto"
)

// Peer is what is known of the client behind a connection or HTTP request.
type Peer struct {
	// Session is the session's id, 0 before there is one. Only logged.
	Session int64
	// Addr is the address the client connects from.
	Addr netip.AddrPort
	// Certificates is the client's certificate chain, leaf first, as it was
	// presented in the TLS handshake; nil without TLS or without certificate.
	Certificates []*x509.Certificate
	// Host, when not empty, stands for Addr's address as the identity of scheme
	// ip: an admin request's client behind a trusted proxy.
	Host string
}

// Outcome is what becomes of an auth packet.
type Outcome struct {
	// Add are the identities that the connection gains, also when Code is a
	// failure.
	Add []ID
	// Code goes into the reply's header: OK or AuthFailed.
	Code proto.Code
	// Close ends the connection, after the reply if there is one.
	Close bool
	// Silent suppresses the reply: the client is to try another server instead
	// of giving up.
	Silent bool
}

// Verdict is what a Provider says about authentication data.
type Verdict struct {
	// IDs are the identities that were proven.
	IDs []ID
	// OK tells that the data was accepted. IDs may be empty all the same.
	OK bool
	// Drop ends the connection without a reply, so that the client goes to
	// another server instead of reporting a failure. Only when OK is false.
	Drop bool
}

// A Provider implements one scheme. Its methods are called concurrently.
type Provider interface {
	// Scheme is the name of the scheme, the same at every call.
	Scheme() string
	// Authenticate judges the data of an auth packet; nil data is the
	// protocol's null. A returned error is logged and means a refusal.
	Authenticate(peer Peer, data []byte) (Verdict, error)
	// Authenticated tells whether identities of this scheme take the place of
	// an "auth" entry in a list.
	Authenticated() bool
	// Valid tells whether expr may stand in a list under this scheme.
	Valid(expr string) bool
	// Matcher prepares expr, a list's entry, for repeated checks. It must
	// accept any string; nil matches nothing.
	Matcher(expr string) Matcher
	// UserName is the part of an identity that others may see.
	UserName(id string) string
}

// A Matcher tells whether an identity is meant by a list's entry. It is called
// on the hot path: it must not allocate.
type Matcher interface {
	Match(id string) bool
}

// exact matches the one identity that equals the entry.
type exact string

func (e exact) Match(id string) bool { return id == string(e) }
