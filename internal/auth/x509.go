package auth

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/quollhq/quoll/internal/auth/x500"
)

// x509Provider is the scheme of client certificates: an identity is the
// subject's distinguished name in the form of RFC 2253.
type x509Provider struct {
	opt X509Options
	log *slog.Logger
}

func (*x509Provider) Scheme() string            { return "x509" }
func (*x509Provider) Authenticated() bool       { return true }
func (*x509Provider) Valid(expr string) bool    { return x500.Valid(expr) }
func (*x509Provider) UserName(id string) string { return id }

func (p *x509Provider) Authenticate(peer Peer, _ []byte) (Verdict, error) {
	if len(peer.Certificates) == 0 {
		return Verdict{}, errors.New("no certificate chain to authenticate")
	}
	if p.opt.Verify == nil {
		return Verdict{}, errors.New("no trust store to authenticate a certificate by")
	}
	if err := p.opt.Verify(peer.Certificates); err != nil {
		return Verdict{}, fmt.Errorf("certificate not trusted: %w", err)
	}
	subject, err := x500.Name(peer.Certificates[0].RawSubject)
	if err != nil {
		return Verdict{}, fmt.Errorf("subject of certificate: %w", err)
	}
	v := Verdict{OK: true}
	if p.opt.SuperUser != "" && subject == p.opt.SuperUser {
		v.IDs = append(v.IDs, ID{Scheme: SchemeSuper, ID: subject})
		p.log.Info("certificate's subject is super user", "id", subject)
	}
	v.IDs = append(v.IDs, ID{Scheme: "x509", ID: subject})
	p.log.Info("certificate's subject authenticated", "id", subject)
	return v, nil
}

func (p *x509Provider) Matcher(expr string) Matcher {
	if p.opt.SuperUser == "" {
		return exact(expr)
	}
	return either{expr, p.opt.SuperUser}
}

// either matches an entry and the super user, who is meant by all entries.
type either [2]string

func (e either) Match(id string) bool { return id == e[0] || id == e[1] }
