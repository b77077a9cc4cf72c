package bench

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// tlsFiles are the flags that turn TLS on.
type tlsFiles struct {
	ca, cert, key string
	serverName    string
}

func (t *tlsFiles) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.ca, "tls-ca", "", "PEM `file` with the certificates to trust, or system; sessions use TLS")
	f.StringVar(&t.cert, "tls-cert", "", "PEM `file` with the certificate that sessions show")
	f.StringVar(&t.key, "tls-key", "", "PEM `file` with its key (default: the certificate's file)")
	f.StringVar(&t.serverName, "tls-server-name", "", "`name` that the server's certificate must have (default: the host that is dialled)")
}

// config is nil if TLS is not wanted.
func (t *tlsFiles) config() (*tls.Config, error) {
	if t.ca == "" {
		if t.cert != "" || t.key != "" || t.serverName != "" {
			return nil, errors.New("--tls-ca is missing; it turns TLS on")
		}
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.serverName}
	if t.ca != "system" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", t.ca)
		}
	}
	if t.cert == "" {
		return cfg, nil
	}
	key := t.key
	if key == "" {
		key = t.cert
	}
	pair, err := tls.LoadX509KeyPair(t.cert, key)
	if err != nil {
		return nil, fmt.Errorf("client certificate: %w", err)
	}
	// Shown also to servers that name other authorities: they then say why they do not believe it.
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return cfg, nil
}
