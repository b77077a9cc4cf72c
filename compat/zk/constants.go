package zk

// DefaultPort is the port of a server that is named without one.
const DefaultPort = 2181

// EventType is what an [Event] tells of.
type EventType int32

// The event types. The first four have the numbers of the protocol.
const (
	EventNodeCreated         EventType = 1
	EventNodeDeleted         EventType = 2
	EventNodeDataChanged     EventType = 3
	EventNodeChildrenChanged EventType = 4

	// EventSession: the state of the connection or the session changed.
	EventSession EventType = -1
	// EventNotWatching: the watch is gone; the event's Err says why.
	EventNotWatching EventType = -2
)

// String is the name of the constant.
func (t EventType) String() string {
	switch t {
	case EventNodeCreated:
		return "EventNodeCreated"
	case EventNodeDeleted:
		return "EventNodeDeleted"
	case EventNodeDataChanged:
		return "EventNodeDataChanged"
	case EventNodeChildrenChanged:
		return "EventNodeChildrenChanged"
	case EventSession:
		return "EventSession"
	case EventNotWatching:
		return "EventNotWatching"
	}
	return "Unknown"
}

// State is the state of the connection and the session.
type State int32

// The states.
const (
	StateUnknown           State = -1
	StateDisconnected      State = 0
	StateConnecting        State = 1
	StateSyncConnected     State = 3 // in the events of watches
	StateAuthFailed        State = 4
	StateConnectedReadOnly State = 5
	StateSaslAuthenticated State = 6
	StateExpired           State = -112

	StateConnected  = State(100) // a server has accepted the connection
	StateHasSession = State(101) // requests are served
)

// String is the name of the constant.
func (s State) String() string {
	switch s {
	case StateUnknown:
		return "StateUnknown"
	case StateDisconnected:
		return "StateDisconnected"
	case StateConnecting:
		return "StateConnecting"
	case StateSyncConnected:
		return "StateSyncConnected"
	case StateAuthFailed:
		return "StateAuthFailed"
	case StateConnectedReadOnly:
		return "StateConnectedReadOnly"
	case StateSaslAuthenticated:
		return "StateSaslAuthenticated"
	case StateExpired:
		return "StateExpired"
	case StateConnected:
		return "StateConnected"
	case StateHasSession:
		return "StateHasSession"
	}
	return "Unknown"
}

// The permissions of an [ACL].
const (
	PermRead = 1 << iota
	PermWrite
	PermCreate
	PermDelete
	PermAdmin
	PermAll = 0x1f
)

// Mode is a server's part in its ensemble.
type Mode uint8

// The modes.
const (
	ModeUnknown Mode = iota
	ModeLeader
	ModeFollower
	ModeStandalone
)

// String is the mode as servers write it.
func (m Mode) String() string {
	switch m {
	case ModeLeader:
		return "leader"
	case ModeFollower:
		return "follower"
	case ModeStandalone:
		return "standalone"
	}
	return "unknown"
}
