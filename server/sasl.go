package server

import (
	"errors"
	"fmt"
	"os"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/auth/kerberos"
	"github.com/quollhq/quoll/internal/auth/sasl"
	"github.com/quollhq/quoll/internal/auth/sasl/gssapi"
)

// systemKerberos is where Kerberos is configured unless java.security.krb5.conf
// says otherwise.
const systemKerberos = "/etc/krb5.conf"

// mechanism makes the server's side of SASL exchanges.
type mechanism interface{ NewServer() sasl.Server }

// setupSASL reads the JAAS section for clients: Kerberos if it has a Kerberos
// login, else DIGEST-MD5 with the users that it lists. Without a section there
// is no SASL.
func (s *Server) setupSASL() error {
	c := &s.cfg.SASL
	section := c.ServerSection()
	if section == nil {
		return nil
	}
	login, isKerberos := section.Kerberos()
	mapper, realm, err := s.principalMapper(isKerberos || c.Kerberos.RequireConfig)
	if err != nil {
		return err
	}
	var m mechanism
	if isKerberos {
		m, err = gssapi.New(gssapi.Config{
			Keytab: login.KeyTab, Principal: login.Principal, DefaultRealm: realm, Authorizer: mapper, Logger: s.log,
		})
		if err != nil {
			return fmt.Errorf("section %s of %s: %w", c.Section, c.LoginConfig, err)
		}
	} else {
		var super *string
		if c.SuperPassword != "" {
			super = &c.SuperPassword
		}
		m = sasl.NewDigest(sasl.DigestConfig{
			Users: section.Users(), SuperPassword: super, Authorizer: mapper, Logger: s.log,
		})
	}
	s.sasl = func(auth.Peer) auth.Exchange { return m.NewServer() }
	return nil
}

func (s *Server) principalMapper(required bool) (*kerberos.Mapper, string, error) {
	k := &s.cfg.SASL.Kerberos
	realm := k.Realm
	if realm == "" {
		path := k.Config
		if path == "" {
			path = systemKerberos
		}
		var err error
		realm, err = gssapi.DefaultRealm(path)
		if err != nil && (required || !errors.Is(err, os.ErrNotExist)) {
			return nil, "", fmt.Errorf("kerberos: %w", err)
		}
	}
	m, err := kerberos.NewMapper(kerberos.Options{
		Rules: k.AuthToLocal, DefaultRealm: realm, RemoveHost: k.RemoveHost, RemoveRealm: k.RemoveRealm, Logger: s.log,
	})
	if err != nil {
		return nil, "", fmt.Errorf("security.auth_to_local: %w", err)
	}
	return m, realm, nil
}
