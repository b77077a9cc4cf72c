package gssapi

import (
	"os"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/quollhq/quoll/internal/auth/sasl/gssapi/kdctest"
)

const (
	realm   = kdctest.Realm
	service = "zookeeper/localhost"
)

// kdc is a realm with a service and some clients.
type kdc struct {
	*kdctest.KDC
	t *testing.T
}

func startKDC(t *testing.T) *kdc {
	t.Helper()
	return &kdc{kdctest.Start(t, service, "zookeeper/elsewhere", "bob", "alice/admin"), t}
}

// login is a client with the credentials of principal, whose tickets have
// session keys of the given type.
func (k *kdc) login(principal, enctype string) *client.Client {
	k.t.Helper()
	cfg, err := config.Load(k.Conf)
	if err != nil {
		k.t.Fatal(err)
	}
	if enctype != "" {
		cfg, err = config.NewFromString(strings.Replace(readFile(k.t, k.Conf), "[libdefaults]",
			"[libdefaults]\n default_tgs_enctypes = "+enctype+"\n default_tkt_enctypes = "+enctype, 1))
		if err != nil {
			k.t.Fatal(err)
		}
	}
	kt, err := keytab.Load(k.Keytab(principal))
	if err != nil {
		k.t.Fatal(err)
	}
	cl := client.NewWithKeytab(principal, realm, kt, cfg, client.DisablePAFXFAST(true))
	if err := cl.Login(); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(cl.Destroy)
	return cl
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
