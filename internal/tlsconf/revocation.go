package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	// fetchTimeout bounds one request for a list or a response.
	fetchTimeout = 15 * time.Second
	// maxCRL and maxOCSP bound what is read; the largest public lists have
	// some ten megabytes.
	maxCRL  = 64 << 20
	maxOCSP = 1 << 20
	// maxKept bounds how many lists and responses are kept.
	maxKept = 1024
	// keepWithoutEnd is how long an answer counts that does not say itself.
	keepWithoutEnd = 5 * time.Minute
)

// ErrRevoked is wrapped by handshake errors about revoked certificates.
var ErrRevoked = errors.New("certificate is revoked")

// ErrUnknownStatus is wrapped when nobody could tell whether a certificate is
// revoked; it is then refused, as Java's PKIX does.
var ErrUnknownStatus = errors.New("revocation status cannot be determined")

// revocation asks about every certificate of a chain but its anchor: OCSP
// first when on, else and after its failure the lists that the certificate
// names. Answers are kept as long as they say.
type revocation struct {
	ocsp   bool
	client *http.Client
	now    func() time.Time

	mu    sync.Mutex
	lists map[string]*x509.RevocationList // by URL and issuer
	good  map[string]time.Time            // certificates found good, by their bytes, until when
}

func newRevocation(ocsp bool, client *http.Client) *revocation {
	return &revocation{
		ocsp: ocsp, client: client, now: time.Now,
		lists: make(map[string]*x509.RevocationList), good: make(map[string]time.Time),
	}
}

// verifyChains is for tls.Config.VerifyConnection of servers.
func (r *revocation) verifyChains(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return nil
	}
	return r.check(cs.VerifiedChains)
}

// check accepts when one of the chains holds no revoked certificate.
func (r *revocation) check(chains [][]*x509.Certificate) error {
	var errs []error
	for _, chain := range chains {
		err := r.checkChain(chain)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return fmt.Errorf("tls: %w: no chain was verified", ErrUnknownStatus)
	}
	return errors.Join(errs...)
}

func (r *revocation) checkChain(chain []*x509.Certificate) error {
	for i := 0; i+1 < len(chain); i++ {
		if err := r.checkOne(chain[i], chain[i+1]); err != nil {
			return fmt.Errorf("tls: %s: %w", chain[i].Subject, err)
		}
	}
	return nil
}

func (r *revocation) checkOne(c, issuer *x509.Certificate) error {
	id := string(c.Raw)
	r.mu.Lock()
	until, ok := r.good[id]
	r.mu.Unlock()
	if ok && r.now().Before(until) {
		return nil
	}
	until, err := r.ask(c, issuer)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.good) >= maxKept {
		clear(r.good)
	}
	r.good[id] = until
	return nil
}

// ask returns until when the certificate is known to be good.
func (r *revocation) ask(c, issuer *x509.Certificate) (time.Time, error) {
	var why error
	if r.ocsp {
		until, err := r.askResponders(c, issuer)
		if err == nil || errors.Is(err, ErrRevoked) {
			return until, err
		}
		why = err
	}
	until, err := r.askLists(c, issuer)
	if err == nil || errors.Is(err, ErrRevoked) {
		return until, err
	}
	return time.Time{}, fmt.Errorf("%w: %w", ErrUnknownStatus, errors.Join(why, err))
}

func (r *revocation) askResponders(c, issuer *x509.Certificate) (time.Time, error) {
	if len(c.OCSPServer) == 0 {
		return time.Time{}, errors.New("the certificate names no OCSP responder")
	}
	req, err := ocsp.CreateRequest(c, issuer, nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("ocsp: %w", err)
	}
	var errs []error
	for _, url := range c.OCSPServer {
		body, err := r.fetch(url, req, maxOCSP)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		resp, err := ocsp.ParseResponseForCert(body, c, issuer)
		if err != nil {
			errs = append(errs, fmt.Errorf("ocsp %s: %w", url, err))
			continue
		}
		return r.judge(resp, url)
	}
	return time.Time{}, errors.Join(errs...)
}

func (r *revocation) judge(resp *ocsp.Response, url string) (time.Time, error) {
	switch {
	case resp.Status == ocsp.Revoked:
		return time.Time{}, fmt.Errorf("%w since %s, says %s", ErrRevoked, resp.RevokedAt.Format(time.RFC3339), url)
	case resp.Status != ocsp.Good:
		return time.Time{}, fmt.Errorf("ocsp %s: the responder does not know the certificate", url)
	case !resp.NextUpdate.IsZero() && r.now().After(resp.NextUpdate):
		return time.Time{}, fmt.Errorf("ocsp %s: the response ended at %s", url, resp.NextUpdate.Format(time.RFC3339))
	}
	return r.until(resp.NextUpdate), nil
}

// until bounds how long an answer is kept: not beyond its own end.
func (r *revocation) until(next time.Time) time.Time {
	short := r.now().Add(keepWithoutEnd)
	if next.IsZero() || next.After(short) {
		return short
	}
	return next
}

func (r *revocation) askLists(c, issuer *x509.Certificate) (time.Time, error) {
	if len(c.CRLDistributionPoints) == 0 {
		return time.Time{}, errors.New("the certificate names no revocation list")
	}
	var errs []error
	for _, url := range c.CRLDistributionPoints {
		list, err := r.list(url, issuer)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, e := range list.RevokedCertificateEntries {
			if e.SerialNumber.Cmp(c.SerialNumber) == 0 {
				return time.Time{}, fmt.Errorf("%w since %s, says %s", ErrRevoked, e.RevocationTime.Format(time.RFC3339), url)
			}
		}
		return r.until(list.NextUpdate), nil
	}
	return time.Time{}, errors.Join(errs...)
}

// list returns a revocation list that issuer signed and that is still valid.
func (r *revocation) list(url string, issuer *x509.Certificate) (*x509.RevocationList, error) {
	id := url + "\x00" + string(issuer.Raw)
	r.mu.Lock()
	l := r.lists[id]
	r.mu.Unlock()
	if l != nil && r.now().Before(l.NextUpdate) {
		return l, nil
	}
	if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
		return nil, fmt.Errorf("crl %s: only http and https can be fetched", url)
	}
	body, err := r.fetch(url, nil, maxCRL)
	if err != nil {
		return nil, err
	}
	if l, err = x509.ParseRevocationList(body); err != nil {
		return nil, fmt.Errorf("crl %s: %w", url, err)
	}
	if err := l.CheckSignatureFrom(issuer); err != nil {
		return nil, fmt.Errorf("crl %s: %w", url, err)
	}
	if !l.NextUpdate.IsZero() && r.now().After(l.NextUpdate) {
		return nil, fmt.Errorf("crl %s: the list ended at %s", url, l.NextUpdate.Format(time.RFC3339))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lists) >= maxKept {
		clear(r.lists)
	}
	r.lists[id] = l
	return l, nil
}

// fetch posts an OCSP request, or gets a list when body is nil.
func (r *revocation) fetch(url string, body []byte, most int64) ([]byte, error) {
	var resp *http.Response
	var err error
	if body == nil {
		resp, err = r.client.Get(url)
	} else {
		resp, err = r.client.Post(url, "application/ocsp-request", bytes.NewReader(body))
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s sent more than %d bytes", url, most)
	}
	return data, nil
}
