package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/quollhq/quoll/internal/proto"
)

// Code is the number of a refusal in ZooKeeper's protocol. It is an error:
// each code below can be the target of errors.Is.
type Code = proto.Code

// What a server, or the client in its place, refuses with.
const (
	ErrSystemError                  = proto.SystemError
	ErrRuntimeInconsistency         = proto.RuntimeInconsistency // an operation of a failed multi after the one that failed
	ErrDataInconsistency            = proto.DataInconsistency
	ErrConnectionLoss               = proto.ConnectionLoss // the connection broke between a request and its reply
	ErrMarshalling                  = proto.MarshallingError
	ErrUnimplemented                = proto.Unimplemented
	ErrOperationTimeout             = proto.OperationTimeout
	ErrBadArguments                 = proto.BadArguments
	ErrUnknownSession               = proto.UnknownSession
	ErrNewConfigNoQuorum            = proto.NewConfigNoQuorum
	ErrReconfigInProgress           = proto.ReconfigInProgress
	ErrAPI                          = proto.APIError
	ErrNoNode                       = proto.NoNode
	ErrNoAuth                       = proto.NoAuth
	ErrBadVersion                   = proto.BadVersion
	ErrNoChildrenForEphemerals      = proto.NoChildrenForEphemerals
	ErrNodeExists                   = proto.NodeExists
	ErrNotEmpty                     = proto.NotEmpty
	ErrSessionExpired               = proto.SessionExpired
	ErrInvalidACL                   = proto.InvalidACL
	ErrAuthFailed                   = proto.AuthFailed
	ErrSessionMoved                 = proto.SessionMoved
	ErrNotReadOnly                  = proto.NotReadOnly // a write, asked of a server in read-only mode
	ErrEphemeralOnLocalSession      = proto.EphemeralOnLocalSession
	ErrNoWatcher                    = proto.NoWatcher
	ErrRequestTimeout               = proto.RequestTimeout
	ErrReconfigDisabled             = proto.ReconfigDisabled
	ErrSessionClosedRequireSASLAuth = proto.SessionClosedRequireSASLAuth
	ErrQuotaExceeded                = proto.QuotaExceeded
	ErrThrottledOp                  = proto.ThrottledOp
)

var (
	// ErrClosed is what requests fail with after Close or Detach.
	ErrClosed = errors.New("client is closed")
	// ErrMalformed marks a reply that is not one of the protocol.
	ErrMalformed = errors.New("malformed reply")
	// ErrReplyTooLarge marks a reply longer than [WithMaxReply] allows.
	ErrReplyTooLarge = errors.New("reply too large")
	// ErrRequestTooLarge marks a request longer than [WithMaxRequest] allows. It
	// was not sent.
	ErrRequestTooLarge = errors.New("request too large")
)

// OpError is the failure of one operation. Err is a [Code], a context's error,
// [ErrClosed] or what the network said.
type OpError struct {
	Op   string // name of the operation, as "create"
	Path string // as the caller gave it; empty for operations without one
	Err  error
	// MaybeApplied tells that a write was sent and its outcome is unknown.
	MaybeApplied bool
}

// Error names operation, path and cause.
func (e *OpError) Error() string {
	s := e.Op
	if e.Path != "" {
		s += " " + e.Path
	}
	s += ": " + e.Err.Error()
	if e.MaybeApplied {
		s += " (outcome unknown)"
	}
	return s
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// MaybeApplied tells whether err is the failure of a write whose outcome is
// unknown: it was sent, and no reply came.
func MaybeApplied(err error) bool {
	var op *OpError
	return errors.As(err, &op) && op.MaybeApplied
}

// MultiError is the failure of a multi: none of its operations took place.
// The failure itself is Err, an [OpError] of the operation at Index.
type MultiError struct {
	Index int
	Err   *OpError
}

// Error names the operation that failed.
func (e *MultiError) Error() string {
	return fmt.Sprintf("multi: operation %d: %v", e.Index, e.Err)
}

// Unwrap returns the failed operation's error.
func (e *MultiError) Unwrap() error { return e.Err }

// lostError is a connection's end as a request sees it: ErrConnectionLoss with
// its cause.
type lostError struct{ cause error }

func (e *lostError) Error() string {
	if e.cause == nil {
		return ErrConnectionLoss.Error()
	}
	return ErrConnectionLoss.Error() + ": " + e.cause.Error()
}

func (e *lostError) Is(target error) bool { return target == error(ErrConnectionLoss) }
func (e *lostError) Unwrap() error        { return e.cause }

// lost wraps the end of a connection. A context's error must not shine through:
// it would be the connection's, not the caller's.
func lost(cause error) error {
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		cause = &masked{cause}
	}
	return &lostError{cause}
}

// masked is an error as it is, but for contexts' errors, which it is not.
type masked struct{ cause error }

func (e *masked) Error() string { return e.cause.Error() }

func (e *masked) Is(target error) bool {
	return target != context.Canceled && target != context.DeadlineExceeded && errors.Is(e.cause, target)
}

func (e *masked) As(target any) bool { return errors.As(e.cause, target) }

// Transient tells whether a failure is one of the way to the servers: what was
// asked for may work once the client is connected again.
func Transient(err error) bool {
	for _, target := range []error{
		ErrConnectionLoss, ErrSessionExpired, ErrOperationTimeout, ErrRequestTimeout,
		ErrSessionMoved, ErrThrottledOp, ErrWatchClosed,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
