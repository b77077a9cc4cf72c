package server_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/auth/sasl"
)

const saslProvider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"

const jaas = `Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
  user_bob="bobs-password";
};
`

// viaSASL authenticates by the code of the server's room, which is not the
// client's.
func viaSASL(user, password string) client.Option {
	return client.WithSASL(func(string) (client.SASL, error) {
		return exchange{sasl.NewDigestClient(sasl.DigestClientConfig{User: user, Password: password})}, nil
	})
}

type exchange struct{ sasl.Client }

func (e exchange) Next(token []byte) ([]byte, bool, error) { return e.Step(token) }

func TestSASL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jaas.conf")
	if err := os.WriteFile(file, []byte(jaas), 0o600); err != nil {
		t.Fatal(err)
	}
	// DIGEST-MD5 needs no configuration of Kerberos.
	r := start(t, t.TempDir(), map[string]string{"java.security.auth.login.config": file, "authProvider.1": saslProvider,
		"java.security.krb5.conf": filepath.Join(t.TempDir(), "none")})
	for how, option := range map[string]client.Option{
		"server's": viaSASL("bob", "bobs-password"),
		"client's": client.WithSASL(client.DigestMD5("bob", "bobs-password")),
	} {
		c := r.dial(t, option)
		if n := names(t, c); n["sasl"] != "bob" {
			t.Errorf("%s: identities %v", how, n)
		}
		acl := client.ACLs{{Perms: client.PermAll, Scheme: "sasl", ID: "bob"}}
		path := "/" + how[:6]
		if _, err := c.Create(within(t), path, nil, acl); err != nil {
			t.Fatal(err)
		}
		if _, _, err := r.dial(t).Get(within(t), path); !errors.Is(err, client.ErrNoAuth) {
			t.Errorf("%s: somebody else: %v", how, err)
		}
	}
	c, err := client.New(r.Addr().String(), viaSASL("bob", "guess"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Detach()
	if err := c.WaitConnected(within(t)); err == nil {
		t.Error("a wrong password got in")
	} else {
		t.Log(err)
	}
}

func TestSASLIsADuty(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jaas.conf")
	if err := os.WriteFile(file, []byte(jaas), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, t.TempDir(), map[string]string{
		"java.security.auth.login.config": file, "sessionRequireClientSASLAuth": "true", "authProvider.1": saslProvider,
		"java.security.krb5.conf": filepath.Join(t.TempDir(), "none"),
	})
	c := r.dial(t, viaSASL("bob", "bobs-password"))
	if _, err := c.Create(within(t), "/a", nil); err != nil {
		t.Error(err)
	}
	d := r.dial(t, client.WithFailFast())
	if _, _, err := d.Get(within(t), "/a"); err == nil {
		t.Error("a client without SASL was served")
	}
}
