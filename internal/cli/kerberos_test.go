package cli_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/auth/sasl/gssapi/kdctest"
	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/server"
)

// A command that is beside quoll cli connects as the JAAS file says: with a keytab,
// and with the tickets that kinit has got.
func TestDialerKerberos(t *testing.T) {
	const service = "zookeeper/localhost"
	kdc := kdctest.Start(t, service, "bob")
	const module = "com.sun.security.auth.module.Krb5LoginModule required"
	s, err := server.New(server.Options{
		Settings: map[string]string{
			"dataDir": t.TempDir(), "clientPort": "0", "clientPortAddress": "127.0.0.1", "admin.enableServer": "false",
			"java.security.auth.login.config": jaas(t, "Server", fmt.Sprintf("%s useKeyTab=true storeKey=true keyTab=%q principal=%q", module, kdc.Keytab(service), service+"@"+kdctest.Realm)),
			"java.security.krb5.conf":         kdc.Conf,
			"authProvider.1":                  "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
			"sessionRequireClientSASLAuth":    "true",
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, port, _ := strings.Cut(s.Addr().String(), ":")
	cache := filepath.Join(t.TempDir(), "cache")
	kdc.Run("kinit", "-c", cache, "-k", "-t", kdc.Keytab("bob"), "bob")
	t.Setenv("KRB5CCNAME", "FILE:"+cache)
	for name, options := range map[string]string{
		"keytab":   fmt.Sprintf("useKeyTab=true keyTab=%q principal=bob", kdc.Keytab("bob")),
		"cache":    fmt.Sprintf("useTicketCache=true ticketCache=%q", cache),
		"variable": "useTicketCache=true",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CLIENT_JVMFLAGS", "-Djava.security.krb5.conf="+kdc.Conf+" -Djava.security.auth.login.config="+jaas(t, "Client", module+" "+options))
			cmd := &cobra.Command{}
			d := cli.NewDialer(cmd)
			cmd.RunE = func(cmd *cobra.Command, _ []string) error {
				return d.With(cmd, func(ctx context.Context, c *client.Client) error {
					acl := client.ACLs{{Perms: client.PermAll, Scheme: "sasl", ID: "bob@" + kdctest.Realm}}
					if _, err := c.Create(ctx, "/"+name, nil, acl); err != nil {
						return err
					}
					_, _, err := c.Get(ctx, "/"+name)
					return err
				})
			}
			cmd.SetArgs([]string{"--server", "localhost:" + port})
			if err := cmd.ExecuteContext(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Tickets that are not in a file are out of reach, which is said before anything is tried.
func TestDialerKerberosCache(t *testing.T) {
	t.Setenv("KRB5CCNAME", "KEYRING:persistent:0")
	t.Setenv("CLIENT_JVMFLAGS", "-Djava.security.auth.login.config="+jaas(t, "Client", "com.sun.security.auth.module.Krb5LoginModule required useTicketCache=true"))
	cmd := &cobra.Command{SilenceErrors: true, SilenceUsage: true}
	d := cli.NewDialer(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return d.With(cmd, func(context.Context, *client.Client) error { return nil })
	}
	cmd.SetArgs([]string{"--server", "localhost:1"})
	if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "the tickets in KEYRING:persistent:0 cannot be read: want those in a file") {
		t.Error(err)
	}
}

// jaas writes a file of logins with one section.
func jaas(t *testing.T, section, module string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jaas")
	if err := os.WriteFile(path, []byte(section+" { "+module+"; };\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
