package authn

import (
	"bufio"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/auth/sasl"
	"github.com/quollhq/quoll/internal/peer/wire"
)

// member is an Authenticator with a password; an empty one proves nothing.
func member(password string, required bool) *Authenticator {
	digest := sasl.NewDigest(sasl.DigestConfig{
		Users: map[string]string{"member": "secret"}, Service: sasl.QuorumService, Host: sasl.QuorumDigestHost,
	})
	o := Options{Server: digest.NewServer, Required: required}
	if password != "" {
		o.Client = func(string) (sasl.Client, error) {
			return sasl.NewDigestClient(sasl.DigestClientConfig{
				User: "member", Password: password, Service: sasl.QuorumService, Host: sasl.QuorumDigestHost,
			}), nil
		}
	}
	return New(o)
}

// meet connects two members in a bubble; after the exchange each says a line.
func meet(t *testing.T, dials, accepts func(net.Conn, *bufio.Reader) error) (dialled, accepted error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { dialled, accepted = connect(t, dials, accepts) })
	return dialled, accepted
}

func connect(t *testing.T, dials, accepts func(net.Conn, *bufio.Reader) error) (dialled, accepted error) {
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- end(t, there, accepts) }()
	dialled = end(t, here, dials)
	return dialled, <-done
}

// end is one end of a connection.
func end(t *testing.T, conn net.Conn, prove func(net.Conn, *bufio.Reader) error) error {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	if err := prove(conn, r); err != nil {
		return err
	}
	said := make(chan error, 1)
	go func() {
		_, err := io.WriteString(conn, "what comes then\n")
		said <- err
	}()
	line, err := r.ReadString('\n')
	if err == nil && line != "what comes then\n" {
		t.Errorf("%q", line)
	}
	return errors.Join(err, <-said)
}

func TestExchanges(t *testing.T) {
	for name, c := range map[string]struct {
		dials, accepts    *Authenticator
		dialled, accepted error
	}{
		"both know the secret":       {member("secret", true), member("secret", true), nil, nil},
		"wrong secret":               {member("guess", true), member("secret", true), ErrFailed, sasl.ErrRefused},
		"wrong where none is needed": {member("guess", false), member("secret", false), ErrFailed, sasl.ErrRefused},
		"none, and none is needed":   {member("", false), member("secret", false), nil, nil},
		"none, and one is needed":    {member("", false), member("secret", true), io.EOF, ErrMissing},
	} {
		t.Run(name, func(t *testing.T) {
			dialled, accepted := meet(t,
				func(conn net.Conn, r *bufio.Reader) error { return c.dials.Dialled(t.Context(), conn, r, "host") },
				func(conn net.Conn, r *bufio.Reader) error { return c.accepts.Accepted(t.Context(), conn, r) })
			if (c.dialled == nil) != (dialled == nil) || (c.accepted == nil) != (accepted == nil) {
				t.Fatalf("dialled: %v, accepted: %v", dialled, accepted)
			}
			if c.accepted != nil && !errors.Is(accepted, c.accepted) || c.dialled != nil && c.dialled != io.EOF && !errors.Is(dialled, c.dialled) {
				t.Errorf("dialled: %v, accepted: %v", dialled, accepted)
			}
		})
	}
}

// A member that is not asked to prove itself cannot be made to believe that it is over.
func TestRulesOfTheExchange(t *testing.T) {
	for name, says := range map[string][]wire.AuthPacket{
		"success without proof": {{Status: wire.AuthDone, Token: []byte{}}},
		"nothing to prove with": {{Status: wire.AuthContinues}, {Status: wire.AuthDone}},
		"failure":               {{Status: wire.AuthFailed, Token: []byte{}}},
		"unknown status":        {{Status: 7, Token: []byte{}}},
	} {
		t.Run(name, func(t *testing.T) {
			dialled, _ := meet(t,
				func(conn net.Conn, r *bufio.Reader) error {
					return member("secret", false).Dialled(t.Context(), conn, r, "host")
				},
				func(conn net.Conn, r *bufio.Reader) error {
					for _, p := range says {
						if _, err := wire.ReadAuthPacket(r); err != nil {
							return err
						}
						if _, err := conn.Write(wire.AppendAuthPacket(nil, p)); err != nil {
							return err
						}
					}
					return nil
				})
			if dialled == nil || errors.Is(dialled, io.EOF) {
				t.Error(dialled)
			}
		})
	}
}

// endless is a mechanism that never comes to an end.
type endless struct{}

func (endless) Start() ([]byte, error)                  { return []byte{}, nil }
func (endless) Step(token []byte) ([]byte, bool, error) { return token, false, nil }
func (endless) NewServer() sasl.Server                  { return endlessServer{} }
func endlessClient(string) (sasl.Client, error)         { return endless{}, nil }

type endlessServer struct{}

func (endlessServer) Step(token []byte) ([]byte, bool, string, error) { return token, false, "", nil }

func TestStepsAreCounted(t *testing.T) {
	a := New(Options{Client: endlessClient, Server: endless{}.NewServer})
	dialled, accepted := meet(t,
		func(conn net.Conn, r *bufio.Reader) error { return a.Dialled(t.Context(), conn, r, "host") },
		func(conn net.Conn, r *bufio.Reader) error { return a.Accepted(t.Context(), conn, r) })
	if dialled == nil || !errors.Is(accepted, ErrProtocol) && !errors.Is(dialled, ErrProtocol) {
		t.Errorf("dialled: %v, accepted: %v", dialled, accepted)
	}
}
