package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// secured is a server with a plain, or unified, and a TLS port.
func secured(t *testing.T, certs *harness.Certificates, more map[string]string) *running {
	t.Helper()
	all := certs.Keys()
	all["secureClientPort"], all["secureClientPortAddress"] = "0", "127.0.0.1"
	for k, v := range more {
		all[k] = v
	}
	return start(t, t.TempDir(), all)
}

// names are the identities that the server sees in a client.
func names(t *testing.T, c *client.Client) map[string]string {
	t.Helper()
	infos, err := c.WhoAmI(within(t))
	if err != nil {
		t.Fatal(err)
	}
	byScheme := make(map[string]string)
	for _, i := range infos {
		byScheme[i.Scheme] = i.User
	}
	return byScheme
}

func TestCertificatesAreIdentities(t *testing.T) {
	certs, strangers := harness.NewCertificates(t), harness.NewCertificates(t)
	stranger := certs.ClientTLS(t, false)
	stranger.Certificates = strangers.ClientTLS(t, true).Certificates
	for auth, want := range map[string]struct{ anonymous, own, foreign bool }{
		"need": {false, true, false}, "want": {true, true, false}, "none": {true, true, true},
	} {
		t.Run(auth, func(t *testing.T) {
			r := secured(t, certs, map[string]string{"ssl.clientAuth": auth})
			for name, try := range map[string]struct {
				conf *tls.Config
				ok   bool
			}{
				"anonymous": {certs.ClientTLS(t, false), want.anonymous},
				"own":       {certs.ClientTLS(t, true), want.own},
				"foreign":   {stranger, want.foreign},
			} {
				got := handshake(t, r.SecureAddr().String(), try.conf)
				if (got == nil) != try.ok {
					t.Errorf("client %s: %v", name, got)
				}
			}
			c := dial(t, r.SecureAddr().String(), client.WithTLS(certs.ClientTLS(t, true)))
			subject := names(t, c)["x509"]
			if auth == "none" {
				if subject != "" {
					t.Errorf("a certificate nobody asked for is an identity: %q", subject)
				}
				return
			}
			if subject != certs.ClientSubject {
				t.Errorf("identity %q, want %q", subject, certs.ClientSubject)
			}
			acl := client.ACLs{{Perms: client.PermAll, Scheme: "x509", ID: certs.ClientSubject}}
			if _, err := c.Create(within(t), "/mine", nil, acl); err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.Get(within(t), "/mine"); err != nil {
				t.Error(err)
			}
			if _, _, err := r.dial(t).Get(within(t), "/mine"); !errors.Is(err, client.ErrNoAuth) {
				t.Errorf("without the certificate: %v", err)
			}
		})
	}
}

// handshake connects by TLS and tells whether the server lets it in. With TLS
// 1.3 a client learns that its certificate was refused only by reading.
func handshake(t *testing.T, addr string, conf *tls.Config) error {
	t.Helper()
	nc, err := tls.Dial("tcp", addr, conf)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	if _, err := nc.Write([]byte("ruok")); err != nil {
		return err
	}
	b, err := io.ReadAll(nc)
	if string(b) != "imok" {
		return errors.Join(err, errors.New("no answer"))
	}
	return nil
}

func TestUnifiedPort(t *testing.T) {
	certs := harness.NewCertificates(t)
	r := secured(t, certs, map[string]string{"client.portUnification": "true"})
	plain := r.dial(t)
	encrypted := r.dial(t, client.WithTLS(certs.ClientTLS(t, true)))
	if _, err := plain.Create(within(t), "/u", bytes.Repeat([]byte("x"), 500_000)); err != nil {
		t.Fatal(err)
	}
	data, _, err := encrypted.Get(within(t), "/u")
	if err != nil || len(data) != 500_000 {
		t.Errorf("%d bytes: %v", len(data), err)
	}
	if n := names(t, encrypted); n["x509"] != certs.ClientSubject {
		t.Errorf("identities %v", n)
	}
	if n := names(t, plain); n["x509"] != "" {
		t.Errorf("identities %v", n)
	}
	if err := handshake(t, r.Addr().String(), certs.ClientTLS(t, true)); err != nil {
		t.Error(err)
	}
	if got, err := harness.FourLetterWord(within(t), r.Addr().String(), "ruok"); err != nil || got != "imok" {
		t.Errorf("ruok: %q, %v", got, err)
	}
}

// TestStuckHandshakes hold up nobody, and end.
func TestStuckHandshakes(t *testing.T) {
	certs := harness.NewCertificates(t)
	for name, more := range map[string]map[string]string{
		"secure": nil, "unified": {"client.portUnification": "true"},
	} {
		t.Run(name, func(t *testing.T) {
			r := secured(t, certs, more)
			addr := r.SecureAddr()
			if more != nil {
				addr = r.Addr()
			}
			var stuck []net.Conn
			for i := range 30 {
				nc, err := net.Dial("tcp", addr.String())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				nc.Write([]byte{0x16, 3, 1, 2, 0}[:i%6])
				stuck = append(stuck, nc)
			}
			dial(t, addr.String(), client.WithTLS(certs.ClientTLS(t, true)))
			begin := time.Now()
			r.Close()
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("closing took %v", took)
			}
			for _, nc := range stuck {
				nc.SetDeadline(time.Now().Add(patience))
				if _, err := io.ReadAll(nc); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("a stuck handshake is still open")
				}
			}
		})
	}
}

func TestChangedCertificatesAreRead(t *testing.T) {
	certs := harness.NewCertificates(t)
	r := secured(t, certs, map[string]string{"client.certReload": "true"})
	serial := func() string {
		nc, err := tls.Dial("tcp", r.SecureAddr().String(), certs.ClientTLS(t, true))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		return string(nc.ConnectionState().PeerCertificates[0].Raw)
	}
	before := serial()
	c := dial(t, r.SecureAddr().String(), client.WithTLS(certs.ClientTLS(t, true)))
	certs.Renew(t)
	await(t, "the new certificate", func() bool { return serial() != before })
	// A store that cannot be read leaves what is.
	broken := filepath.Join(certs.Dir, "server.pem")
	if err := os.WriteFile(broken, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the log to complain", func() bool { return strings.Contains(r.log.String(), "cannot be read") })
	serial()
	if _, _, err := c.Get(within(t), "/"); err != nil { // connections stay
		t.Error(err)
	}
}

// TestTLSCarriesALot has more in flight both ways than buffers hold.
func TestTLSCarriesALot(t *testing.T) {
	certs := harness.NewCertificates(t)
	r := secured(t, certs, nil)
	c := dial(t, r.SecureAddr().String(), client.WithTLS(certs.ClientTLS(t, true)))
	big := bytes.Repeat([]byte("0123456789"), 50_000)
	if _, err := c.Create(within(t), "/big", big); err != nil {
		t.Fatal(err)
	}
	results := make(chan error, 100)
	for range cap(results) {
		go func() {
			data, _, err := c.Get(context.Background(), "/big")
			if err == nil && !bytes.Equal(data, big) {
				err = errors.New("it came back as something else")
			}
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil { // the reply to closeSession comes encrypted, too
		t.Error(err)
	}
}
