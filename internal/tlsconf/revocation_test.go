package tlsconf

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// authority is a CA that answers for its certificates.
type authority struct {
	t     *testing.T
	key   crypto.Signer
	cert  *x509.Certificate
	http  *httptest.Server
	asked atomic.Int32
	// what the endpoints answer with
	revoked    []*big.Int
	crlSigner  *authority
	ocspStatus int
	broken     bool
	next       time.Time
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, next: time.Now().Add(time.Hour)}
	a.crlSigner = a
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1},
	}
	a.cert = a.sign(tmpl, tmpl, a.key.Public())
	a.http = httptest.NewServer(a)
	t.Cleanup(a.http.Close)
	return a
}

func (a *authority) sign(tmpl, parent *x509.Certificate, pub crypto.PublicKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// issue makes a certificate that names the endpoints which are not empty.
func (a *authority) issue(serial int64, crlURL, ocspURL string) []*x509.Certificate {
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "leaf"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	if crlURL != "" {
		tmpl.CRLDistributionPoints = []string{crlURL}
	}
	if ocspURL != "" {
		tmpl.OCSPServer = []string{ocspURL}
	}
	return []*x509.Certificate{a.sign(tmpl, a.cert, a.key.Public()), a.cert}
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.asked.Add(1)
	if a.broken {
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	}
	var der []byte
	var err error
	if r.Method == http.MethodPost {
		der, err = a.ocspResponse(r.Body)
	} else {
		list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-2 * time.Hour), NextUpdate: a.next}
		for _, s := range a.revoked {
			list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: s, RevocationTime: time.Now()})
		}
		der, err = x509.CreateRevocationList(rand.Reader, list, a.crlSigner.cert, a.crlSigner.key)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(der)
}

func (a *authority) ocspResponse(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	req, err := ocsp.ParseRequest(data)
	if err != nil {
		return nil, err
	}
	return ocsp.CreateResponse(a.cert, a.cert, ocsp.Response{
		Status: a.ocspStatus, SerialNumber: req.SerialNumber, ThisUpdate: time.Now().Add(-2 * time.Hour), NextUpdate: a.next, RevokedAt: time.Now(),
	}, a.key)
}

func TestRevocation(t *testing.T) {
	for name, tt := range map[string]struct {
		crl, ocspURL bool
		useOCSP      bool
		change       func(*authority)
		want         error
	}{
		"crl good":            {crl: true},
		"crl revoked":         {crl: true, change: func(a *authority) { a.revoked = []*big.Int{big.NewInt(7)} }, want: ErrRevoked},
		"crl other revoked":   {crl: true, change: func(a *authority) { a.revoked = []*big.Int{big.NewInt(8)} }},
		"crl by another":      {crl: true, change: func(a *authority) { a.crlSigner = newAuthority(a.t) }, want: ErrUnknownStatus},
		"crl too old":         {crl: true, change: func(a *authority) { a.next = time.Now().Add(-time.Hour) }, want: ErrUnknownStatus},
		"crl broken":          {crl: true, change: func(a *authority) { a.broken = true }, want: ErrUnknownStatus},
		"no source":           {want: ErrUnknownStatus},
		"ocsp good":           {ocspURL: true, useOCSP: true},
		"ocsp revoked":        {ocspURL: true, useOCSP: true, change: func(a *authority) { a.ocspStatus = ocsp.Revoked }, want: ErrRevoked},
		"ocsp unknown":        {ocspURL: true, useOCSP: true, change: func(a *authority) { a.ocspStatus = ocsp.Unknown }, want: ErrUnknownStatus},
		"ocsp too old":        {ocspURL: true, useOCSP: true, change: func(a *authority) { a.next = time.Now().Add(-time.Hour) }, want: ErrUnknownStatus},
		"ocsp off":            {ocspURL: true, want: ErrUnknownStatus},
		"ocsp, then crl":      {ocspURL: true, crl: true, useOCSP: true, change: func(a *authority) { a.ocspStatus = ocsp.Unknown }},
		"ocsp, then crl says": {ocspURL: true, crl: true, useOCSP: true, change: func(a *authority) { a.ocspStatus = ocsp.Unknown; a.revoked = []*big.Int{big.NewInt(7)} }, want: ErrRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t)
			if tt.change != nil {
				tt.change(a)
			}
			var crlURL, ocspURL string
			if tt.crl {
				crlURL = a.http.URL + "/crl"
			}
			if tt.ocspURL {
				ocspURL = a.http.URL + "/ocsp"
			}
			r := newRevocation(tt.useOCSP, a.http.Client())
			err := r.check([][]*x509.Certificate{a.issue(7, crlURL, ocspURL)})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestRevocationIsKept(t *testing.T) {
	a := newAuthority(t)
	chain := [][]*x509.Certificate{a.issue(7, a.http.URL, "")}
	r := newRevocation(false, a.http.Client())
	now := time.Now()
	r.now = func() time.Time { return now }
	for range 3 {
		if err := r.check(chain); err != nil {
			t.Fatal(err)
		}
	}
	if n := a.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	now = now.Add(2 * time.Hour)
	if err := r.check(chain); !errors.Is(err, ErrUnknownStatus) {
		t.Errorf("got %v for a list that has ended", err)
	}
	if n := a.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
}

func TestNoChainIsUnknown(t *testing.T) {
	if err := newRevocation(false, http.DefaultClient).check(nil); !errors.Is(err, ErrUnknownStatus) {
		t.Errorf("got %v", err)
	}
}
