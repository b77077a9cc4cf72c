package proto

import "fmt"

// Code is ZooKeeper's answer to a request that was understood: 0 or a
// refusal. A Code other than OK is an error.
type Code int32

// The codes of the protocol.
const (
	OK                           Code = 0
	SystemError                  Code = -1
	RuntimeInconsistency         Code = -2
	DataInconsistency            Code = -3
	ConnectionLoss               Code = -4
	MarshallingError             Code = -5
	Unimplemented                Code = -6
	OperationTimeout             Code = -7
	BadArguments                 Code = -8
	UnknownSession               Code = -12
	NewConfigNoQuorum            Code = -13
	ReconfigInProgress           Code = -14
	APIError                     Code = -100
	NoNode                       Code = -101
	NoAuth                       Code = -102
	BadVersion                   Code = -103
	NoChildrenForEphemerals      Code = -108
	NodeExists                   Code = -110
	NotEmpty                     Code = -111
	SessionExpired               Code = -112
	InvalidCallback              Code = -113
	InvalidACL                   Code = -114
	AuthFailed                   Code = -115
	SessionMoved                 Code = -118
	NotReadOnly                  Code = -119
	EphemeralOnLocalSession      Code = -120
	NoWatcher                    Code = -121
	RequestTimeout               Code = -122
	ReconfigDisabled             Code = -123
	SessionClosedRequireSASLAuth Code = -124
	QuotaExceeded                Code = -125
	ThrottledOp                  Code = -127
)

var codeTexts = map[Code]string{
	OK: "ok", SystemError: "system error", RuntimeInconsistency: "runtime inconsistency",
	DataInconsistency: "data inconsistency", ConnectionLoss: "connection lost",
	MarshallingError: "malformed request", Unimplemented: "operation not implemented",
	OperationTimeout: "operation timed out", BadArguments: "bad arguments",
	UnknownSession: "unknown session", NewConfigNoQuorum: "no quorum of the new configuration is connected and up to date",
	ReconfigInProgress: "another reconfiguration is in progress", APIError: "api error",
	NoNode: "node does not exist", NoAuth: "not authorized", BadVersion: "version does not match",
	NoChildrenForEphemerals: "ephemeral nodes may not have children", NodeExists: "node exists already",
	NotEmpty: "node has children", SessionExpired: "session expired", InvalidCallback: "invalid callback",
	InvalidACL: "invalid acl", AuthFailed: "authentication failed", SessionMoved: "session moved to another server",
	NotReadOnly: "server is read-only", EphemeralOnLocalSession: "local sessions cannot create ephemeral nodes",
	NoWatcher: "no such watcher", RequestTimeout: "request timed out", ReconfigDisabled: "reconfiguration is disabled",
	SessionClosedRequireSASLAuth: "server requires the session to authenticate", QuotaExceeded: "quota exceeded",
	ThrottledOp: "operation throttled",
}

// Error makes a Code an error: the text says what the code means.
func (c Code) Error() string {
	if s, ok := codeTexts[c]; ok {
		return s
	}
	return fmt.Sprintf("zookeeper error %d", int32(c))
}
