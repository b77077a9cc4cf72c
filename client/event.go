package client

import "github.com/quollhq/quoll/internal/proto"

// EventType is what happened.
type EventType int32

// The event types.
const (
	// EventSession: the state of the connection or session changed; Path is empty.
	EventSession EventType = EventType(proto.EventNone)

	EventCreated         EventType = EventType(proto.EventNodeCreated)
	EventDeleted         EventType = EventType(proto.EventNodeDeleted)
	EventDataChanged     EventType = EventType(proto.EventNodeDataChanged)
	EventChildrenChanged EventType = EventType(proto.EventNodeChildrenChanged)

	// The watch was taken away by RemoveWatches.
	EventDataWatchRemoved       EventType = EventType(proto.EventDataWatchRemoved)
	EventChildWatchRemoved      EventType = EventType(proto.EventChildWatchRemoved)
	EventPersistentWatchRemoved EventType = EventType(proto.EventPersistentWatchRemoved)

	// EventReset: a [Watch] was set again on a new connection, or its reader
	// fell too far behind. Events may be missing; what the reader reads from
	// now on is complete. Path is the watched path; it is empty in an [Events],
	// which follows all.
	EventReset EventType = 100
)

// String is the name that Apache's clients print, or "Reset".
func (t EventType) String() string {
	if t == EventReset {
		return "Reset"
	}
	return proto.EventType(t).String()
}

// Event is what a watch tells.
type Event struct {
	Type EventType
	// State of the connection when the event came.
	State State
	// Path of the node that changed, without the client's chroot.
	Path string
	// Zxid of the change; -1 if it is unknown, as from servers before 3.9.
	Zxid int64
	// Err tells why a watch ended, or the connection broke, in an event of type EventSession.
	Err error
	// Authenticated tells, in an event of type EventSession, that SASL has authenticated the connection.
	Authenticated bool
	// SessionID is the session that an event of type EventSession tells of.
	SessionID int64
	// Server is the host:port, in an event of type EventSession, that the client
	// is connected to, or was.
	Server string
}
