package tlsconf

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const testPassword = "changeit"

func testStore(name string) Store {
	return Store{Location: filepath.Join("testdata", name), Password: testPassword}
}

func TestKeyStores(t *testing.T) {
	for _, name := range []string{"server.pem", "encrypted.pem", "pkcs1.pem", "openssl.p12", "legacy.p12", "keytool.p12", "server.jks", "pkcs12.jks"} {
		t.Run(name, func(t *testing.T) {
			certs, err := testStore(name).keys()
			if err != nil {
				t.Fatal(err)
			}
			if len(certs) != 1 || certs[0].Leaf.Subject.CommonName != "localhost" || len(certs[0].Certificate) != 2 {
				t.Errorf("got %d keys, first for %v with a chain of %d", len(certs), certs[0].Leaf.Subject, len(certs[0].Certificate))
			}
		})
	}
}

func TestKeyStoreWithTwoKeys(t *testing.T) {
	certs, err := testStore("two.p12").keys()
	if err != nil {
		t.Fatal(err)
	}
	if len(certs) != 2 {
		t.Fatalf("got %d keys, want 2", len(certs))
	}
	for _, c := range certs {
		if len(c.Certificate) != 2 {
			t.Errorf("%v has a chain of %d, want 2", c.Leaf.Subject, len(c.Certificate))
		}
	}
}

func TestTrustStores(t *testing.T) {
	for _, name := range []string{"ca.pem", "trust.jks", "trust.p12"} {
		certs, err := testStore(name).trusted()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(certs) != 1 || certs[0].Subject.CommonName != "Test CA" {
			t.Errorf("%s: got %d certificates", name, len(certs))
		}
	}
}

func TestPasswordPath(t *testing.T) {
	s := testStore("server.jks")
	s.Password, s.PasswordPath = "wrong", "testdata/password"
	if _, err := s.keys(); err != nil {
		t.Error(err)
	}
	s.PasswordPath = "testdata/missing"
	if _, err := s.keys(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestStoreErrors(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "damaged.jks")
	data, err := os.ReadFile("testdata/server.jks")
	if err != nil {
		t.Fatal(err)
	}
	data[40] ^= 1
	if err := os.WriteFile(damaged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		store Store
		keys  bool
		want  string
	}{
		"wrong password jks": {Store{Location: "testdata/server.jks", Password: "wrong"}, true, "the password is wrong or the file is damaged"},
		"wrong password p12": {Store{Location: "testdata/openssl.p12", Password: "wrong"}, true, "the password is wrong or the file is damaged"},
		"wrong password pem": {Store{Location: "testdata/encrypted.pem", Password: "wrong"}, true, "decrypting the private key"},
		"no password pem":    {Store{Location: "testdata/encrypted.pem"}, true, "want a password"},
		"damaged":            {Store{Location: damaged, Password: testPassword}, true, "the password is wrong or the file is damaged"},
		"missing":            {Store{Location: "testdata/no.jks"}, true, "no such file"},
		"suffix":             {Store{Location: "testdata/password"}, true, "the suffix tells no store type"},
		"bcfks":              {Store{Location: "x.bcfks", Type: "BCFKS"}, true, "found the type BCFKS, want JKS, PEM or PKCS12"},
		"no key":             {Store{Location: "testdata/ca.pem"}, true, "found no private key"},
		"trust as key":       {Store{Location: "testdata/trust.jks", Password: testPassword}, true, "found no private key with its certificate"},
		"key as trust":       {Store{Location: "testdata/server.jks", Password: testPassword}, false, "found no trusted certificate"},
		"untrusted p12":      {Store{Location: "testdata/openssl.p12", Password: testPassword}, false, "keytool -importcert makes"},
		"directory":          {Store{Location: "testdata", Type: "PEM"}, true, "is no file"},
	} {
		var err error
		if tt.keys {
			_, err = tt.store.keys()
		} else {
			_, err = tt.store.trusted()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

func TestStoreKind(t *testing.T) {
	for _, tt := range []struct {
		store Store
		want  storeKind
	}{
		{Store{Location: "a.jks"}, kindJKS}, {Store{Location: "a.pem"}, kindPEM}, {Store{Location: "a.b.p12"}, kindPKCS12},
		{Store{Location: "a.p12", Type: "pem"}, kindPEM}, {Store{Location: "a", Type: "pkcs12"}, kindPKCS12},
	} {
		if got, err := tt.store.kind(); err != nil || got != tt.want {
			t.Errorf("%+v: got %s, %v", tt.store, got, err)
		}
	}
	for _, s := range []Store{{Location: "a.bcfks"}, {Location: "a.PEM"}, {Location: "jks"}, {Location: "a.jks", Type: "BCFKS"}} {
		if _, err := s.kind(); !errors.Is(err, ErrUnsupportedStore) {
			t.Errorf("%+v: got %v", s, err)
		}
	}
}

func FuzzStores(f *testing.F) {
	for _, name := range []string{"server.pem", "openssl.p12", "server.jks", "trust.jks", "trust.p12", "ca.pem"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func([]byte, string) error{
			func(b []byte, p string) error { _, err := jksKeys(b, p); return err },
			func(b []byte, p string) error { _, err := jksTrusted(b, p); return err },
			func(b []byte, p string) error { _, err := pemKeys(b, p); return err },
			func(b []byte, p string) error { _, err := pemCertificates(b); return err },
		} {
			_ = read(data, testPassword)
		}
	})
}
