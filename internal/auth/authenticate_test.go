package auth

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// logged is a logger and what it logged.
func logged() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}

func mustNew(t testing.TB, o Options) *Registry {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// subject is the encoded subject of a certificate.
func subject(t *testing.T, name pkix.Name) *x509.Certificate {
	t.Helper()
	raw, err := marshalName(name)
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{RawSubject: raw}
}

type panicky struct{ keyProvider }

func (panicky) Scheme() string                             { return "panicky" }
func (panicky) Authenticate(Peer, []byte) (Verdict, error) { panic("oops") }

func TestAuthenticate(t *testing.T) {
	names := "blue, green"
	peer := Peer{Session: 0x1234, Addr: netip.MustParseAddrPort("[::1]:4711")}
	admin := subject(t, pkix.Name{CommonName: "admin"})
	user := subject(t, pkix.Name{CommonName: "user", Organization: []string{"o"}})
	log, out := logged()
	r := mustNew(t, Options{
		Logger: log,
		Classes: map[string]string{
			"1": classPrefix + "SASLAuthenticationProvider", "2": classPrefix + "EnsembleAuthenticationProvider",
			"3": classPrefix + "X509AuthenticationProvider", "4": classPrefix + "KeyAuthenticationProvider",
			"5": "com.example.Custom",
		},
		Providers:     []Provider{panicky{}},
		EnsembleNames: &names,
		Digest:        DigestOptions{Super: superDigest},
		X509: X509Options{SuperUser: "CN=admin", Verify: func(chain []*x509.Certificate) error {
			if len(chain) > 1 {
				return errors.New("untrusted")
			}
			return nil
		}},
		Key: func() ([]byte, error) { return []byte("7"), nil },
	})
	if !strings.Contains(out.String(), "authProvider.5") || !strings.Contains(out.String(), "com.example.Custom") {
		t.Errorf("unknown class is not logged: %s", out)
	}
	failed := Outcome{Code: proto.AuthFailed, Close: true}
	with := func(certs ...*x509.Certificate) Peer { return Peer{Certificates: certs} }
	for _, c := range []struct {
		name, scheme string
		data         []byte
		peer         Peer
		want         Outcome
		log          string
	}{
		{"unknown scheme", "nope", nil, peer, failed, `level=WARN msg="no authentication provider for the scheme" scheme=nope known="[digest ensemble ip key panicky sasl x509]"`},
		{"no scheme", "", nil, peer, failed, "level=WARN"},
		{"digest", "digest", []byte("u:p"), peer, Outcome{Add: []ID{{"digest", "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ="}}},
			`msg=authenticated session=0x1234 scheme=digest address=[::1]:4711`},
		{"super", "digest", []byte("super:admin"), peer, Outcome{Add: []ID{{"super", ""}, {"digest", superDigest}}}, ""},
		{"digest null", "digest", nil, peer, failed, `msg="authentication failed" scheme=digest`},
		{"digest empty", "digest", []byte{}, peer, Outcome{Add: []ID{{"digest", ":2jmj7l5rSw0yVb/vlWAYkK/YBwk="}}}, ""},
		{"ip", "ip", []byte("ignored"), peer, Outcome{Add: []ID{{"ip", "0:0:0:0:0:0:0:1"}}}, ""},
		{"sasl", "sasl", []byte("bob"), peer, failed, ""},
		{"no certificate", "x509", nil, peer, failed, ""},
		{"certificate", "x509", nil, with(user), Outcome{Add: []ID{{"x509", "CN=user,O=o"}}}, ""},
		{"super certificate", "x509", nil, with(admin), Outcome{Add: []ID{{"super", "CN=admin"}, {"x509", "CN=admin"}}}, ""},
		{"untrusted certificate", "x509", nil, with(user, admin), failed, "untrusted"},
		{"this ensemble", "ensemble", []byte("green"), peer, Outcome{}, ""},
		{"other ensemble", "ensemble", []byte("red"), peer, Outcome{Code: proto.AuthFailed, Close: true, Silent: true}, "ensemble=red"},
		{"any ensemble", "ensemble", nil, peer, Outcome{}, ""},
		{"key", "key", []byte("21"), peer, Outcome{Add: []ID{{"key", ""}}}, ""},
		{"wrong key", "key", []byte("22"), peer, failed, ""},
		{"no key", "key", []byte("x"), peer, failed, ""},
		{"panic", "panicky", nil, peer, failed, "oops"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out.Reset()
			if got := r.Authenticate(c.scheme, c.data, c.peer); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if !strings.Contains(out.String(), c.log) {
				t.Errorf("log lacks %q:\n%s", c.log, out)
			}
		})
	}
	if success, fail, skip := r.EnsembleCounts(); success != 1 || fail != 1 || skip != 1 {
		t.Errorf("ensemble counts are %d, %d, %d", success, fail, skip)
	}
}

func TestAuthenticateTLS(t *testing.T) {
	cert := subject(t, pkix.Name{CommonName: "user"})
	r := mustNew(t, Options{
		Classes: map[string]string{"x509": classPrefix + "X509AuthenticationProvider"},
		X509:    X509Options{Verify: func([]*x509.Certificate) error { return nil }},
	})
	if ids, ok := r.AuthenticateTLS("x509", Peer{Certificates: []*x509.Certificate{cert}}); !ok || len(ids) != 1 || ids[0] != (ID{"x509", "CN=user"}) {
		t.Errorf("certificate proves %v, %v", ids, ok)
	}
	if ids, ok := r.AuthenticateTLS("other", Peer{Certificates: []*x509.Certificate{cert}}); ok || ids != nil {
		t.Errorf("unknown provider proves %v, %v", ids, ok)
	}
	if ids, ok := r.AuthenticateTLS("x509", Peer{}); ok || ids != nil {
		t.Errorf("no certificate proves %v, %v", ids, ok)
	}
}

func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "digest ip"},
		{Options{Digest: DigestOptions{Disabled: true}}, "ip"},
		{Options{Digest: DigestOptions{Disabled: true}, Classes: map[string]string{"1": classPrefix + "DigestAuthenticationProvider"}}, "digest ip"},
	} {
		if got := strings.Join(mustNew(t, c.o).Schemes(), " "); got != c.want {
			t.Errorf("schemes are %q, want %q", got, c.want)
		}
	}
	if _, err := New(Options{Digest: DigestOptions{Algorithm: "ROT13"}}); err == nil || !strings.Contains(err.Error(), "ROT13") {
		t.Errorf("unknown hash: %v", err)
	}
}

func TestGenerateDigest(t *testing.T) {
	for _, c := range []struct{ algorithm, in, want string }{
		{"", "super:test", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="},
		{"SHA1", "super:admin", superDigest},
		{"sha-256", "super:test", "super:wjySwxg860UATFtciuZ1lpzrCHrPeov6SPu/ZD56uig="},
		{"MD5", "a", "a:DMF1ucDxtqgxw5niaXcmYQ=="},
		{"SHA-512", ":", ":5ugQQFAtNtPYOkO+RhDxR4vfJnskMiPvJ9p0GKSvNkWm1xbw+SbOoieQyxkDIn7S51TKfyxAwX0YBwTuR/czDw=="},
	} {
		got, err := GenerateDigest(c.in, c.algorithm)
		if err != nil {
			t.Error(err)
		}
		if got != c.want {
			t.Errorf("%s of %q: %q, want %q", c.algorithm, c.in, got, c.want)
		}
	}
}

func TestEnsembleLogIsDamped(t *testing.T) {
	names := "blue"
	log, out := logged()
	now := time.Unix(1000, 0)
	e := newEnsemble(&names, log)
	e.now = func() time.Time { return now }
	for _, step := range []struct {
		after time.Duration
		lines int
	}{{0, 1}, {time.Second, 1}, {time.Millisecond, 2}, {0, 2}} {
		now = now.Add(step.after)
		if v, err := e.Authenticate(Peer{}, []byte("red")); err != nil || !v.Drop {
			t.Fatal(v, err)
		}
		if got := strings.Count(out.String(), "\n"); got != step.lines {
			t.Errorf("%d lines logged, want %d:\n%s", got, step.lines, out)
		}
	}
}

func TestAuthenticateAdmin(t *testing.T) {
	r := mustNew(t, Options{Classes: map[string]string{"1": classPrefix + "SASLAuthenticationProvider", "2": classPrefix + "EnsembleAuthenticationProvider"}})
	peer := Peer{Addr: netip.MustParseAddrPort("10.0.0.1:1")}
	for _, c := range []struct {
		header string
		want   []ID
	}{
		{"digest u:p", []ID{{"digest", "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ="}}},
		{"ip", []ID{{"ip", "10.0.0.1"}}},
		{"ip  ", []ID{{"ip", "10.0.0.1"}}},
		{"digest", nil}, {"digest u:p x", nil}, {"sasl x", nil}, {"ensemble x", nil}, {"", nil}, {"basic x", nil},
	} {
		ids, err := r.AuthenticateAdmin(c.header, peer)
		if !reflect.DeepEqual(ids, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("%q proves %v, %v", c.header, ids, err)
		}
		if err != nil && !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%q: %v is not ErrUnauthenticated", c.header, err)
		}
	}
	peer.Host = "1.1.1.1"
	if ids, err := r.AuthenticateAdmin("ip", peer); err != nil || ids[0].ID != "1.1.1.1" {
		t.Errorf("forwarded: %v, %v", ids, err)
	}
}

func TestHostAddress(t *testing.T) {
	for in, want := range map[string]string{
		"10.1.2.3": "10.1.2.3", "::ffff:10.1.2.3": "10.1.2.3", "::1": "0:0:0:0:0:0:0:1",
		"2001:db8::ff00:42": "2001:db8:0:0:0:0:ff00:42", "fe80::1%7": "fe80:0:0:0:0:0:0:1%7",
	} {
		if got := HostAddress(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s is %q, want %q", in, got, want)
		}
	}
}

func TestForwardedHost(t *testing.T) {
	for in, want := range map[string]string{"": "", "1.2.3.4": "1.2.3.4", " 1.2.3.4 , 5.6.7.8": "1.2.3.4", ",,a,b": "a", ",": ""} {
		if got := ForwardedHost(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
