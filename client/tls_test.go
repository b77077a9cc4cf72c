package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// certificate is a self-signed one for a name.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, parsed
}

// Each server's certificate is held against its own name in the list of servers.
func TestTLSNamePerServer(t *testing.T) {
	roots := x509.NewCertPool()
	certs := map[string]tls.Certificate{}
	for _, name := range []string{"a.test", "b.test"} {
		cert, parsed := certificate(t, name)
		roots.AddCert(parsed)
		certs[name] = cert
	}
	config := &tls.Config{RootCAs: roots}
	for _, tc := range []struct {
		server, shows, name string
		good                bool
	}{
		{"a.test:2281", "a.test", "", true},
		{"b.test:2281", "b.test", "", true},
		{"a.test:2281", "b.test", "", false},
		{"a.test:2281", "b.test", "b.test", true}, // as the configuration demands
	} {
		var server sync.WaitGroup
		o := defaultOptions()
		o.tls = config.Clone()
		o.tls.ServerName = tc.name
		o.dial = func(context.Context, string, string) (net.Conn, error) {
			mine, yours := net.Pipe()
			server.Go(func() {
				s := tls.Server(yours, &tls.Config{Certificates: []tls.Certificate{certs[tc.shows]}})
				_ = s.Handshake() // the client tells how it was
				_ = yours.Close()
			})
			return mine, nil
		}
		nc, err := o.openConn(t.Context(), tc.server)
		if good := err == nil; good != tc.good {
			t.Errorf("%+v: %v", tc, err)
		}
		var wrong x509.HostnameError
		if !tc.good && !errors.As(err, &wrong) {
			t.Errorf("%+v: %v, want a name that does not fit", tc, err)
		}
		if nc != nil {
			nc.Close()
		}
		server.Wait()
	}
	if config.ServerName != "" {
		t.Error("the caller's configuration was changed")
	}
}
