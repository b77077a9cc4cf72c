package auth

import (
	"fmt"

	"github.com/quollhq/quoll/internal/proto"
)

// Authenticate answers an auth packet. data is nil if the packet had a null
// buffer. An error inside a provider is a refusal, never a panic of the
// connection.
func (r *Registry) Authenticate(scheme string, data []byte, peer Peer) Outcome {
	r.log.Info("got auth packet", "address", peer.Addr)
	p := r.providers[scheme]
	if p == nil {
		r.log.Warn("no authentication provider for the scheme",
			"scheme", scheme, "known", r.Schemes(), "address", peer.Addr)
		return Outcome{Code: proto.AuthFailed, Close: true}
	}
	v, err := judge(p, peer, data)
	if err != nil {
		r.log.Warn("authentication provider failed", "scheme", scheme, "err", err)
		v = Verdict{}
	}
	if !v.OK {
		r.log.Warn("authentication failed", "scheme", scheme, "address", peer.Addr)
		return Outcome{Add: v.IDs, Code: proto.AuthFailed, Close: true, Silent: v.Drop}
	}
	r.log.Info("authenticated", session(peer.Session), "scheme", scheme, "address", peer.Addr)
	return Outcome{Add: v.IDs}
}

// judge turns a panic of a provider, which may be an embedder's, into an error.
func judge(p Provider, peer Peer, data []byte) (v Verdict, err error) {
	defer func() {
		if e := recover(); e != nil {
			v, err = Verdict{}, fmt.Errorf("provider panicked: %v", e)
		}
	}()
	return p.Authenticate(peer, data)
}

// InitialIDs are the identities of a new connection: its address.
func InitialIDs(peer Peer) []ID {
	return []ID{{Scheme: "ip", ID: peer.host()}}
}

// AuthenticateTLS judges the certificate of a new connection by the provider of
// scheme, x509 unless ssl.authProvider names another. ok false means that the
// connection must be closed. A connection that showed no certificate (because
// it need not) is not to be judged.
func (r *Registry) AuthenticateTLS(scheme string, peer Peer) (add []ID, ok bool) {
	p := r.providers[scheme]
	if p == nil {
		r.log.Error("authentication provider of TLS connections not found", "scheme", scheme)
		return nil, false
	}
	v, err := judge(p, peer, nil)
	if err != nil || !v.OK {
		r.log.Error("authentication by certificate failed", "address", peer.Addr, "err", err)
		return nil, false
	}
	return v.IDs, true
}
