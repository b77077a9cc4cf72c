// Package kerberos authenticates a client by Kerberos (SASL GSSAPI). It is a
// package of its own so that other programs do without Kerberos:
//
//	sasl, err := kerberos.New(kerberos.Config{Principal: "bob@EXAMPLE.COM", Keytab: "/etc/bob.keytab"})
//	...
//	c, err := client.Dial(ctx, "zk1:2181", client.WithSASL(sasl))
package kerberos

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	krb5 "github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/auth/sasl"
	"github.com/quollhq/quoll/internal/auth/sasl/gssapi"
)

// The defaults of a Config.
const (
	DefaultService = "zookeeper/_HOST"
	DefaultConf    = "/etc/krb5.conf"
)

// Config says who the client is. It has either a Keytab or a Cache.
type Config struct {
	// Principal is the client's name, as "bob" or "bob@REALM". Without a realm it is
	// in the default realm of Conf. A Cache has its own.
	Principal string
	// Keytab is the file with the principal's keys. It is read for each connection.
	Keytab string
	// Cache is a file with tickets, as kinit writes it; somebody has to renew them.
	// It is read for each connection.
	Cache string
	// Conf is the configuration file of Kerberos. Default: what KRB5_CONFIG in the
	// environment names, or [DefaultConf].
	Conf string
	// Service is the servers' principal without realm; _HOST in it stands for the
	// host that is connected to, as the list of servers has it. Default:
	// [DefaultService].
	Service string
}

// New checks the configuration, and its files, and makes an argument for
// [client.WithSASL]. For each connection it gets a ticket for its server.
func New(cfg Config) (func(server string) (client.SASL, error), error) {
	cfg.Conf = cmp.Or(cfg.Conf, os.Getenv("KRB5_CONFIG"), DefaultConf)
	cfg.Service = cmp.Or(cfg.Service, DefaultService)
	switch {
	case (cfg.Keytab == "") == (cfg.Cache == ""):
		return nil, errors.New("kerberos: a keytab or a cache of tickets is needed, and not both")
	case cfg.Keytab != "" && cfg.Principal == "":
		return nil, errors.New("kerberos: whose keys of the keytab, the principal does not say")
	}
	login, err := cfg.login()
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	login.Destroy()
	return func(server string) (client.SASL, error) {
		host, _, err := net.SplitHostPort(server)
		if err != nil {
			return nil, fmt.Errorf("kerberos: %w", err)
		}
		return &exchange{cfg: cfg, service: strings.ReplaceAll(cfg.Service, "_HOST", strings.ToLower(host))}, nil
	}, nil
}

// login reads the files. Nothing is asked of the network so far.
func (cfg *Config) login() (_ *krb5.Client, err error) {
	defer func() { // the library takes malformed files for well-formed ones
		if e := recover(); e != nil {
			err = fmt.Errorf("malformed file: %v", e)
		}
	}()
	conf, err := config.Load(cfg.Conf)
	var unsupported config.UnsupportedDirective
	if err != nil && !(errors.As(err, &unsupported) && conf != nil) {
		return nil, fmt.Errorf("%s: %w", cfg.Conf, err)
	}
	if cfg.Cache != "" {
		cache, err := credentials.LoadCCache(cfg.Cache)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cfg.Cache, err)
		}
		login, err := krb5.NewFromCCache(cache, conf, krb5.DisablePAFXFAST(true))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cfg.Cache, err)
		}
		return login, nil
	}
	keys, err := keytab.Load(cfg.Keytab)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Keytab, err)
	}
	name, realm, _ := strings.Cut(cfg.Principal, "@")
	if realm = cmp.Or(realm, conf.LibDefaults.DefaultRealm); realm == "" {
		return nil, fmt.Errorf("%s: no default realm, and %s is in none", cfg.Conf, cfg.Principal)
	}
	return krb5.NewWithKeytab(name, realm, keys, conf, krb5.DisablePAFXFAST(true)), nil
}

// exchange is one authentication with one server.
type exchange struct {
	cfg     Config
	service string
	login   *krb5.Client // nil until Start
	gss     sasl.Client
}

// Start logs in and sends the ticket for the server.
func (e *exchange) Start() ([]byte, error) {
	login, err := e.cfg.login()
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	e.login = login
	if err := login.Login(); err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	e.gss = gssapi.NewClient(gssapi.ClientConfig{Login: login, Service: e.service, Mutual: true})
	token, err := e.gss.Start()
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	return token, nil
}

// Next checks the server's proof, and takes no security layer: TLS is for that.
func (e *exchange) Next(challenge []byte) (response []byte, done bool, err error) {
	response, done, err = e.gss.Step(challenge)
	if err != nil {
		err = fmt.Errorf("kerberos: %w", err)
	}
	return response, done, err
}

// Close forgets keys and tickets.
func (e *exchange) Close() error {
	if e.login != nil {
		e.login.Destroy()
	}
	return nil
}
