package zk

import (
	"context"
	"errors"
	"fmt"

	"github.com/quollhq/quoll/client"
)

// ErrCode is the number of a refusal in the protocol.
type ErrCode int32

// The failures. They are returned as they are, to be compared by ==.
var (
	// ErrNoServer: a connection was tried with all servers in vain.
	ErrNoServer = errors.New("zk: could not connect to a server")
	// ErrInvalidPath: no node can have such a path.
	ErrInvalidPath = errors.New("zk: invalid path")
	// ErrConnectionClosed: the connection broke between request and reply, or the
	// Conn is closed.
	ErrConnectionClosed = errors.New("zk: connection closed")

	ErrUnknown                 = errors.New("zk: unknown error")
	ErrAPIError                = errors.New("zk: api error")
	ErrNoNode                  = errors.New("zk: node does not exist")
	ErrNoAuth                  = errors.New("zk: not authenticated")
	ErrBadVersion              = errors.New("zk: version conflict")
	ErrNoChildrenForEphemerals = errors.New("zk: ephemeral nodes may not have children")
	ErrNodeExists              = errors.New("zk: node already exists")
	ErrNotEmpty                = errors.New("zk: node has children")
	ErrSessionExpired          = errors.New("zk: session has been expired by the server")
	ErrInvalidACL              = errors.New("zk: invalid ACL specified")
	ErrInvalidFlags            = errors.New("zk: invalid flags specified")
	ErrAuthFailed              = errors.New("zk: client authentication failed")
	ErrClosing                 = errors.New("zk: zookeeper is closing")
	ErrNothing                 = errors.New("zk: no server responses to process")
	ErrSessionMoved            = errors.New("zk: session moved to another server, so operation is ignored")
	ErrReconfigDisabled        = errors.New("attempts to perform a reconfiguration operation when reconfiguration feature is disabled")
	ErrBadArguments            = errors.New("invalid arguments")

	// ErrShortBuffer: a request is longer than WithMaxConnBufferSize allows.
	ErrShortBuffer = errors.New("zk: buffer too small")
	// ErrUnhandledFieldType and ErrPtrExpected are here for programs that name
	// them: nothing fails with them.
	ErrUnhandledFieldType = errors.New("zk: unhandled field type")
	ErrPtrExpected        = errors.New("zk: encode/decode expect a non-nil pointer to struct")
)

// toError is a server's refusal as an error.
func (e ErrCode) toError() error {
	switch e {
	case 0:
		return nil
	case -8:
		return ErrBadArguments
	case -100:
		return ErrAPIError
	case -101:
		return ErrNoNode
	case -102:
		return ErrNoAuth
	case -103:
		return ErrBadVersion
	case -108:
		return ErrNoChildrenForEphemerals
	case -110:
		return ErrNodeExists
	case -111:
		return ErrNotEmpty
	case -112:
		return ErrSessionExpired
	case -114:
		return ErrInvalidACL
	case -115:
		return ErrAuthFailed
	case -116:
		return ErrClosing
	case -117:
		return ErrNothing
	case -118:
		return ErrSessionMoved
	case -123:
		return ErrReconfigDisabled
	}
	return fmt.Errorf("unknown error: %v", int32(e))
}

// failure is what the client has failed with, in this package's errors.
func (c *Conn) failure(err error) error {
	var path *client.PathError
	var code client.Code
	switch {
	case err == nil:
		return nil
	case errors.Is(err, client.ErrReplyTooLarge):
		c.logf("received packet from server with length above the limit, which exceeds max buffer size %d: %v", c.maxBufferSize, err)
		return ErrConnectionClosed
	case errors.Is(err, client.ErrRequestTooLarge):
		return ErrShortBuffer
	case errors.Is(err, client.ErrConnectionLoss), errors.Is(err, client.ErrClosed):
		return ErrConnectionClosed
	case errors.Is(err, context.Canceled) && !client.MaybeApplied(err):
		return ErrNoServer // see endRound
	case errors.Is(err, context.Canceled):
		return ErrConnectionClosed
	case errors.As(err, &path):
		return ErrInvalidPath
	case errors.As(err, &code):
		return ErrCode(code).toError()
	}
	return err
}
