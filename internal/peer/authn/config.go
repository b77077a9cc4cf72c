package authn

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/quollhq/quoll/internal/auth/sasl"
	"github.com/quollhq/quoll/internal/config"
)

// ErrConfig is wrapped by errors of configurations that cannot be used.
var ErrConfig = errors.New("SASL between servers")

// FromConfig returns the authenticator that a configuration asks for, by Kerberos if its sections have a Kerberos login,
// else by DIGEST-MD5; nil if there is none. hosts are those of the members now; with Kerberos, nobody else is taken.
// Errors wrap ErrConfig and name the key.
func FromConfig(cfg *config.Config, hosts func() []string, log *slog.Logger) (*Authenticator, error) {
	c := &cfg.Ensemble.SASL
	switch {
	case !c.Enabled:
		return nil, nil
	case cfg.SASL.JAAS == nil:
		return nil, fmt.Errorf("%w: java.security.auth.login.config is not set, want the path of a JAAS file, because quorum.auth.enableSasl is true", ErrConfig)
	}
	opts := Options{Required: c.ServerRequired}
	var err error
	if opts.Server, err = serverSide(cfg, hosts, log); err == nil && c.LearnerRequired {
		opts.Client, err = clientSide(cfg)
	}
	if err != nil {
		return nil, err
	}
	return New(opts), nil
}

func serverSide(cfg *config.Config, hosts func() []string, log *slog.Logger) (func() sasl.Server, error) {
	name := cfg.Ensemble.SASL.ServerSection
	s, err := section(cfg, name, "quorum.auth.server.saslLoginContext")
	if err != nil {
		return nil, err
	}
	if login, ok := s.Kerberos(); ok {
		return kerberosServer(cfg, login, hosts, log)
	}
	if err := digestAllowed(cfg); err != nil {
		return nil, err
	}
	users := s.Users()
	if len(users) == 0 {
		return nil, fmt.Errorf("%w: section %s of %s has no user, want user_NAME=\"password\"", ErrConfig, name, cfg.SASL.JAAS.File)
	}
	return sasl.NewDigest(sasl.DigestConfig{
		Users: users, Service: sasl.QuorumService, Host: sasl.QuorumDigestHost, Authorizer: itself{}, Logger: log,
	}).NewServer, nil
}

func clientSide(cfg *config.Config) (func(host string) (sasl.Client, error), error) {
	name := cfg.Ensemble.SASL.LearnerSection
	s, err := section(cfg, name, "quorum.auth.learner.saslLoginContext")
	if err != nil {
		return nil, err
	}
	if login, ok := s.Kerberos(); ok {
		return kerberosClient(cfg, login)
	}
	if err := digestAllowed(cfg); err != nil {
		return nil, err
	}
	user, password, ok := s.Credentials()
	if !ok {
		return nil, fmt.Errorf("%w: section %s of %s has no username and password", ErrConfig, name, cfg.SASL.JAAS.File)
	}
	return func(string) (sasl.Client, error) {
		return sasl.NewDigestClient(sasl.DigestClientConfig{
			User: user, Password: password, Service: sasl.QuorumService, Host: sasl.QuorumDigestHost,
		}), nil
	}, nil
}

func section(cfg *config.Config, name, key string) (*config.JAASSection, error) {
	s := cfg.SASL.JAAS.Section(name)
	if s == nil {
		return nil, fmt.Errorf("%w: %s is %s, want the name of a section of %s", ErrConfig, key, name, cfg.SASL.JAAS.File)
	}
	return s, nil
}

func digestAllowed(cfg *config.Config) error {
	if cfg.Auth.FIPS {
		return fmt.Errorf("%w: fips-mode is true and forbids DIGEST-MD5, want zookeeper.fips-mode=false or Kerberos", ErrConfig)
	}
	return nil
}

// itself lets members be taken for nobody but themselves.
type itself struct{}

// Authorize implements sasl.Authorizer.
func (itself) Authorize(authenticated, requested string) (string, error) {
	if authenticated != requested {
		return "", fmt.Errorf("asks to be taken for %q", requested)
	}
	return authenticated, nil
}
