// Package authn lets members of an ensemble prove to each other by SASL that they are members, in the exchange of Apache's
// servers: the one who dials begins, each step is a packet with a status and a token, and both may be asked to prove
// that they know the secret.
//
// An ensemble that runs without it changes over in three steps, one member at a time: every member can take it
// ([Options.Server]), every member offers it ([Options.Client]), every member wants it ([Options.Required]).
package authn

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/quollhq/quoll/internal/auth/sasl"
	"github.com/quollhq/quoll/internal/peer/wire"
)

// maxSteps is how many tokens a member may take to prove itself; no mechanism needs as many.
const maxSteps = 6

// Errors of this package.
var (
	// ErrMissing is for a member that does not prove who it is and has to.
	ErrMissing = errors.New("the member did not authenticate itself")
	// ErrFailed is for an authentication that the other side has refused.
	ErrFailed = errors.New("the member refused the authentication")
	// ErrProtocol is for an exchange that breaks the rules.
	ErrProtocol = errors.New("authentication out of turn")
)

// Options say what is proved to whom.
type Options struct {
	// Client begins an exchange with the member at host; nil if we do not prove who we are.
	Client func(host string) (sasl.Client, error)
	// Server begins an exchange with a member that has dialled.
	Server func() sasl.Server
	// Required refuses members that do not begin an exchange.
	Required bool
}

// Authenticator is a socket.Authenticator by SASL.
type Authenticator struct{ opts Options }

// New returns an authenticator.
func New(opts Options) *Authenticator { return &Authenticator{opts} }

// Dialled implements socket.Authenticator.
func (a *Authenticator) Dialled(_ context.Context, conn net.Conn, r *bufio.Reader, host string) error {
	if a.opts.Client == nil {
		return nil
	}
	c, err := a.opts.Client(host)
	if err != nil {
		return fmt.Errorf("authentication: %w", err)
	}
	token, err := c.Start()
	if err != nil {
		return fmt.Errorf("authentication: %w", err)
	}
	e := exchange{conn: conn, r: r}
	for done := false; ; {
		if err := e.send(wire.AuthContinues, token); err != nil {
			return err
		}
		p, err := e.receive()
		switch {
		case err != nil:
			return err
		case p.Status == wire.AuthFailed:
			return ErrFailed
		case p.Status == wire.AuthDone && done:
			return nil
		case done:
			return fmt.Errorf("%w: the member wants more than the mechanism has", ErrProtocol)
		}
		if token, done, err = c.Step(p.Token); err != nil {
			return fmt.Errorf("authentication: %w", err)
		}
		if p.Status == wire.AuthDone {
			return ended(token, done)
		}
	}
}

// ended checks that the mechanism agrees when the other side says that all is done.
func ended(token []byte, done bool) error {
	if !done || token != nil {
		return fmt.Errorf("%w: the member believes too early that it is over", ErrProtocol)
	}
	return nil
}

// Accepted implements socket.Authenticator.
func (a *Authenticator) Accepted(_ context.Context, conn net.Conn, r *bufio.Reader) error {
	first, err := r.Peek(wire.AuthPeek)
	if !wire.IsAuth(first) {
		switch {
		case a.opts.Required && err == nil:
			return ErrMissing
		case a.opts.Required:
			return fmt.Errorf("%w: %w", ErrMissing, err)
		}
		return nil // perhaps it says less than an authentication does; whoever reads next finds out
	}
	e := exchange{conn: conn, r: r}
	if err := e.serve(a.opts.Server()); err != nil {
		_ = e.send(wire.AuthFailed, []byte{}) // what counts is why it failed
		return fmt.Errorf("authentication: %w", err)
	}
	return nil
}

// exchange is the packets of one authentication.
type exchange struct {
	conn  net.Conn
	r     *bufio.Reader
	steps int
}

func (e *exchange) serve(s sasl.Server) error {
	for {
		p, err := e.receive()
		if err != nil {
			return err
		}
		token, done, _, err := s.Step(p.Token)
		if err != nil {
			return err
		}
		if done {
			return e.send(wire.AuthDone, token)
		}
		if err := e.send(wire.AuthContinues, token); err != nil {
			return err
		}
	}
}

func (e *exchange) send(status wire.AuthStatus, token []byte) error {
	_, err := e.conn.Write(wire.AppendAuthPacket(nil, wire.AuthPacket{Status: status, Token: token}))
	return err
}

func (e *exchange) receive() (wire.AuthPacket, error) {
	if e.steps++; e.steps > maxSteps {
		return wire.AuthPacket{}, fmt.Errorf("%w: more than %d steps", ErrProtocol, maxSteps)
	}
	return wire.ReadAuthPacket(e.r)
}
