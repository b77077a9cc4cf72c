package tlsconf

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// side makes options with stores from testdata; empty names mean none.
func side(key, trust string, change func(*Options)) Options {
	o := Defaults()
	if key != "" {
		o.KeyStore = testStore(key)
	}
	if trust != "" {
		o.TrustStore = testStore(trust)
	}
	if change != nil {
		change(&o)
	}
	return o
}

func open(t *testing.T, o Options) *Source {
	t.Helper()
	s, err := Open(o, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shake connects a client to a server over TCP on the loopback and returns
// what both said.
func shake(t *testing.T, server, client *tls.Config) (cs, ss tls.ConnectionState, cerr, serr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			serr = err
			return
		}
		defer c.Close()
		conn := tls.Server(c, server)
		if serr = conn.Handshake(); serr == nil {
			ss = conn.ConnectionState()
			_, serr = conn.Write([]byte("x"))
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(c, client)
	// The client of TLS 1.3 learns only from the first byte that it is let in.
	_, cerr = conn.Read(make([]byte, 1))
	cs = conn.ConnectionState()
	c.Close()
	<-done
	return cs, ss, cerr, serr
}

func serverOf(t *testing.T, s *Source) *tls.Config {
	t.Helper()
	c, err := s.Server()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestHandshakes(t *testing.T) {
	none := func(o *Options) { o.ClientAuth = NoClient }
	want := func(o *Options) { o.ClientAuth = WantClient }
	now := time.Now()
	stranger, old := selfSigned(t, now.Add(-time.Hour), now.Add(time.Hour)), selfSigned(t, now.Add(-time.Hour), now.Add(-time.Minute))
	for name, tt := range map[string]struct {
		server, client Options
		host           string
		fails          string // "" for none, else a part of the client's or server's error
	}{
		"mutual":             {side("server.jks", "trust.jks", nil), side("client.pem", "ca.pem", nil), "localhost", ""},
		"by address":         {side("keytool.p12", "", none), side("", "trust.p12", nil), "127.0.0.1", ""},
		"no certificate":     {side("server.pem", "ca.pem", nil), side("", "ca.pem", nil), "localhost", "client didn't provide a certificate"},
		"wanted":             {side("server.pem", "ca.pem", want), side("", "ca.pem", nil), "localhost", ""},
		"untrusted client":   {side("server.pem", "", nil), side("client.pem", "ca.pem", nil), "localhost", "unknown authority"},
		"stranger":           {side("server.pem", "ca.pem", nil), side("", "ca.pem", func(o *Options) { o.KeyStore = stranger }), "localhost", "server: tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"outdated client":    {side("server.pem", "", func(o *Options) { o.TrustStore = old }), side("", "ca.pem", func(o *Options) { o.KeyStore = old }), "localhost", "server: tls: failed to verify certificate: x509: certificate has expired"},
		"wanted, untrusted":  {side("server.pem", "", want), side("client.pem", "ca.pem", nil), "localhost", "unknown authority"},
		"untrusted server":   {side("server.pem", "", none), side("", "", nil), "localhost", "unknown authority"},
		"wrong host":         {side("server.pem", "", none), side("", "ca.pem", nil), "other.example.com", "does not name other.example.com"},
		"host not verified":  {side("server.pem", "", none), side("", "ca.pem", func(o *Options) { o.HostnameVerification = false }), "other.example.com", ""},
		"common name":        {side("cnonly.pem", "", none), side("", "ca.pem", nil), "ZK.example.com", ""},
		"client's address":   {side("server.pem", "ca.pem", func(o *Options) { o.ClientHostnameVerification = true }), side("server.pem", "ca.pem", nil), "localhost", ""},
		"client's wrong":     {side("server.pem", "ca.pem", func(o *Options) { o.ClientHostnameVerification = true }), side("client.pem", "ca.pem", nil), "localhost", "does not name 127.0.0.1"},
		"server's for hosts": {side("client.pem", "ca.pem", none), side("", "ca.pem", nil), "localhost", "incompatible key usage"},
		"versions apart": {side("server.pem", "", func(o *Options) { none(o); o.Protocol = "TLSv1.3" }),
			side("", "ca.pem", func(o *Options) { o.EnabledProtocols = []string{"TLSv1.2"} }), "localhost", "protocol version"},
		"suites apart": {side("server.pem", "", func(o *Options) {
			none(o)
			o.Protocol = "TLSv1.2"
			o.CipherSuites = []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}
		}), side("", "ca.pem", func(o *Options) { o.CipherSuites = []string{"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"} }), "localhost", "handshake failure"},
	} {
		t.Run(name, func(t *testing.T) {
			_, ss, cerr, serr := shake(t, serverOf(t, open(t, tt.server)), open(t, tt.client).Client(tt.host))
			if tt.fails == "" {
				if cerr != nil || serr != nil {
					t.Fatalf("client %v, server %v", cerr, serr)
				}
				if tt.server.ClientAuth == NeedClient && len(ss.VerifiedChains) == 0 {
					t.Error("the server has no verified chain")
				}
				return
			}
			if err := errors.Join(cerr, fmt.Errorf("server: %w", serr)); err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("got %v, want %s", err, tt.fails)
			}
		})
	}
}

func TestReverseLookup(t *testing.T) {
	s := open(t, side("", "ca.pem", func(o *Options) { o.AllowReverseDNS = true }))
	s.lookup = func(_ context.Context, addr string) ([]string, error) {
		if addr != "10.1.2.3" {
			return nil, errors.New("no such address")
		}
		return []string{"a.example.com.", "zk.example.com."}, nil
	}
	certs, err := testStore("cnonly.pem").keys()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.checkName(certs[0].Leaf, "10.1.2.3"); err != nil {
		t.Error(err)
	}
	if err := s.checkName(certs[0].Leaf, "10.1.2.4"); err == nil || !strings.Contains(err.Error(), "no such address") {
		t.Errorf("got %v", err)
	}
	s.opts.AllowReverseDNS = false
	if err := s.checkName(certs[0].Leaf, "10.1.2.3"); err == nil {
		t.Error("looked up although it is not allowed")
	}
}

func TestMatchCommonName(t *testing.T) {
	for _, tt := range []struct {
		cn, host string
		want     bool
	}{
		{"a.b.c", "A.b.C", true}, {"*.b.c", "a.b.c", true}, {"*.b.c", "x.a.b.c", false}, {"*.c", "b.c", false},
		{"", "", false}, {"*", "a", false}, {"127.0.0.1", "127.0.0.1", true}, {"*.0.0.1", "127.0.0.1", false},
	} {
		if got := matchCommonName(tt.cn, tt.host); got != tt.want {
			t.Errorf("%q, %q: got %v", tt.cn, tt.host, got)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

// TestReload swaps a server's store and its clients' trust while it runs.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	copyFile(t, "testdata/server.pem", path)
	o := side("", "ca.pem", func(o *Options) { o.ClientAuth = NoClient; o.Reload = true })
	o.KeyStore = Store{Location: path}
	s := open(t, o)
	s.every = time.Millisecond
	server := serverOf(t, s)
	client := open(t, side("", "ca.pem", func(o *Options) { o.HostnameVerification = false })).Client("x")
	name := func() string {
		cs, _, cerr, serr := shake(t, server, client)
		if cerr != nil || serr != nil {
			t.Fatal(cerr, serr)
		}
		return cs.PeerCertificates[0].Subject.CommonName
	}
	if n := name(); n != "localhost" {
		t.Fatalf("got %s", n)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Watch(ctx); close(ended) }()
	copyFile(t, "testdata/cnonly.pem", path)
	for name() != "zk.example.com" {
	}
	cancel()
	<-ended

	copyFile(t, "testdata/password", path)
	if s.poll() {
		t.Error("a file that is no store was taken")
	}
	if n := name(); n != "zk.example.com" {
		t.Errorf("after a bad store: got %s, want the one before", n)
	}
	if s.poll() {
		t.Error("an unchanged bad store was read again")
	}
	copyFile(t, "testdata/server.pem", path)
	if !s.poll() || name() != "localhost" {
		t.Error("the store that followed the bad one was not taken")
	}
}

func TestWatchNeedsReload(t *testing.T) {
	open(t, side("server.pem", "", nil)).Watch(context.Background())
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open(side("no.jks", "", nil), quiet); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(side("server.pem", "", func(o *Options) { o.Protocol = "SSLv3" }), quiet); err == nil || !strings.Contains(err.Error(), "protocol: want TLSv1,") {
		t.Errorf("got %v", err)
	}
	if _, err := open(t, side("", "ca.pem", nil)).Server(); !errors.Is(err, ErrNoKey) {
		t.Errorf("got %v", err)
	}
}

func TestVersions(t *testing.T) {
	for _, tt := range []struct {
		o         Options
		low, high uint16
	}{
		{Options{}, tls.VersionTLS12, tls.VersionTLS13},
		{Options{Protocol: "TLS"}, tls.VersionTLS12, tls.VersionTLS13},
		{Options{Protocol: "TLSv1.2"}, tls.VersionTLS12, tls.VersionTLS12},
		{Options{Protocol: "TLSv1.2", EnabledProtocols: []string{"TLSv1.3", "TLSv1.2"}}, tls.VersionTLS12, tls.VersionTLS13},
		{Options{EnabledProtocols: []string{"TLSv1", "TLSv1.1"}}, tls.VersionTLS10, tls.VersionTLS11},
	} {
		if low, high, err := tt.o.versions(); err != nil || low != tt.low || high != tt.high {
			t.Errorf("%+v: got %x to %x, %v", tt.o, low, high, err)
		}
	}
}

// TestApachesSuites checks that Apache's default list is understood but for
// the two suites that Go never had.
func TestApachesSuites(t *testing.T) {
	o := Options{CipherSuites: []string{
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
		"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
		"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
		"TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "SSL_RSA_WITH_3DES_EDE_CBC_SHA",
	}}
	ids, unknown := o.suites()
	if len(ids) != 11 || len(unknown) != 2 {
		t.Errorf("got %d suites, unknown %v", len(ids), unknown)
	}
	if ps := o.Check(); len(ps) != 1 || ps[0].Fatal || ps[0].Key != "ciphersuites" {
		t.Errorf("got %+v", ps)
	}
}

func TestLooksLikeTLS(t *testing.T) {
	for in, want := range map[string]bool{"\x16\x03\x01\x02\x00": true, "\x15\x03\x03\x00\x02": true, "ruok\n": false, "\x00\x00\x00\x2d\x00": false, "\x16\x03\x01": false, "": false, "GET /": false} {
		if got := LooksLikeTLS([]byte(in)); got != want {
			t.Errorf("%q: got %v", in, got)
		}
	}
}
