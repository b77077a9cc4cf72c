package client

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// maxSASLRounds bounds an exchange; real ones take two or three.
const maxSASLRounds = 16

// SASL is one authentication by one mechanism on one connection. If it is an
// io.Closer, it is closed after the exchange.
type SASL interface {
	// Start returns what the client sends first; it may be empty.
	Start() ([]byte, error)
	// Next answers a challenge. Done tells that the client takes the server for
	// authentic and waits for no other challenge; the response, unless it is
	// nil, is still sent.
	Next(challenge []byte) (response []byte, done bool, err error)
}

// authenticate runs SASL before anything else is sent on the connection.
func (cn *conn) authenticate(start func(server string) (SASL, error)) error {
	mech, err := start(cn.server)
	if err != nil {
		return fmt.Errorf("sasl: %w", err)
	}
	if c, ok := mech.(io.Closer); ok {
		defer c.Close()
	}
	token, err := mech.Start()
	if err != nil {
		return fmt.Errorf("sasl: %w", err)
	}
	for range maxSASLRounds {
		challenge, err := cn.exchange(token)
		if err != nil {
			return err
		}
		if challenge == nil {
			return &authError{errors.New("the server has no answer")}
		}
		response, done, err := mech.Next(challenge)
		if err != nil {
			return &authError{err}
		}
		if done && response == nil {
			return nil
		}
		if done {
			_, err := cn.exchange(response)
			return err
		}
		token = response
	}
	return &authError{fmt.Errorf("no end after %d rounds", maxSASLRounds)}
}

// exchange sends a token and returns the server's, which may be nil.
func (cn *conn) exchange(token []byte) ([]byte, error) {
	if token == nil {
		token = []byte{}
	}
	cn.frame(proto.RequestHeader{Xid: cn.nextXid(), Op: proto.OpSASL}, jute.AppendBuffer(nil, token))
	if err := cn.nc.SetWriteDeadline(time.Now().Add(cn.timeout)); err != nil {
		return nil, err
	}
	if _, err := cn.nc.Write(cn.out); err != nil {
		return nil, err
	}
	cn.out = cn.out[:0]
	h, body, err := cn.readReply()
	if err != nil {
		return nil, err
	}
	if h.Xid != cn.xid {
		return nil, fmt.Errorf("%w: reply %d within sasl", ErrMalformed, h.Xid)
	}
	if h.Err != proto.OK {
		return nil, &authError{h.Err}
	}
	d := jute.NewDecoder(body)
	challenge := d.Buffer()
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("%w: sasl: %w", ErrMalformed, err)
	}
	return challenge, nil
}
