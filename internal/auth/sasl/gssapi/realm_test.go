package gssapi

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDefaultRealm(t *testing.T) {
	dir := t.TempDir()
	for i, c := range []struct{ conf, realm, failure string }{
		{"[libdefaults]\n default_realm = A.TEST\n", "A.TEST", ""},
		{"[libdefaults]\n dns_lookup_kdc = false\n", "", "no default_realm"},
		{"[libdefaults]\n default_realm = A.TEST\n ticket_lifetime = never\n", "", "ticket_lifetime"},
		{"[libdefaults]\n default_realm = A.TEST\n[realms]\n A.TEST = {\n  kdc = a\n  v4_name_convert = {\n   host = {\n    rcmd = host\n   }\n  }\n }\n", "A.TEST", ""},
	} {
		path := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(path, []byte(c.conf), 0o600); err != nil {
			t.Fatal(err)
		}
		realm, err := DefaultRealm(path)
		if realm != c.realm || c.failure == "" && err != nil || c.failure != "" && (err == nil || !strings.Contains(err.Error(), c.failure)) {
			t.Errorf("%q: %q, %v; want %q", c.conf, realm, err, c.failure)
		}
	}
	if _, err := DefaultRealm(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error("no error for a file that does not exist")
	}
}
