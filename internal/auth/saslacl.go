package auth

import (
	"errors"

	"github.com/quollhq/quoll/internal/auth/kerberos"
)

// saslProvider is the scheme of the identities that SASL exchanges prove.
type saslProvider struct {
	anyUser string
}

// errOnlyBySASL refuses auth packets of scheme sasl: there are packets of their
// own for it.
var errOnlyBySASL = errors.New("scheme sasl is not open to auth packets")

func (saslProvider) Scheme() string            { return "sasl" }
func (saslProvider) Authenticated() bool       { return true }
func (saslProvider) UserName(id string) string { return id }

func (saslProvider) Authenticate(Peer, []byte) (Verdict, error) {
	return Verdict{}, errOnlyBySASL
}

// Valid wants what could be a Kerberos principal or a simple name.
func (saslProvider) Valid(expr string) bool {
	_, err := kerberos.ParseName(expr)
	return err == nil
}

func (p saslProvider) Matcher(expr string) Matcher {
	if p.anyUser != "" && expr == p.anyUser {
		return anyone{}
	}
	return either{expr, "super"}
}

type anyone struct{}

func (anyone) Match(string) bool { return true }
