// Package sasl speaks the two SASL mechanisms of ZooKeeper's client protocol,
// DIGEST-MD5 (RFC 2831) and GSSAPI with Kerberos (RFC 4752), on both sides and
// without a security layer.
//
// An exchange is a series of tokens. The client begins; with DIGEST-MD5 its
// first token is empty. A Factory holds what all exchanges of a server share.
package sasl

import (
	"errors"
	"fmt"
	"log/slog"
)

// ErrRefused marks every failure of an exchange that the other side is to blame
// for: wrong credentials, malformed tokens, tokens out of order.
var ErrRefused = errors.New("sasl authentication refused")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, args...))
}

// Server is the accepting side of one exchange. It is used by one goroutine.
type Server interface {
	// Step takes the client's token and yields the answer, nil for none. done
	// tells that the exchange succeeded, with authzID the client's identity. An
	// error wraps ErrRefused; the exchange is over then.
	Step(token []byte) (reply []byte, done bool, authzID string, err error)
}

// Client is the initiating side of one exchange. It is used by one goroutine.
type Client interface {
	// Start is the first token, empty if the mechanism lets the server begin.
	Start() ([]byte, error)
	// Step takes the server's token and yields the answer, nil for none. done
	// tells that the client has nothing left to wait for.
	Step(token []byte) (reply []byte, done bool, err error)
}

// Authorizer turns the name a client proved and the one it asks to be taken for
// into the identity it gets.
type Authorizer interface {
	Authorize(authenticated, requested string) (string, error)
}

// Factory makes a Server for each connection.
type Factory interface {
	// Mechanism is the SASL name of the mechanism.
	Mechanism() string
	NewServer() Server
}

// Names of the services between which exchanges take place.
const (
	// ClientService and ClientDigestHost name the server that clients speak to.
	ClientService    = "zookeeper"
	ClientDigestHost = "zk-sasl-md5"
	// QuorumService and QuorumDigestHost name a member that its peers speak to.
	QuorumService    = "zookeeper-quorum"
	QuorumDigestHost = "zk-quorum-sasl-md5"
)

func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
