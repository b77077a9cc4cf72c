package kerberos_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/client/kerberos"
	"github.com/quollhq/quoll/internal/auth/sasl/gssapi/kdctest"
	"github.com/quollhq/quoll/server"
)

const service = "zookeeper/localhost"

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve runs a server that knows its clients by Kerberos.
func serve(t *testing.T, kdc *kdctest.KDC) (port string) {
	t.Helper()
	jaas := write(t, fmt.Sprintf("Server { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true keyTab=%q principal=%q; };\n",
		kdc.Keytab(service), service+"@"+kdctest.Realm))
	s, err := server.New(server.Options{
		Settings: map[string]string{
			"dataDir": t.TempDir(), "clientPort": "0", "clientPortAddress": "127.0.0.1", "admin.enableServer": "false",
			"java.security.auth.login.config": jaas, "java.security.krb5.conf": kdc.Conf,
			"authProvider.1":               "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
			"sessionRequireClientSASLAuth": "true",
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	_, port, _ = strings.Cut(s.Addr().String(), ":")
	return port
}

func TestKerberos(t *testing.T) {
	kdc := kdctest.Start(t, service, "bob", "eve")
	server := "localhost:" + serve(t, kdc)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	t.Setenv("KRB5_CONFIG", kdc.Conf)
	cache := filepath.Join(t.TempDir(), "cache")
	kdc.Run("kinit", "-c", cache, "-k", "-t", kdc.Keytab("bob"), "bob")
	for name, cfg := range map[string]kerberos.Config{
		"keytab":        {Principal: "bob", Keytab: kdc.Keytab("bob")},
		"keytab, realm": {Principal: "bob@" + kdctest.Realm, Keytab: kdc.Keytab("bob"), Service: service, Conf: kdc.Conf},
		"cache":         {Cache: cache},
	} {
		t.Run(name, func(t *testing.T) {
			sasl, err := kerberos.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			c, err := client.Dial(ctx, server, client.WithSASL(sasl))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			path := "/" + strings.ReplaceAll(name, ", ", "-")
			if _, err := c.Create(ctx, path, nil, client.ACLs{{Perms: client.PermAll, Scheme: "sasl", ID: "bob@" + kdctest.Realm}}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.Get(ctx, path); err != nil {
				t.Errorf("who made the node may not read it: %v", err)
			}
		})
	}
	// A server that is somebody else proves nothing.
	sasl, err := kerberos.New(kerberos.Config{Principal: "bob", Keytab: kdc.Keytab("bob"), Service: "eve"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(server, client.WithSASL(sasl))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	waiting, stop := context.WithTimeout(ctx, 3*time.Second)
	defer stop()
	if err := c.WaitConnected(waiting); err == nil {
		t.Error("connected with a ticket for another service")
	}
}

func TestConfig(t *testing.T) {
	conf := write(t, "[libdefaults]\n default_realm = EXAMPLE.COM\n")
	bare := write(t, "[libdefaults]\n")
	empty := write(t, "")
	for want, cfg := range map[string]kerberos.Config{
		"a keytab or a cache": {Conf: conf},
		"and not both":        {Conf: conf, Keytab: empty, Cache: empty},
		"the principal":       {Conf: conf, Keytab: empty},
		"no such file":        {Conf: conf, Principal: "bob", Keytab: "/none/such"},
		"/none/conf":          {Conf: "/none/conf", Principal: "bob", Keytab: empty},
		"cache header":        {Conf: conf, Cache: write(t, "\x05\x04\xff\xff\xff\xff")},
		empty:                 {Conf: conf, Principal: "bob", Keytab: empty},
		"is in none":          {Conf: bare, Principal: "bob", Keytab: write(t, "\x05\x02\x00\x00\x00\x00")},
	} {
		if _, err := kerberos.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
}
