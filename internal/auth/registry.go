package auth

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"crypto/x509"
)

// Options are the settings a Registry is made of. The zero value has the
// schemes ip and digest, as a server without any setting does.
type Options struct {
	// Logger receives what Apache's server logs about authentication; nil
	// discards it.
	Logger *slog.Logger

	// SkipACL lets everybody do everything (skipACL=yes).
	SkipACL bool

	// Classes are the values of the authProvider.* settings by what follows the
	// dot: the Java class names of providers. Those that this package knows are
	// added; for others a warning is logged.
	Classes map[string]string
	// Providers are further schemes. One with the scheme of a provider named
	// above replaces it.
	Providers []Provider

	Digest DigestOptions
	X509   X509Options
	SASL   SASLOptions
	// Policy makes authentication a duty.
	Policy PolicyOptions
	// EnsembleNames is the setting ensembleAuthName, a comma separated list;
	// nil accepts every name.
	EnsembleNames *string
	// Key yields the data of the node /key for KeyAuthenticationProvider; nil
	// data without an error means that the node does not exist.
	Key func() ([]byte, error)
}

// DigestOptions are the settings DigestAuthenticationProvider.*.
type DigestOptions struct {
	// Disabled leaves the scheme out (…enabled=false).
	Disabled bool
	// Super is the digest of the super user, "super:<hash>"; empty for none.
	Super string
	// Algorithm is a Java name of a hash, such as SHA1 or SHA-256; empty means
	// SHA1.
	Algorithm string
}

// X509Options configure the scheme x509.
type X509Options struct {
	// SuperUser is the subject that passes every check; empty for none.
	SuperUser string
	// Verify judges a client's chain, leaf first, once more, as the provider of
	// Apache's server does with its trust store; nil trusts nobody.
	Verify func(chain []*x509.Certificate) error
}

// SASLOptions configure the scheme sasl and what follows a SASL exchange.
type SASLOptions struct {
	// SuperUsers are the authorization ids that pass every check (superUser and
	// superUser.*).
	SuperUsers []string
	// AnyUser is the identity that, standing in a list, means every user that
	// authenticated by SASL (letAnySaslUserDoX); empty for none.
	AnyUser string
	// AllowFailed keeps connections whose exchange failed
	// (allowSaslFailedClients), unless SASL is enforced.
	AllowFailed bool
}

// Registry is the schemes of a server.
type Registry struct {
	log       *slog.Logger
	skipACL   bool
	sasl      SASLOptions
	providers map[string]Provider
	ensemble  *ensemble
	policy    *Policy
	open      *Compiled
}

// classPrefix is the Java package of the known provider classes.
const classPrefix = "org.apache.zookeeper.server.auth."

// New builds the schemes that o asks for. It fails if a hash is unknown or a
// scheme is to be enforced that has no provider.
func New(o Options) (*Registry, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Registry{log: o.Logger, skipACL: o.SkipACL, sasl: o.SASL, providers: map[string]Provider{}}
	r.ensemble = newEnsemble(o.EnsembleNames, o.Logger)
	digest, err := newDigest(o.Digest)
	if err != nil {
		return nil, err
	}
	r.add(ipProvider{})
	if !o.Digest.Disabled {
		r.add(digest)
	}
	r.addClasses(o, digest)
	for _, p := range o.Providers {
		r.add(p)
	}
	r.open = r.Compile(nil)
	if r.policy, err = newPolicy(o.Policy, r); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Registry) add(p Provider) { r.providers[p.Scheme()] = p }

func (r *Registry) addClasses(o Options, digest *digestProvider) {
	for name, class := range o.Classes {
		switch strings.TrimPrefix(class, classPrefix) {
		case "IPAuthenticationProvider":
			r.add(ipProvider{})
		case "DigestAuthenticationProvider":
			r.add(digest)
		case "X509AuthenticationProvider":
			r.add(&x509Provider{opt: o.X509, log: r.log})
		case "SASLAuthenticationProvider":
			r.add(saslProvider{anyUser: o.SASL.AnyUser})
		case "EnsembleAuthenticationProvider":
			r.add(r.ensemble)
		case "KeyAuthenticationProvider":
			r.add(keyProvider{key: o.Key, log: r.log})
		default:
			r.log.Warn("cannot load authentication provider: no such class in this server",
				"setting", "authProvider."+name, "class", class)
		}
	}
}

// Provider is the provider of a scheme, nil for an unknown one.
func (r *Registry) Provider(scheme string) Provider { return r.providers[scheme] }

// Schemes are the names of the known schemes, sorted.
func (r *Registry) Schemes() []string {
	names := make([]string, 0, len(r.providers))
	for name := range r.providers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Policy tells which connections may send requests.
func (r *Registry) Policy() *Policy { return r.policy }

// UserName is what others may see of an identity; empty if its scheme is
// unknown.
func (r *Registry) UserName(id ID) string {
	if p := r.providers[id.Scheme]; p != nil {
		return p.UserName(id.ID)
	}
	return ""
}

// Users lists the user names of ids, comma separated, for the audit log. Names
// of only blanks are left out.
func (r *Registry) Users(ids []ID) string {
	var names []string
	for _, id := range ids {
		if name := r.UserName(id); strings.Trim(name, javaBlank) != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// javaBlank are the characters that Java's String.trim takes off.
const javaBlank = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f" +
	"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f "

// session formats a session id the way the server's log does.
func session(id int64) slog.Attr {
	return slog.String("session", fmt.Sprintf("0x%x", uint64(id)))
}
