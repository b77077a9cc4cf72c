// Package audit writes the audit log: a line for each change that a client
// asked for and for each start and stop of the server, in the format of Apache
// ZooKeeper's audit log.
//
//	session=0x100000001	user=127.0.0.1	ip=127.0.0.1	operation=create	znode=/a	znode_type=persistent	result=success
//
// Fields are separated by tabs; those that do not apply are left out.
package audit

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// The operations.
const (
	ServerStart     = "serverStart"
	ServerStop      = "serverStop"
	Create          = "create"
	Delete          = "delete"
	SetData         = "setData"
	SetACL          = "setAcl"
	Multi           = "multiOperation"
	Reconfig        = "reconfig"
	EphemeralDelete = "ephemeralZNodeDeletionOnSessionCloseOrExpire"
)

// Result is what became of an operation.
type Result uint8

// The results.
const (
	Success Result = iota
	Failure
	Invoked // the outcome will not be known
)

// String is the result's name in the log.
func (r Result) String() string {
	switch r {
	case Success:
		return "success"
	case Failure:
		return "failure"
	case Invoked:
		return "invoked"
	}
	return fmt.Sprintf("result(%d)", uint8(r))
}

// Event is one line of the log. Fields with the zero value are left out.
type Event struct {
	Session   int64
	User      string // comma separated names of the client, or the server's user
	IP        string // the client's address
	Operation string
	Path      string
	Type      string // of a created znode
	ACL       string // of a setAcl
	Result    Result
}

// Append appends the line, without an end of line.
func (e *Event) Append(b []byte) []byte {
	if e.Session != 0 {
		b = append(b, "session=0x"...)
		b = strconv.AppendUint(b, uint64(e.Session), 16)
		b = append(b, '\t')
	}
	for _, f := range [...]struct{ name, value string }{
		{"user=", e.User},
		{"ip=", e.IP},
		{"operation=", e.Operation},
		{"znode=", e.Path},
		{"znode_type=", e.Type},
		{"acl=", e.ACL},
	} {
		if f.value != "" {
			b = append(b, f.name...)
			b = appendClean(b, f.value)
			b = append(b, '\t')
		}
	}
	b = append(b, "result="...)
	return append(b, e.Result.String()...)
}

// appendClean appends s with its control characters escaped. Paths that were
// refused and names of users are the client's to choose, and must not forge
// fields or lines.
func appendClean(b []byte, s string) []byte {
	for _, r := range s {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			b = append(b, fmt.Sprintf(`\u%04x`, r)...)
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
