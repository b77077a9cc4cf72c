package authn

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"

	"github.com/quollhq/quoll/internal/auth/sasl"
	"github.com/quollhq/quoll/internal/auth/sasl/gssapi/kdctest"
	"github.com/quollhq/quoll/internal/config"
)

// Members with tickets of one realm take each other, if their hosts are those of the ensemble.
func TestKerberos(t *testing.T) {
	k := kdctest.Start(t, "zkquorum/here", "zkquorum/there", "bob")
	from := func(principal string, hosts ...string) *Authenticator {
		t.Helper()
		login := fmt.Sprintf("com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true keyTab=%q principal=%q;",
			k.Keytab(principal), principal+"@"+kdctest.Realm)
		server := fmt.Sprintf("com.sun.security.auth.module.Krb5LoginModule required keyTab=%q principal=\"zkquorum/there@%s\";",
			k.Keytab("zkquorum/there"), kdctest.Realm)
		j, err := config.ParseJAAS("jaas.conf", []byte("QuorumLearner { "+login+" };\nQuorumServer { "+server+" };"), nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := FromConfig(configured(t, func(c *config.Config) {
			c.SASL.JAAS, c.SASL.Kerberos.Config, c.Ensemble.SASL.ServicePrincipal, c.Auth.FIPS = j, k.Conf, "zkquorum/_HOST", true
		}), func() []string { return hosts }, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for name, c := range map[string]struct {
		principal string
		hosts     []string
		ok        bool
	}{
		"a member":                {"zkquorum/here", []string{"here", "there"}, true},
		"of no host of the seats": {"zkquorum/here", []string{"there"}, false},
		"no service":              {"bob", []string{"bob"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := from(c.principal, c.hosts...)
			dialled, accepted := connect(t, // in the time that the tickets are of
				func(conn net.Conn, r *bufio.Reader) error { return a.Dialled(t.Context(), conn, r, "THERE") },
				func(conn net.Conn, r *bufio.Reader) error { return a.Accepted(t.Context(), conn, r) })
			if c.ok && (dialled != nil || accepted != nil) || !c.ok && (!errors.Is(dialled, ErrFailed) || !errors.Is(accepted, sasl.ErrRefused)) {
				t.Errorf("dialled: %v, accepted: %v", dialled, accepted)
			}
		})
	}
}

func TestServicePrincipal(t *testing.T) {
	for configured, want := range map[string]string{
		"zkquorum/_HOST": "zkquorum/host.example.com", "zkquorum/_HOST@R": "zkquorum/host.example.com", "zkquorum/localhost": "zkquorum/localhost",
	} {
		if got := servicePrincipal(configured, "Host.example.com"); got != want {
			t.Errorf("%s is %s, want %s", configured, got, want)
		}
	}
}
