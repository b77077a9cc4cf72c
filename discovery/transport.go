package discovery

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Transport is an http.RoundTripper that calls instances by the name of their
// service:
//
//	pool := d.Pool(balance.PeakEWMA, balance.WithOutlier(balance.Outlier{}))
//	defer pool.Close()
//	hc := &http.Client{Transport: &discovery.Transport{Pool: pool}}
//	resp, err := hc.Get("http://orders/17")
//
// A call whose connection could not be opened is made again on another instance;
// one that failed otherwise only if its method is safe to repeat (GET, HEAD,
// OPTIONS, TRACE). Answers of 500 and more count against the instance.
type Transport struct {
	// Pool picks the instances.
	Pool *Pool
	// Base makes the calls. Default: http.DefaultTransport.
	Base http.RoundTripper
	// Attempts bounds how often a call is made. Default: 3.
	Attempts int
	// Route says which service a request is for, and the key to balance it by.
	// Default: the URL's host, and no key.
	Route func(*http.Request) (service, key string)
}

// errStatus is what an answer of 500 and more counts as.
var errStatus = errors.New("the answer's status is 500 or more")

// RoundTrip calls an instance.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	service, key := req.URL.Hostname(), ""
	if t.Route != nil {
		service, key = t.Route(req)
	}
	attempts := t.Attempts
	if attempts <= 0 {
		attempts = 3
	}
	var tried []string
	for {
		resp, id, err := t.once(req, service, key, tried)
		if err == nil {
			return resp, nil
		}
		if tried = append(tried, id); id == "" || len(tried) >= attempts || !repeatable(req, err) {
			return nil, errors.Join(err, closeBody(req))
		}
		if req, err = rewound(req); err != nil {
			return nil, err
		}
	}
}

// once makes one call; id is the instance that it was made to.
func (t *Transport) once(req *http.Request, service, key string, tried []string) (resp *http.Response, id string, err error) {
	picked, err := t.Pool.Pick(req.Context(), service, key, tried...)
	if err != nil {
		return nil, "", err
	}
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	resp, err = base.RoundTrip(addressed(req, picked.Instance))
	if err != nil {
		if req.Context().Err() != nil {
			picked.Done(nil) // the caller has given up
		} else {
			picked.Done(err)
		}
		return nil, picked.ID, fmt.Errorf("calling %s of %q: %w", picked.ID, service, err)
	}
	var result error
	if resp.StatusCode >= http.StatusInternalServerError {
		result = errStatus
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		picked.Done(nil) // the body is a connection, which may go on for ever
	} else {
		resp.Body = &countedBody{resp.Body, func() { picked.Done(result) }}
	}
	return resp, picked.ID, nil
}

// addressed is the request, to an instance.
func addressed(req *http.Request, in Instance) *http.Request {
	out := req.Clone(req.Context())
	port := in.Port
	switch {
	case port == 0 && in.SSLPort != 0:
		out.URL.Scheme, port = "https", in.SSLPort
	case in.Scheme == "https":
		out.URL.Scheme = "https"
	case out.URL.Scheme == "https" && in.SSLPort != 0:
		port = in.SSLPort
	}
	if out.Host == req.URL.Host {
		out.Host = "" // the instance's
	}
	out.URL.Host = joinHostPort(in.Address, port)
	return out
}

// countedBody calls done when it is closed: until then a call is under way.
type countedBody struct {
	io.ReadCloser
	done func()
}

func (b *countedBody) Close() error {
	b.done()
	return b.ReadCloser.Close()
}

// repeatable tells whether a failed request may be made again.
func repeatable(req *http.Request, err error) bool {
	if req.Context().Err() != nil || req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return false
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// rewound is the request with its body from the beginning.
func rewound(req *http.Request) (*http.Request, error) {
	if req.GetBody == nil {
		return req, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	out := req.Clone(req.Context())
	out.Body = body
	return out, nil
}

// closeBody closes a request's body, as a RoundTripper must even if it fails.
func closeBody(req *http.Request) error {
	if req.Body == nil {
		return nil
	}
	return req.Body.Close()
}
