package client

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

func TestACLs(t *testing.T) {
	each(t, harness.Config{}, func(t *testing.T, s *harness.Server) {
		ctx := testContext(t)
		owner := dial(t, s.Addr(), client.WithAuth("digest", []byte("owner:secret")))
		other := dial(t, s.Addr())
		if _, err := other.Create(ctx, "/acl", nil, client.CreatorACL()); err == nil {
			t.Error("created for nobody")
		} else {
			wantErr(t, err, client.ErrInvalidACL)
		}
		mustCreate(t, owner, "/acl", "x", client.CreatorACL())
		acl, stat, err := owner.ACL(ctx, "/acl")
		must(t, err)
		want := client.ACLs{{Perms: client.PermAll, Scheme: "digest", ID: "owner:U0rAO6wV92QGX+yZGYDD+6Q/VqE="}}
		if len(acl) != 1 || acl[0].Scheme != want[0].Scheme || acl[0].Perms != want[0].Perms || stat.Aversion != 0 {
			t.Errorf("acl %+v, %+v", acl, stat)
		}
		_, _, err = other.Get(ctx, "/acl")
		wantErr(t, err, client.ErrNoAuth)
		must(t, other.AddAuth(ctx, "digest", []byte("owner:secret")))
		if _, _, err = other.Get(ctx, "/acl"); err != nil {
			t.Errorf("after authentication: %v", err)
		}
		infos, err := other.WhoAmI(ctx)
		must(t, err)
		if !slices.Contains(infos, client.ClientInfo{Scheme: "digest", User: "owner"}) {
			t.Errorf("identities %v", infos)
		}
		stat, err = owner.SetACL(ctx, "/acl", client.ReadACL(), 0)
		must(t, err)
		if stat.Aversion != 1 {
			t.Errorf("acl version %d", stat.Aversion)
		}
		_, err = owner.Set(ctx, "/acl", nil, client.AnyVersion)
		wantErr(t, err, client.ErrNoAuth)
		_, err = owner.SetACL(ctx, "/acl", client.OpenACL(), 0)
		wantErr(t, err, client.ErrNoAuth)
	})
}

// A refused identity ends the connection, and the client goes on without it.
func TestRefusedIdentity(t *testing.T) {
	each(t, harness.Config{}, func(t *testing.T, s *harness.Server) {
		ctx := testContext(t)
		c := dial(t, s.Addr())
		session := c.Session().ID()
		wantErr(t, c.AddAuth(ctx, "nonsense", []byte("x")), client.ErrAuthFailed)
		must(t, c.Sync(ctx, "/"))
		if c.Session().ID() != session {
			t.Error("the session changed")
		}
	})
}

func TestSASL(t *testing.T) {
	jaas := filepath.Join(t.TempDir(), "jaas.conf")
	must(t, os.WriteFile(jaas, []byte(`Server {
	org.apache.zookeeper.server.auth.DigestLoginModule required
	user_bob="bob-secret \"quoted\""
	user_eve="x";
};
`), 0o600))
	config := harness.Config{
		Keys: map[string]string{"authProvider.sasl": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"},
		Properties: map[string]string{
			"java.security.auth.login.config": jaas, "zookeeper.fips-mode": "false",
		},
	}
	each(t, config, func(t *testing.T, s *harness.Server) {
		ctx := testContext(t)
		c := dial(t, s.Addr(), client.WithSASL(client.DigestMD5("bob", `bob-secret "quoted"`)))
		infos, err := c.WhoAmI(ctx)
		must(t, err)
		if !slices.Contains(infos, client.ClientInfo{Scheme: "sasl", User: "bob"}) {
			t.Errorf("identities %v", infos)
		}
		mustCreate(t, c, "/sasl", "x", client.ACLs{{Perms: client.PermAll, Scheme: "sasl", ID: "bob"}})
		_, _, err = dial(t, s.Addr()).Get(ctx, "/sasl")
		wantErr(t, err, client.ErrNoAuth)

		_, err = client.Dial(ctx, s.Addr(), client.WithSASL(client.DigestMD5("bob", "wrong")))
		wantErr(t, err, client.ErrAuthFailed)
	})
}

func TestTLS(t *testing.T) {
	certs := harness.NewCertificates(t)
	config := harness.Config{Secure: true, Keys: certs.Keys()}
	each(t, config, func(t *testing.T, s *harness.Server) {
		ctx := testContext(t)
		c := dial(t, s.SecureAddr(), client.WithTLS(certs.ClientTLS(t, true)))
		mustCreate(t, c, "/tls", "x")
		infos, err := c.WhoAmI(ctx)
		must(t, err)
		if !slices.ContainsFunc(infos, func(i client.ClientInfo) bool { return i.Scheme == "x509" }) {
			t.Errorf("identities %v", infos)
		}
	})
}
