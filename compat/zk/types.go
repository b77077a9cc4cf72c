package zk

import (
	"log"
	"time"
)

// Stat is what a server tells of a node besides its data. Zxids number the
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

// ACL is one entry of an access control list.
type ACL struct {
	Perms  int32
	Scheme string
	ID     string
}

// Event is what a watch, or the connection, tells.
type Event struct {
	Type   EventType
	State  State
	Path   string // of the watched node; empty for the connection's
	Err    error
	Server string // of the connection's events
}

// EventCallback is called with every event.
type EventCallback func(Event)

// Logger writes a line of a log.
type Logger interface {
	Printf(string, ...interface{})
}

// DefaultLogger writes by package log.
var DefaultLogger Logger = defaultLogger{}

type defaultLogger struct{}

func (defaultLogger) Printf(format string, a ...interface{}) { log.Printf(format, a...) }

// PathVersionRequest is a path with a version that its node must have; -1 for any.
type PathVersionRequest struct {
	Path    string
	Version int32
}

// CheckVersionRequest lets a Multi fail unless the node has that version.
type CheckVersionRequest PathVersionRequest

// DeleteRequest deletes a node in a Multi.
type DeleteRequest PathVersionRequest

// CreateRequest makes a node in a Multi.
type CreateRequest struct {
	Path  string
	Data  []byte
	Acl   []ACL
	Flags int32
}

// CreateTTLRequest is the request behind CreateTTL.
type CreateTTLRequest struct {
	Path  string
	Data  []byte
	Acl   []ACL
	Flags int32
	Ttl   int64 // ms
}

// SetDataRequest replaces a node's data in a Multi.
type SetDataRequest struct {
	Path    string
	Data    []byte
	Version int32
}

// MultiResponse is what one operation of a Multi led to: the Stat of a SetData,
// the path of a Create, or the error.
type MultiResponse struct {
	Stat   *Stat
	String string
	Error  error
}

// ServerClient is one line of what a server answers to "cons".
type ServerClient struct {
	Queued        int64
	Received      int64
	Sent          int64
	SessionID     int64
	Lcxid         int64
	Lzxid         int64
	Timeout       int32
	LastLatency   int32
	MinLatency    int32
	AvgLatency    int32
	MaxLatency    int32
	Established   time.Time
	LastResponse  time.Time
	Addr          string
	LastOperation string
	Error         error
}

// ServerClients is what one server answers to "cons".
type ServerClients struct {
	Clients []*ServerClient
	Error   error
}

// ServerStats is what one server answers to "srvr".
type ServerStats struct {
	Server      string
	Sent        int64
	Received    int64
	NodeCount   int64
	MinLatency  int64
	AvgLatency  float64
	MaxLatency  int64
	Connections int64
	Outstanding int64
	Epoch       int32
	Counter     int32
	BuildTime   time.Time
	Mode        Mode
	Version     string
	Error       error
}
