package authn

import (
	"bufio"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/config"
)

const jaas = `
QuorumServer { org.apache.zookeeper.server.auth.DigestLoginModule required user_member="secret"; };
QuorumLearner { org.apache.zookeeper.server.auth.DigestLoginModule required username="member" password="secret"; };
Nobody { org.apache.zookeeper.server.auth.DigestLoginModule required; };
Kerberos { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true; };
`

// configured is a configuration with SASL, changed by change.
func configured(t *testing.T, change func(*config.Config)) *config.Config {
	t.Helper()
	j, err := config.ParseJAAS("jaas.conf", []byte(jaas), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{}
	cfg.SASL.JAAS = j
	cfg.Ensemble.SASL = config.PeerSASL{Enabled: true, LearnerRequired: true, ServerRequired: true, ServerSection: "QuorumServer", LearnerSection: "QuorumLearner"}
	if change != nil {
		change(cfg)
	}
	return cfg
}

func TestFromConfig(t *testing.T) {
	a, err := FromConfig(configured(t, nil), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if dialled, accepted := meet(t,
		func(conn net.Conn, r *bufio.Reader) error { return a.Dialled(t.Context(), conn, r, "host") },
		func(conn net.Conn, r *bufio.Reader) error { return a.Accepted(t.Context(), conn, r) }); dialled != nil || accepted != nil {
		t.Errorf("dialled: %v, accepted: %v", dialled, accepted)
	}
	if a, err := FromConfig(&config.Config{}, nil, nil); a != nil || err != nil {
		t.Error(a, err)
	}
	// On the way to SASL members take it and do not offer it.
	a, err = FromConfig(configured(t, func(c *config.Config) { c.Ensemble.SASL.LearnerRequired, c.Ensemble.SASL.ServerRequired = false, false }), nil, nil)
	if err != nil || a.opts.Client != nil || a.opts.Required {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestConfigIsRefused(t *testing.T) {
	for want, change := range map[string]func(*config.Config){
		"java.security.auth.login.config": func(c *config.Config) { c.SASL.JAAS = nil },
		"fips-mode":                       func(c *config.Config) { c.Auth.FIPS = true },
		"quorum.auth.server.saslLoginContext is Missing":  func(c *config.Config) { c.Ensemble.SASL.ServerSection = "Missing" },
		"quorum.auth.learner.saslLoginContext is Missing": func(c *config.Config) { c.Ensemble.SASL.LearnerSection = "Missing" },
		"Nobody of jaas.conf has no user,":                func(c *config.Config) { c.Ensemble.SASL.ServerSection = "Nobody" },
		"Nobody of jaas.conf has no username":             func(c *config.Config) { c.Ensemble.SASL.LearnerSection = "Nobody" },
		"kerberos configuration": func(c *config.Config) {
			c.Ensemble.SASL.ServerSection, c.SASL.Kerberos.Config = "Kerberos", filepath.Join(t.TempDir(), "krb5.conf")
		},
		"Kerberos of jaas.conf: ": func(c *config.Config) { c.Ensemble.SASL.ServerSection, c.SASL.Kerberos.Realm = "Kerberos", "R" },
		"Kerberos of jaas.conf has no keyTab and principal": func(c *config.Config) {
			c.Ensemble.SASL.LearnerSection, c.SASL.Kerberos.Realm = "Kerberos", "R"
		},
	} {
		if _, err := FromConfig(configured(t, change), nil, nil); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
