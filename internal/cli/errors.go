package cli

import (
	"errors"
	"fmt"

	"github.com/quollhq/quoll/client"
)

// Exit codes.
const (
	exitFailure  = 1
	exitUsage    = 2
	exitNotFound = 127 // no such command
)

// failure is a command that could not be done: what to print, and the exit code.
type failure struct {
	message string
	code    int
	cause   error
}

func (f *failure) Error() string { return f.message }
func (f *failure) Unwrap() error { return f.cause }

// Usage tells whether the command line was wrong.
func (f *failure) Usage() bool { return f.code == exitUsage }

// Misuse marks err, which says what is wrong with the command line: nothing was done.
func Misuse(err error) error { return &failure{message: err.Error(), code: exitUsage, cause: err} }

func failf(format string, args ...any) error {
	return &failure{message: fmt.Sprintf(format, args...), code: exitFailure}
}

// ExitError is how the process is to end after a command has failed and said
// so. There is nothing left to print.
type ExitError struct{ Code int }

// Error says the exit code.
func (e *ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Code) }

// ExitCode is the exit code of the process.
func (e *ExitError) ExitCode() int { return e.Code }

// Quiet marks errors that have been printed.
func (e *ExitError) Quiet() bool { return true }

// codeWords is how Apache's client names codes in messages.
var codeWords = map[client.Code]string{
	0:                                      "ok",
	client.ErrSystemError:                  "SystemError",
	client.ErrRuntimeInconsistency:         "RuntimeInconsistency",
	client.ErrDataInconsistency:            "DataInconsistency",
	client.ErrConnectionLoss:               "ConnectionLoss",
	client.ErrMarshalling:                  "MarshallingError",
	client.ErrNewConfigNoQuorum:            "NewConfigNoQuorum",
	client.ErrReconfigInProgress:           "ReconfigInProgress",
	client.ErrUnimplemented:                "Unimplemented",
	client.ErrOperationTimeout:             "OperationTimeout",
	client.ErrBadArguments:                 "BadArguments",
	client.ErrAPI:                          "APIError",
	client.ErrNoNode:                       "NoNode",
	client.ErrNoAuth:                       "NoAuth",
	client.ErrBadVersion:                   "BadVersion",
	client.ErrNoChildrenForEphemerals:      "NoChildrenForEphemerals",
	client.ErrNodeExists:                   "NodeExists",
	client.ErrInvalidACL:                   "InvalidACL",
	client.ErrAuthFailed:                   "AuthFailed",
	client.ErrNotEmpty:                     "Directory not empty",
	client.ErrSessionExpired:               "Session expired",
	client.ErrSessionMoved:                 "Session moved",
	client.ErrNotReadOnly:                  "Not a read-only call",
	client.ErrEphemeralOnLocalSession:      "Ephemeral node on local session",
	client.ErrNoWatcher:                    "No such watcher",
	client.ErrReconfigDisabled:             "Reconfig is disabled",
	client.ErrSessionClosedRequireSASLAuth: "Session closed because client failed to authenticate",
	client.ErrQuotaExceeded:                "Quota has exceeded",
	client.ErrThrottledOp:                  "Op throttled due to high load",
}

// codeOf finds the code of a failed operation.
func codeOf(err error) (client.Code, bool) {
	var code client.Code
	if errors.As(err, &code) {
		return code, true
	}
	if errors.Is(err, client.ErrConnectionLoss) {
		return client.ErrConnectionLoss, true
	}
	return 0, false
}

// pathOf is the path of a failed operation.
func pathOf(err error) string {
	var op *client.OpError
	if errors.As(err, &op) {
		return op.Path
	}
	return ""
}

// keeperMessage is how Apache's client puts a code.
func keeperMessage(code client.Code, path string) string {
	word, ok := codeWords[code]
	if !ok {
		word = fmt.Sprintf("Unknown error %d", int32(code))
	}
	if path == "" {
		return "KeeperErrorCode = " + word
	}
	return "KeeperErrorCode = " + word + " for " + path
}

// message puts an error as Apache's CLI does.
func message(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return f.message
	}
	var bad *client.PathError
	if errors.As(err, &bad) {
		return bad.Error()
	}
	code, ok := codeOf(err)
	if !ok {
		return err.Error()
	}
	path := pathOf(err)
	if prefix, ok := codePrefixes[code]; ok {
		if path == "" {
			path = "null"
		}
		return prefix + path
	}
	switch code {
	case client.ErrReconfigInProgress:
		return "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)"
	case client.ErrNewConfigNoQuorum:
		return "No quorum of new config is connected and up-to-date with the leader of last commmitted config - " +
			"try invoking reconfiguration after new servers are connected and synced"
	}
	return keeperMessage(code, path)
}

var codePrefixes = map[client.Code]string{
	client.ErrNoNode:                  "Node does not exist: ",
	client.ErrNoChildrenForEphemerals: "Ephemerals cannot have children: ",
	client.ErrNodeExists:              "Node already exists: ",
	client.ErrNotEmpty:                "Node not empty: ",
	client.ErrNotReadOnly:             "Not a read-only call: ",
	client.ErrInvalidACL:              "Acl is not valid : ",
	client.ErrNoAuth:                  "Insufficient permission : ",
	client.ErrBadArguments:            "Arguments are not valid : ",
	client.ErrBadVersion:              "version No is not valid : ",
	client.ErrQuotaExceeded:           "Quota has exceeded : ",
}

// exitCode is the exit code for an error.
func exitCode(err error) int {
	var f *failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return f.code
	}
	return exitFailure
}
