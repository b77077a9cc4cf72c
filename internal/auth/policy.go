package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// PolicyOptions are the settings that make authentication a duty.
type PolicyOptions struct {
	// RequireSASL is sessionRequireClientSASLAuth. It overrides the others.
	RequireSASL bool
	// Enforce is enforce.auth.enabled.
	Enforce bool
	// Schemes is enforce.auth.schemes, a comma separated list; nil if not set.
	Schemes *string
}

// Policy decides whether a connection is authenticated well enough for requests
// other than those that authenticate.
type Policy struct {
	enforce bool
	schemes []string
	log     *slog.Logger
}

func newPolicy(o PolicyOptions, r *Registry) (*Policy, error) {
	p := &Policy{enforce: o.Enforce, log: r.log}
	switch {
	case o.RequireSASL:
		p.enforce, p.schemes = true, []string{"sasl"}
	case o.Schemes != nil:
		for s := range strings.SplitSeq(strings.TrimRight(*o.Schemes, ","), ",") {
			p.schemes = append(p.schemes, strings.Trim(s, javaBlank))
		}
	}
	if p.enforce {
		r.log.Info("enforcement of authentication", "schemes", p.schemes)
	}
	return p, p.validate(r)
}

func (p *Policy) validate(r *Registry) error {
	if !p.enforce {
		return nil
	}
	if len(p.schemes) == 0 {
		return errors.New("enforce.auth.enabled is true, but enforce.auth.schemes is not set")
	}
	for _, s := range p.schemes {
		if r.providers[s] == nil {
			return fmt.Errorf("authentication scheme %q is to be enforced, but has no provider; known are %s (set authProvider.N)",
				s, strings.Join(r.Schemes(), ", "))
		}
	}
	return nil
}

// Enforced tells whether connections must authenticate at all.
func (p *Policy) Enforced() bool { return p.enforce }

// SASLRequired tells whether scheme sasl is among those that are enforced. Then
// a failed exchange ends the connection with a code that says so.
func (p *Policy) SASLRequired() bool { return p.enforce && p.accepts("sasl") }

// Satisfied tells whether a connection with ids may send requests. If not, the
// request is answered with SessionClosedRequireSASLAuth and the connection
// closed.
func (p *Policy) Satisfied(ids []ID) bool {
	if !p.enforce {
		return true
	}
	for i := range ids {
		if p.accepts(ids[i].Scheme) {
			return true
		}
	}
	p.log.Error("closing session: not authenticated by any of the schemes that are enforced",
		"has", schemesOf(ids), "enforced", p.schemes)
	return false
}

func (p *Policy) accepts(scheme string) bool {
	return slices.Contains(p.schemes, scheme)
}

func schemesOf(ids []ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.Scheme
	}
	return out
}
