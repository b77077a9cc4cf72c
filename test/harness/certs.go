package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificates is an authority with a server's, a client's and an ensemble member's certificate, as PEM files in Dir:
// ca.pem, server.pem, client.pem and member.pem (key and certificate together, as ZooKeeper's PEM stores want them), and the client's two halves
// client.crt and client.key.
type Certificates struct {
	// Dir holds the files.
	Dir string
	// ClientSubject is the client's distinguished name, in the form that x509 ACLs have.
	ClientSubject string

	ca identity
}

// NewCertificates makes an authority for this test alone. The server's name is 127.0.0.1 and localhost.
func NewCertificates(t testing.TB) *Certificates {
	t.Helper()
	c := &Certificates{Dir: t.TempDir(), ClientSubject: "CN=quoll-client"}
	ca := issue(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: "quoll-test-ca"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	c.ca = ca
	client := issue(t, &ca, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "quoll-client"},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	c.put(t, "ca.pem", ca.certPEM())
	c.Renew(t)
	member := issue(t, &ca, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "quoll-member"},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, // it dials and is dialled
	})
	c.put(t, "member.pem", append(member.keyPEM(t), member.certPEM()...))
	c.put(t, "client.pem", append(client.keyPEM(t), client.certPEM()...))
	c.put(t, "client.crt", client.certPEM())
	c.put(t, "client.key", client.keyPEM(t))
	return c
}

// Renew replaces server.pem: a new key and certificate for the same name, by the same authority.
func (c *Certificates) Renew(t testing.TB) {
	t.Helper()
	server := issue(t, &c.ca, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "quoll-server"},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	c.put(t, "server.pem", append(server.keyPEM(t), server.certPEM()...))
}

// Keys are the lines of zoo.cfg that make a server use these certificates and ask clients for theirs.
func (c *Certificates) Keys() map[string]string {
	return map[string]string{
		"ssl.keyStore.location":   filepath.Join(c.Dir, "server.pem"),
		"ssl.keyStore.type":       "PEM",
		"ssl.trustStore.location": filepath.Join(c.Dir, "ca.pem"),
		"ssl.trustStore.type":     "PEM",
		"authProvider.x509":       "org.apache.zookeeper.server.auth.X509AuthenticationProvider",
	}
}

// MemberKeys are the lines of zoo.cfg that make a member of an ensemble use these certificates towards the others.
func (c *Certificates) MemberKeys() map[string]string {
	return map[string]string{
		"ssl.quorum.keyStore.location":   filepath.Join(c.Dir, "member.pem"),
		"ssl.quorum.keyStore.type":       "PEM",
		"ssl.quorum.trustStore.location": filepath.Join(c.Dir, "ca.pem"),
		"ssl.quorum.trustStore.type":     "PEM",
	}
}

// ClientTLS is what a Go client needs; with its certificate if identified.
func (c *Certificates) ClientTLS(t testing.TB, identified bool) *tls.Config {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(c.Dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	conf := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	conf.RootCAs.AppendCertsFromPEM(ca)
	if identified {
		pair, err := tls.LoadX509KeyPair(filepath.Join(c.Dir, "client.crt"), filepath.Join(c.Dir, "client.key"))
		if err != nil {
			t.Fatal(err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf
}

func (c *Certificates) put(t testing.TB, name string, content []byte) {
	t.Helper()
	path := filepath.Join(c.Dir, name)
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil { // whoever watches the file sees it whole
		t.Fatal(err)
	}
}

// identity is a certificate with its key.
type identity struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue signs template with by's key, or with its own if by is nil.
func issue(t testing.TB, by *identity, template *x509.Certificate) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(24 * time.Hour)
	if by == nil {
		by = &identity{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return identity{cert: cert, key: key}
}

func (i identity) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw})
}

func (i identity) keyPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
