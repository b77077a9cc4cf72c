package client

import (
	"strings"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// AnyVersion, as the version of a Set, Delete, Check or SetACL, matches every
// version.
const AnyVersion int32 = -1

// Stat is what a server tells of a znode besides its data. Zxids number the
// changes of the whole tree; times are milliseconds since 1970.
type Stat struct {
	Czxid          int64 // change that created the node
	Mzxid          int64 // change that last set its data
	Ctime          int64 // time of Czxid
	Mtime          int64 // time of Mzxid
	Version        int32 // how often its data was set
	Cversion       int32 // how often children came or went
	Aversion       int32 // how often its ACL was set
	EphemeralOwner int64 // session of an ephemeral node, else 0
	DataLength     int32 // bytes
	NumChildren    int32
	Pzxid          int64 // change that last created or deleted a child
}

// Created is Ctime as a time.
func (s Stat) Created() time.Time { return time.UnixMilli(s.Ctime) }

// Modified is Mtime as a time.
func (s Stat) Modified() time.Time { return time.UnixMilli(s.Mtime) }

// Perm is a set of permissions.
type Perm int32

// The permissions.
const (
	PermRead   Perm = Perm(proto.PermRead)
	PermWrite  Perm = Perm(proto.PermWrite)
	PermCreate Perm = Perm(proto.PermCreate)
	PermDelete Perm = Perm(proto.PermDelete)
	PermAdmin  Perm = Perm(proto.PermAdmin)
	PermAll    Perm = Perm(proto.PermAll)
)

const permLetters = "cdrwa"

var permOfLetter = [len(permLetters)]Perm{PermCreate, PermDelete, PermRead, PermWrite, PermAdmin}

// String is the permissions as letters, for example "cdrwa" for all.
func (p Perm) String() string {
	var b strings.Builder
	for i, bit := range permOfLetter {
		if p&bit != 0 {
			b.WriteByte(permLetters[i])
		}
	}
	return b.String()
}

// ACL is one entry of an access control list: who (ID, as Scheme understands
// it) may do what.
type ACL struct {
	Perms  Perm
	Scheme string
	ID     string
}

// ACLs is an access control list. As an option of Create it replaces the
// default, which is open to all.
type ACLs []ACL

// OpenACL lets everybody do everything.
func OpenACL() ACLs { return ACLs{{PermAll, "world", "anyone"}} }

// ReadACL lets everybody read.
func ReadACL() ACLs { return ACLs{{PermRead, "world", "anyone"}} }

// CreatorACL lets those do everything as whom the client has authenticated
// itself; creating with it fails with ErrInvalidACL if it has not.
func CreatorACL() ACLs { return ACLs{{PermAll, "auth", ""}} }

// ClientInfo is one identity that the server sees in a connection.
type ClientInfo struct {
	Scheme string
	User   string
}

// State is the state of a client's connection and session.
type State int32

// The states.
const (
	// StateConnecting: there is no connection; the session may go on.
	StateConnecting State = iota
	// StateConnected: requests are served.
	StateConnected
	// StateReadOnly: connected to a server that has lost its quorum and only reads.
	StateReadOnly
	// StateExpired: the session is over. Another one follows, unless the client has [WithSingleSession].
	StateExpired
	// StateAuthFailed: the server refused the client's credentials, which ends the client.
	StateAuthFailed
	// StateClosed: after Close or Detach.
	StateClosed
)

var stateNames = [...]string{"connecting", "connected", "read-only", "expired", "auth failed", "closed"}

// String is the state in words.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "unknown"
	}
	return stateNames[s]
}

// Serving tells whether requests are answered in this state.
func (s State) Serving() bool { return s == StateConnected || s == StateReadOnly }
