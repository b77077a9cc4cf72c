package operate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/tlsconf"
)

// store is one that internal/tlsconf tests with.
func store(t *testing.T, name string) tlsconf.Store {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../tlsconf/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return tlsconf.Store{Location: path}
}

// TestHandOverByTLS asks a server that wants a certificate, with the properties of Apache's client.
func TestHandOverByTLS(t *testing.T) {
	o := tlsconf.Defaults()
	o.KeyStore, o.TrustStore = store(t, "server.pem"), store(t, "ca.pem")
	source, err := tlsconf.Open(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"leader": 3, "error": null}`)
	}))
	if s.TLS, err = source.Server(); err != nil {
		t.Fatal(err)
	}
	s.StartTLS()
	defer s.Close()

	trust := "ssl.trustStore.location=" + store(t, "ca.pem").Location + "\n"
	key := "ssl.keyStore.location=" + store(t, "client.pem").Location + "\n"
	for name, tt := range map[string]struct{ properties, want, failed string }{
		"both":           {trust + key, "server 3 leads\n", ""},
		"no certificate": {trust, "", "certificate required"},
		"no authority":   {key, "", "unknown authority"},
		"no such store":  {"ssl.trustStore.location=/no/such.pem\n", "", "/no/such.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ops.properties")
			if err := os.WriteFile(file, []byte(tt.properties), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := NewHandOver()
			var out strings.Builder
			cmd.SetOut(&out)
			cmd.SetErr(&out)
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			cmd.SetArgs([]string{s.URL, "--client-configuration", file})
			err := cmd.ExecuteContext(t.Context())
			if tt.failed == "" {
				if err != nil || out.String() != tt.want {
					t.Errorf("%q, %v", out.String(), err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.failed) {
				t.Errorf("%v", err)
			}
		})
	}
}
