package discovery

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// TCPCheck passes if a connection can be opened to host:port.
func TCPCheck(address string) Check {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// HTTPCheck passes if a GET is answered with a status of 200 to 299. A nil
// client is http.DefaultClient.
func HTTPCheck(hc *http.Client, url string) Check {
	if hc == nil {
		hc = http.DefaultClient
	}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := hc.Do(req)
		if err != nil {
			return err
		}
		_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // so that the connection can be used again
		if err := resp.Body.Close(); err != nil {
			return err
		}
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("%s answers %s", url, resp.Status)
		}
		return nil
	}
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 4096

// ScriptCheck passes if a program exits with 0. The end of what it prints is the
// reason if it fails.
func ScriptCheck(name string, args ...string) Check {
	return OutputCheck(func(ctx context.Context, out io.Writer) error {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Stdout, cmd.Stderr = out, out
		cmd.WaitDelay = time.Second // for what the program has started
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// OutputCheck passes if run returns nil, for programs that are to be run in another
// way than [ScriptCheck] does. The end of what is written to out is the reason if
// it fails.
func OutputCheck(run func(ctx context.Context, out io.Writer) error) Check {
	return func(ctx context.Context) error {
		out := tail{}
		if err := run(ctx, &out); err != nil {
			return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out.b))
		}
		return nil
	}
}

// tail keeps the last bytes that are written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-maxAnswer):]
	return len(p), nil
}

// TTLCheck fails unless the program says again and again that it works. Check it
// at intervals that are short against the time.
type TTLCheck struct {
	ttl time.Duration

	mu   sync.Mutex
	last time.Time
	err  error
}

// NewTTLCheck makes a check that fails when Pass was not called for ttl.
func NewTTLCheck(ttl time.Duration) *TTLCheck { return &TTLCheck{ttl: ttl, err: errUnheard} }

var errUnheard = errors.New("it was not heard of so far")

// Pass says that the program works.
func (t *TTLCheck) Pass() { t.say(nil) }

// Fail says that it does not, and why.
func (t *TTLCheck) Fail(err error) { t.say(err) }

func (t *TTLCheck) say(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.err = time.Now(), err
}

// Check is the Check.
func (t *TTLCheck) Check(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if silent := time.Since(t.last); t.err == nil && silent > t.ttl {
		return fmt.Errorf("it was not heard of for %v", silent.Round(time.Millisecond))
	}
	return t.err
}

// idleConnection is how long the connection of a check is kept for the next one,
// and that of a registration that has ended.
const idleConnection = 90 * time.Second

// GRPCCheck passes if the server at host:port says by gRPC's health checking
// protocol that a service is serving; the empty service stands for the server.
// The connection is not encrypted.
func GRPCCheck(address, service string) Check {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return grpcCheck(&http.Transport{Protocols: &protocols}, "http", address, service)
}

// GRPCTLSCheck is [GRPCCheck] by TLS. A nil conf trusts the system's authorities.
func GRPCTLSCheck(conf *tls.Config, address, service string) Check {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	return grpcCheck(&http.Transport{Protocols: &protocols, TLSClientConfig: conf}, "https", address, service)
}

func grpcCheck(transport *http.Transport, scheme, address, service string) Check {
	transport.IdleConnTimeout = idleConnection
	hc := &http.Client{Transport: transport}
	target := (&url.URL{Scheme: scheme, Host: address, Path: "/grpc.health.v1.Health/Check"}).String()
	return func(ctx context.Context) error { return grpcHealth(ctx, hc, target, service) }
}

func grpcHealth(ctx context.Context, hc *http.Client, target, service string) error {
	if len(service) > 127 {
		return fmt.Errorf("%w: the name of a gRPC service with %d bytes", ErrInvalid, len(service))
	}
	// A frame that is not compressed, with the message HealthCheckRequest: field 1 is the service.
	message := ""
	if service != "" {
		message = "\x0a" + string(rune(len(service))) + service
	}
	frame := append([]byte{0, 0, 0, 0, byte(len(message))}, message...)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(frame))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	resp, err := hc.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	status := resp.Trailer.Get("Grpc-Status") + resp.Header.Get("Grpc-Status") // the latter if there is no message
	if resp.StatusCode != http.StatusOK || status != "0" {
		text := strings.TrimSpace(resp.Trailer.Get("Grpc-Message") + resp.Header.Get("Grpc-Message"))
		return fmt.Errorf("%s answers %s, gRPC status %q %s", target, resp.Status, status, text)
	}
	// HealthCheckResponse: field 1 is the status, of which 1 is SERVING.
	if !bytes.Equal(body, []byte{0, 0, 0, 0, 2, 0x08, 1}) {
		return fmt.Errorf("%s does not say that %q is serving", target, service)
	}
	return nil
}
