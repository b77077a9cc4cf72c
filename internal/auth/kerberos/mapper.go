package kerberos

import (
	"log/slog"
)

// Options are the settings of a Mapper.
type Options struct {
	// Rules is security.auth_to_local; empty means DEFAULT.
	Rules string
	// DefaultRealm is that of the Kerberos configuration, empty without one.
	DefaultRealm string
	// RemoveHost and RemoveRealm are kerberos.removeHostFromPrincipal and
	// kerberos.removeRealmFromPrincipal.
	RemoveHost, RemoveRealm bool
	// Logger may be nil.
	Logger *slog.Logger
}

// Mapper turns the name that a SASL exchange proved into the identity that
// access control lists name.
type Mapper struct {
	rules *Rules
	opt   Options
	log   *slog.Logger
}

// NewMapper makes a Mapper; it fails if the rules are malformed.
func NewMapper(o Options) (*Mapper, error) {
	if o.Rules == "" {
		o.Rules = "DEFAULT"
	}
	rules, err := ParseRules(o.Rules, o.DefaultRealm)
	if err != nil {
		return nil, err
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Mapper{rules: rules, opt: o, log: log}, nil
}

// Authorize is the identity of whoever proved to be authenticated. requested,
// what the client asked to be taken for, is only logged. Host and realm stay
// behind the short name unless they are to be removed. A name that no rule
// applies to stays as it was proven: Apache's server takes requested for it,
// which would let such a client be whomever it likes.
func (m *Mapper) Authorize(authenticated, requested string) (string, error) {
	m.log.Info("authenticated client", "authentication_id", authenticated, "authorization_id", requested)
	name, err := ParseName(authenticated)
	if err != nil {
		return "", err
	}
	id, err := m.rules.ShortName(name)
	if err != nil {
		m.log.Error("no local name by the auth_to_local rules", "name", authenticated, "err", err)
		return authenticated, nil
	}
	if name.HasHost && !m.opt.RemoveHost {
		id += "/" + name.Host
	}
	if name.HasRealm && !m.opt.RemoveRealm {
		id += "@" + name.Realm
	}
	m.log.Info("authorized client", "id", id)
	return id, nil
}
