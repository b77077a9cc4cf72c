package auth

import "github.com/quollhq/quoll/internal/proto"

// Exchange is the server's side of one SASL exchange.
type Exchange interface {
	// Step takes the client's token and yields the server's, nil for none. done
	// tells that the client is authenticated, as authzID.
	Step(token []byte) (reply []byte, done bool, authzID string, err error)
}

// SASLOutcome is what becomes of a SASL packet.
type SASLOutcome struct {
	// Add are the identities that the connection gains.
	Add []ID
	// Token goes into the reply, nil as null.
	Token []byte
	// Code goes into the reply's header.
	Code proto.Code
	// Close ends the connection, after the reply if there is one.
	Close bool
	// Silent suppresses the reply.
	Silent bool
}

// SASL answers a SASL packet by the connection's exchange, nil if the server is
// not configured for SASL: then, as by Apache's server, the reply is a success
// without a token. token is nil if the packet had a null buffer.
func (r *Registry) SASL(x Exchange, token []byte, peer Peer) SASLOutcome {
	if token == nil {
		r.log.Warn("sasl packet without token", "address", peer.Addr)
		return SASLOutcome{Close: true, Silent: true}
	}
	if x == nil {
		r.log.Error("client wants sasl, which the server is not configured for", "address", peer.Addr)
		return SASLOutcome{}
	}
	reply, done, authzID, err := x.Step(token)
	if err != nil {
		r.log.Warn("sasl authentication failed", "address", peer.Addr, "err", err)
		return r.saslFailed(peer)
	}
	out := SASLOutcome{Token: reply}
	if done {
		out.Add = r.saslIDs(authzID, peer)
	}
	return out
}

func (r *Registry) saslFailed(peer Peer) SASLOutcome {
	switch {
	case r.policy.SASLRequired():
		r.log.Warn("closing connection: the server requires sasl authentication", "address", peer.Addr)
		return SASLOutcome{Code: proto.SessionClosedRequireSASLAuth, Close: true}
	case r.sasl.AllowFailed:
		r.log.Warn("keeping connection despite failed sasl authentication", "address", peer.Addr)
		return SASLOutcome{}
	}
	r.log.Warn("closing connection: sasl authentication failed", "address", peer.Addr)
	return SASLOutcome{Code: proto.AuthFailed, Close: true}
}

func (r *Registry) saslIDs(authzID string, peer Peer) []ID {
	r.log.Info("adding sasl authorization", session(peer.Session), "id", authzID)
	ids := []ID{{Scheme: "sasl", ID: authzID}}
	for _, super := range r.sasl.SuperUsers {
		if authzID != "" && authzID == super {
			r.log.Info("sasl user is super user", session(peer.Session), "id", authzID)
			return append(ids, ID{Scheme: SchemeSuper})
		}
	}
	return ids
}
