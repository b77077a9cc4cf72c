package tlsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned makes a store with a key, and a certificate that is its own authority.
func selfSigned(t *testing.T, from, until time.Time) Store {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "self"}, NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s := Store{Location: filepath.Join(t.TempDir(), "self.pem")}
	content := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	if err := os.WriteFile(s.Location, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOutdated wants certificates that are not valid told of when they are read, and used.
func TestOutdated(t *testing.T) {
	now := time.Now()
	valid := selfSigned(t, now.Add(-time.Hour), now.Add(time.Hour))
	for name, tt := range map[string]struct {
		key, trust Store
		want       []string // parts of the log; none: nothing is logged
	}{
		"valid":             {valid, valid, nil},
		"ended":             {selfSigned(t, now.Add(-time.Hour), now.Add(-time.Minute)), valid, []string{"WARN", "the certificate is out of date", "keyStore=", "CN=self"}},
		"yet to begin":      {selfSigned(t, now.Add(time.Hour), now.Add(2*time.Hour)), valid, []string{"the certificate is out of date"}},
		"authority's ended": {valid, selfSigned(t, now.Add(-time.Hour), now.Add(-time.Minute)), []string{"a trusted certificate is out of date", "trustStore="}},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			o := Defaults()
			o.KeyStore, o.TrustStore = valid, valid
			s, err := Open(o, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			if log.Len() > 0 {
				t.Errorf("of a valid certificate: %s", log.String())
			}
			s.opts.KeyStore, s.opts.TrustStore = tt.key, tt.trust // as if the files had changed
			if err := s.Reload(); err != nil {
				t.Fatal(err)
			}
			for _, part := range tt.want {
				if !strings.Contains(log.String(), part) {
					t.Errorf("%q is not in %s", part, log.String())
				}
			}
			if tt.want == nil && log.Len() > 0 {
				t.Error(log.String())
			}
		})
	}
}
