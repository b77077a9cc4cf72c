package authn

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	krb5 "github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/quollhq/quoll/internal/auth/sasl"
	"github.com/quollhq/quoll/internal/auth/sasl/gssapi"
	"github.com/quollhq/quoll/internal/config"
)

const (
	systemKerberos = "/etc/krb5.conf"
	// hostPattern in a service's principal stands for the host that is dialled.
	hostPattern = "_HOST"
)

// kerberosServer takes members whose principals name one of hosts.
func kerberosServer(cfg *config.Config, login config.KerberosLogin, hosts func() []string, log *slog.Logger) (func() sasl.Server, error) {
	realm, err := defaultRealm(cfg)
	if err != nil {
		return nil, err
	}
	a, err := gssapi.New(gssapi.Config{
		Keytab: login.KeyTab, Principal: login.Principal, DefaultRealm: realm, Authorizer: members(hosts), Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: section %s of %s: %w", ErrConfig, cfg.Ensemble.SASL.ServerSection, cfg.SASL.JAAS.File, err)
	}
	return a.NewServer, nil
}

// kerberosClient proves to members who we are.
func kerberosClient(cfg *config.Config, login config.KerberosLogin) (func(host string) (sasl.Client, error), error) {
	realm, err := defaultRealm(cfg)
	if err != nil {
		return nil, err
	}
	where := fmt.Sprintf("section %s of %s", cfg.Ensemble.SASL.LearnerSection, cfg.SASL.JAAS.File)
	if login.KeyTab == "" || login.Principal == "" {
		return nil, fmt.Errorf("%w: %s has no keyTab and principal", ErrConfig, where)
	}
	keys, err := keytab.Load(login.KeyTab)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrConfig, where, err)
	}
	conf, err := krb5.Load(kerberosConf(cfg))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	name, own, _ := strings.Cut(login.Principal, "@")
	if own == "" {
		own = realm
	}
	service := cfg.Ensemble.SASL.ServicePrincipal
	return func(host string) (sasl.Client, error) {
		return &initiator{service: servicePrincipal(service, host), login: func() *client.Client {
			return client.NewWithKeytab(name, own, keys, conf, client.DisablePAFXFAST(true))
		}}, nil
	}, nil
}

func kerberosConf(cfg *config.Config) string {
	if path := cfg.SASL.Kerberos.Config; path != "" {
		return path
	}
	return systemKerberos
}

func defaultRealm(cfg *config.Config) (string, error) {
	if realm := cfg.SASL.Kerberos.Realm; realm != "" {
		return realm, nil
	}
	realm, err := gssapi.DefaultRealm(kerberosConf(cfg))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return realm, nil
}

// servicePrincipal is the service at host, without its realm.
func servicePrincipal(configured, host string) string {
	name, _, _ := strings.Cut(configured, "@")
	if service, ok := strings.CutSuffix(name, "/"+hostPattern); ok {
		return service + "/" + strings.ToLower(host)
	}
	return name
}

// initiator logs in for each exchange: members connect seldom, and nothing has to be renewed in between.
type initiator struct {
	sasl.Client
	service string
	login   func() *client.Client
}

// Start implements sasl.Client.
func (i *initiator) Start() ([]byte, error) {
	login := i.login()
	defer login.Destroy() // what follows needs the ticket alone
	if err := login.Login(); err != nil {
		return nil, err
	}
	i.Client = gssapi.NewClient(gssapi.ClientConfig{Login: login, Service: i.service})
	return i.Client.Start()
}

// members is who may be a member: those whose principal's host is one of the ensemble's.
type members func() []string

// Authorize implements sasl.Authorizer.
func (m members) Authorize(authenticated, requested string) (string, error) {
	if _, err := (itself{}).Authorize(authenticated, requested); err != nil {
		return "", err
	}
	parts := strings.FieldsFunc(requested, func(r rune) bool { return r == '/' || r == '@' })
	if len(parts) != 3 || !slices.Contains(m(), parts[1]) {
		return "", fmt.Errorf("names no host of the ensemble, want service/host@REALM with one of %v", m())
	}
	return requested, nil
}
