package clients_test

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/quollhq/quoll/test/harness"
)

const storePassword = "store-password"

// stores are the forms in which a server can have its key and its trusted authorities.
var stores = []struct {
	name string
	keys func(t *testing.T, certs *harness.Certificates) map[string]string
}{
	{"pem", func(_ *testing.T, certs *harness.Certificates) map[string]string { return certs.Keys() }},
	{"pkcs12", func(t *testing.T, certs *harness.Certificates) map[string]string {
		return storeKeys(t, certs, "PKCS12", "p12")
	}},
	{"jks", func(t *testing.T, certs *harness.Certificates) map[string]string {
		return storeKeys(t, certs, "JKS", "jks")
	}},
	{"type-by-file-name", func(t *testing.T, certs *harness.Certificates) map[string]string {
		keys := storeKeys(t, certs, "JKS", "jks")
		delete(keys, "ssl.keyStore.type")
		delete(keys, "ssl.trustStore.type")
		return keys
	}},
	{"password-in-file", func(t *testing.T, certs *harness.Certificates) map[string]string {
		keys := storeKeys(t, certs, "PKCS12", "p12")
		path := filepath.Join(certs.Dir, "password")
		if err := os.WriteFile(path, []byte(storePassword), 0o600); err != nil {
			t.Fatal(err)
		}
		delete(keys, "ssl.keyStore.password")
		delete(keys, "ssl.trustStore.password")
		keys["ssl.keyStore.passwordPath"], keys["ssl.trustStore.passwordPath"] = path, path
		return keys
	}},
}

// TestStores has servers take their keys from every kind of store, ask clients for their certificates, and refuse those
// without one, with a stranger's, and with old versions of TLS.
func TestStores(t *testing.T) {
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		for _, store := range stores {
			t.Run(store.name, func(t *testing.T) {
				certs, strangers := harness.NewCertificates(t), harness.NewCertificates(t)
				server := harness.Start(t, subject, harness.Config{Secure: true, Keys: store.keys(t, certs)})
				stranger := strangers.ClientTLS(t, true)
				stranger.RootCAs = certs.ClientTLS(t, true).RootCAs
				old := certs.ClientTLS(t, true)
				old.MaxVersion = tls.VersionTLS11
				serves(t, server.SecureAddr(), certs.ClientTLS(t, true), true)
				serves(t, server.SecureAddr(), certs.ClientTLS(t, false), false)
				serves(t, server.SecureAddr(), stranger, false)
				serves(t, server.SecureAddr(), old, false)
				serves(t, server.SecureAddr(), nil, false)
				serves(t, server.Addr(), nil, true)
			})
		}
	})
}

// TestClientAuth has servers that ask for certificates but do without, and that do not ask.
func TestClientAuth(t *testing.T) {
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		for _, auth := range []string{"want", "none"} {
			t.Run(auth, func(t *testing.T) {
				certs := harness.NewCertificates(t)
				keys := certs.Keys()
				keys["ssl.clientAuth"] = auth
				server := harness.Start(t, subject, harness.Config{Secure: true, Keys: keys})
				serves(t, server.SecureAddr(), certs.ClientTLS(t, true), true)
				serves(t, server.SecureAddr(), certs.ClientTLS(t, false), true)
			})
		}
	})
}

// TestOnePort has TLS and plain clients on the same port.
func TestOnePort(t *testing.T) {
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		certs := harness.NewCertificates(t)
		keys := certs.Keys()
		keys["client.portUnification"] = "true"
		keys["serverCnxnFactory"] = "org.apache.zookeeper.server.NettyServerCnxnFactory"
		server := harness.Start(t, subject, harness.Config{Keys: keys})
		serves(t, server.Addr(), nil, true)
		serves(t, server.Addr(), certs.ClientTLS(t, true), true)
		serves(t, server.Addr(), certs.ClientTLS(t, false), false)
	})
}

// TestReload has a server take a renewed certificate without a restart, and keep serving who is connected.
func TestReload(t *testing.T) {
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		certs := harness.NewCertificates(t)
		keys := certs.Keys()
		keys["client.certReload"] = "true"
		server := harness.Start(t, subject, harness.Config{Secure: true, Keys: keys})
		conf := certs.ClientTLS(t, true)
		before := serial(t, server.SecureAddr(), conf)
		certs.Renew(t)
		limit := time.After(time.Minute)
		for serial(t, server.SecureAddr(), conf) == before {
			select {
			case <-limit:
				t.Fatal("the server still shows its old certificate")
			case <-time.After(100 * time.Millisecond):
			}
		}
		serves(t, server.SecureAddr(), conf, true)
	})
}

// serial is the serial number of the certificate that a server shows.
func serial(t *testing.T, addr string, conf *tls.Config) string {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 20 * time.Second}, "tcp", addr, conf)
	if err != nil {
		t.Fatalf("to see the certificate: %v", err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// serves tells whether a client gets an answer to its connect request, over TLS unless conf is nil.
func serves(t *testing.T, addr string, conf *tls.Config, want bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	dialer := &net.Dialer{}
	dial := dialer.DialContext
	if conf != nil {
		dial = (&tls.Dialer{NetDialer: dialer, Config: conf}).DialContext
	}
	err := harness.ServesBy(ctx, addr, dial)
	if (err == nil) != want {
		t.Errorf("served %t, want %t: %v", err == nil, want, err)
	}
}

// storeKeys makes key and trust stores of a kind by the tools that operators have.
func storeKeys(t *testing.T, certs *harness.Certificates, kind, ext string) map[string]string {
	t.Helper()
	file := func(name string) string { return filepath.Join(certs.Dir, name) }
	pass := "pass:" + storePassword
	tool(t, "openssl", "pkcs12", "-export", "-in", file("server.pem"), "-out", file("key.p12"), "-name", "server", "-passout", pass)
	if kind != "PKCS12" {
		tool(t, "keytool", "-importkeystore", "-noprompt", "-srckeystore", file("key.p12"), "-srcstoretype", "PKCS12",
			"-srcstorepass", storePassword, "-destkeystore", file("key."+ext), "-deststoretype", kind, "-deststorepass", storePassword)
	}
	tool(t, "keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", file("ca.pem"),
		"-keystore", file("trust."+ext), "-storetype", kind, "-storepass", storePassword)
	return map[string]string{
		"ssl.keyStore.location":   file("key." + ext),
		"ssl.keyStore.password":   storePassword,
		"ssl.keyStore.type":       kind,
		"ssl.trustStore.location": file("trust." + ext),
		"ssl.trustStore.password": storePassword,
		"ssl.trustStore.type":     kind,
		"authProvider.x509":       "org.apache.zookeeper.server.auth.X509AuthenticationProvider",
	}
}

func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%v: run scripts/install-peers.sh", err)
	}
	run(t, ".", name, args...)
}
