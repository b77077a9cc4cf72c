package bench

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// tlsFlag turns TLS on.
type tlsFlag struct{ o *Options }

func (t *tlsFlag) String() string { return "" }
func (t *tlsFlag) Type() string   { return "file" }

// Set takes a PEM file of trusted certificates, or "system".
func (t *tlsFlag) Set(path string) error {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if path != "system" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s holds no certificate", path)
		}
	}
	t.o.TLS = cfg
	return nil
}
