package proto

import "github.com/quollhq/quoll/internal/jute"

// StatLen is the length of an encoded Stat in bytes.
const StatLen = 68

// PasswordLen is the length of a session password in bytes.
const PasswordLen = 16

// Stat is what a client sees of a znode besides its data. Times are
// milliseconds since 1970.
type Stat struct {
	Czxid, Mzxid                int64
	Ctime, Mtime                int64
	Version, Cversion, Aversion int32
	EphemeralOwner              int64
	DataLength, NumChildren     int32
	Pzxid                       int64
}

// Append encodes s.
func (s *Stat) Append(b []byte) []byte {
	b = jute.AppendLong(b, s.Czxid)
	b = jute.AppendLong(b, s.Mzxid)
	b = jute.AppendLong(b, s.Ctime)
	b = jute.AppendLong(b, s.Mtime)
	b = jute.AppendInt(b, s.Version)
	b = jute.AppendInt(b, s.Cversion)
	b = jute.AppendInt(b, s.Aversion)
	b = jute.AppendLong(b, s.EphemeralOwner)
	b = jute.AppendInt(b, s.DataLength)
	b = jute.AppendInt(b, s.NumChildren)
	return jute.AppendLong(b, s.Pzxid)
}

// Decode reads s.
func (s *Stat) Decode(d *jute.Decoder) {
	s.Czxid = d.Long()
	s.Mzxid = d.Long()
	s.Ctime = d.Long()
	s.Mtime = d.Long()
	s.Version = d.Int()
	s.Cversion = d.Int()
	s.Aversion = d.Int()
	s.EphemeralOwner = d.Long()
	s.DataLength = d.Int()
	s.NumChildren = d.Int()
	s.Pzxid = d.Long()
}

// StatPersisted is what disk keeps of a znode besides its data. Cversion here
// counts only the creates of children; clients see twice that less the number
// of children.
type StatPersisted struct {
	Czxid, Mzxid                int64
	Ctime, Mtime                int64
	Version, Cversion, Aversion int32
	EphemeralOwner              int64
	Pzxid                       int64
}

// Append encodes s.
func (s *StatPersisted) Append(b []byte) []byte {
	b = jute.AppendLong(b, s.Czxid)
	b = jute.AppendLong(b, s.Mzxid)
	b = jute.AppendLong(b, s.Ctime)
	b = jute.AppendLong(b, s.Mtime)
	b = jute.AppendInt(b, s.Version)
	b = jute.AppendInt(b, s.Cversion)
	b = jute.AppendInt(b, s.Aversion)
	b = jute.AppendLong(b, s.EphemeralOwner)
	return jute.AppendLong(b, s.Pzxid)
}

// Decode reads s.
func (s *StatPersisted) Decode(d *jute.Decoder) {
	s.Czxid = d.Long()
	s.Mzxid = d.Long()
	s.Ctime = d.Long()
	s.Mtime = d.Long()
	s.Version = d.Int()
	s.Cversion = d.Int()
	s.Aversion = d.Int()
	s.EphemeralOwner = d.Long()
	s.Pzxid = d.Long()
}

// ACL is one entry of an access control list.
type ACL struct {
	Perms      int32
	Scheme, ID string
}

// OpenACL lets everybody do everything (world:anyone:cdrwa).
var openACL = []ACL{{Perms: PermAll, Scheme: "world", ID: "anyone"}}

// OpenACL is a new list that lets everybody do everything.
func OpenACL() []ACL { return append([]ACL(nil), openACL...) }

// AppendACLs encodes a vector of ACL entries; nil becomes null.
func AppendACLs(b []byte, acl []ACL) []byte {
	if acl == nil {
		return jute.AppendInt(b, -1)
	}
	b = jute.AppendInt(b, int32(len(acl)))
	for i := range acl {
		b = jute.AppendInt(b, acl[i].Perms)
		b = jute.AppendString(b, acl[i].Scheme)
		b = jute.AppendString(b, acl[i].ID)
	}
	return b
}

// ACLsLen is how many bytes AppendACLs appends.
func ACLsLen(acl []ACL) int {
	n := 4
	for i := range acl {
		n += 12 + len(acl[i].Scheme) + len(acl[i].ID)
	}
	return n
}

// DecodeACLs reads a vector of ACL entries; null becomes nil.
func DecodeACLs(d *jute.Decoder) []ACL {
	n := d.Count(12)
	if n < 0 {
		return nil
	}
	acl := make([]ACL, n)
	for i := range acl {
		acl[i] = ACL{Perms: d.Int(), Scheme: d.String(), ID: d.String()}
	}
	if d.Err() != nil {
		return nil
	}
	return acl
}

// SkipACLs passes over a vector of ACL entries and returns its encoding,
// aliasing the decoder's memory.
func SkipACLs(d *jute.Decoder) []byte {
	from := d.Offset()
	n := d.Count(12)
	for range n {
		d.Int()
		d.Buffer()
		d.Buffer()
	}
	if d.Err() != nil {
		return nil
	}
	return d.Since(from)
}

// ConnectRequest opens a connection. TimeOut is in milliseconds. ReadOnly is
// absent in clients up to 3.3: HasReadOnly tells.
type ConnectRequest struct {
	ProtocolVersion int32
	LastZxidSeen    int64
	TimeOut         int32
	SessionID       int64
	Passwd          []byte
	ReadOnly        bool
	HasReadOnly     bool
}

// Append encodes r.
func (r *ConnectRequest) Append(b []byte) []byte {
	b = jute.AppendInt(b, r.ProtocolVersion)
	b = jute.AppendLong(b, r.LastZxidSeen)
	b = jute.AppendInt(b, r.TimeOut)
	b = jute.AppendLong(b, r.SessionID)
	b = jute.AppendBuffer(b, r.Passwd)
	if r.HasReadOnly {
		b = jute.AppendBool(b, r.ReadOnly)
	}
	return b
}

// Decode reads r; Passwd aliases the decoder's memory.
func (r *ConnectRequest) Decode(d *jute.Decoder) {
	r.ProtocolVersion = d.Int()
	r.LastZxidSeen = d.Long()
	r.TimeOut = d.Int()
	r.SessionID = d.Long()
	r.Passwd = d.Buffer()
	if r.HasReadOnly = d.Err() == nil && d.Len() > 0; r.HasReadOnly {
		r.ReadOnly = d.Bool()
	}
}

// ConnectResponse answers a ConnectRequest. TimeOut 0 and SessionID 0 mean
// that the session is gone.
type ConnectResponse struct {
	ProtocolVersion int32
	TimeOut         int32
	SessionID       int64
	Passwd          []byte
	ReadOnly        bool
	HasReadOnly     bool
}

// Append encodes r.
func (r *ConnectResponse) Append(b []byte) []byte {
	b = jute.AppendInt(b, r.ProtocolVersion)
	b = jute.AppendInt(b, r.TimeOut)
	b = jute.AppendLong(b, r.SessionID)
	b = jute.AppendBuffer(b, r.Passwd)
	if r.HasReadOnly {
		b = jute.AppendBool(b, r.ReadOnly)
	}
	return b
}

// Decode reads r; Passwd aliases the decoder's memory.
func (r *ConnectResponse) Decode(d *jute.Decoder) {
	r.ProtocolVersion = d.Int()
	r.TimeOut = d.Int()
	r.SessionID = d.Long()
	r.Passwd = d.Buffer()
	if r.HasReadOnly = d.Err() == nil && d.Len() > 0; r.HasReadOnly {
		r.ReadOnly = d.Bool()
	}
}

// RequestHeader starts every request frame.
type RequestHeader struct {
	Xid int32
	Op  Op
}

// Append encodes h.
func (h RequestHeader) Append(b []byte) []byte {
	return jute.AppendInt(jute.AppendInt(b, h.Xid), int32(h.Op))
}

// Decode reads h.
func (h *RequestHeader) Decode(d *jute.Decoder) {
	h.Xid = d.Int()
	h.Op = Op(d.Int())
}

// ReplyHeaderLen is the length of an encoded ReplyHeader in bytes.
const ReplyHeaderLen = 16

// ReplyHeader starts every reply and notification frame.
type ReplyHeader struct {
	Xid  int32
	Zxid int64
	Err  Code
}

// Append encodes h.
func (h ReplyHeader) Append(b []byte) []byte {
	b = jute.AppendInt(b, h.Xid)
	b = jute.AppendLong(b, h.Zxid)
	return jute.AppendInt(b, int32(h.Err))
}

// Decode reads h.
func (h *ReplyHeader) Decode(d *jute.Decoder) {
	h.Xid = d.Int()
	h.Zxid = d.Long()
	h.Err = Code(d.Int())
}

// WatcherEvent is the body of a notification.
type WatcherEvent struct {
	Type  EventType
	State KeeperState
	Path  string
}

// Append encodes e.
func (e *WatcherEvent) Append(b []byte) []byte {
	b = jute.AppendInt(b, int32(e.Type))
	b = jute.AppendInt(b, int32(e.State))
	return jute.AppendString(b, e.Path)
}

// Decode reads e.
func (e *WatcherEvent) Decode(d *jute.Decoder) {
	e.Type = EventType(d.Int())
	e.State = KeeperState(d.Int())
	e.Path = d.String()
}

// MultiHeader precedes each operation of a multi request and each result of
// its response; Done marks the end.
type MultiHeader struct {
	Type Op
	Done bool
	Err  Code
}

// Append encodes h.
func (h MultiHeader) Append(b []byte) []byte {
	b = jute.AppendInt(b, int32(h.Type))
	b = jute.AppendBool(b, h.Done)
	return jute.AppendInt(b, int32(h.Err))
}

// Decode reads h.
func (h *MultiHeader) Decode(d *jute.Decoder) {
	h.Type = Op(d.Int())
	h.Done = d.Bool()
	h.Err = Code(d.Int())
}

// MultiEnd ends a multi request or response.
var multiEnd = MultiHeader{Type: -1, Done: true, Err: -1}

// AppendMultiEnd encodes the header that ends a multi request or response.
func AppendMultiEnd(b []byte) []byte { return multiEnd.Append(b) }

// CreateRequest is the body of create, create2, createContainer and, with
// TTL, createTTL. Path, Data and ACL alias the decoder's memory.
type CreateRequest struct {
	Path  string
	Data  []byte
	ACL   []byte // the encoded vector
	Flags int32
	TTL   int64 // milliseconds; createTTL only
	// NullPath tells that the path is null, which Path shows as "".
	NullPath bool
}

// Decode reads r; op tells whether a TTL follows.
func (r *CreateRequest) Decode(d *jute.Decoder, op Op) {
	path := d.Buffer()
	r.Path, r.NullPath = jute.Alias(path), path == nil
	r.Data = d.Buffer()
	r.ACL = SkipACLs(d)
	r.Flags = d.Int()
	r.TTL = 0
	if op == OpCreateTTL {
		r.TTL = d.Long()
	}
}

// ReconfigRequest is the body of reconfig. Its texts alias the decoder's memory;
// nil is null.
type ReconfigRequest struct {
	Joining, Leaving, Members []byte
	// Version of the configuration to be changed, -1 for any.
	Version int64
}

// Decode reads r.
func (r *ReconfigRequest) Decode(d *jute.Decoder) {
	r.Joining, r.Leaving, r.Members = d.Buffer(), d.Buffer(), d.Buffer()
	r.Version = d.Long()
}

// AuthPacket is the body of an auth request. Auth aliases the decoder's memory.
type AuthPacket struct {
	Type   int32
	Scheme string
	Auth   []byte
}

// Append encodes p.
func (p *AuthPacket) Append(b []byte) []byte {
	b = jute.AppendInt(b, p.Type)
	b = jute.AppendString(b, p.Scheme)
	return jute.AppendBuffer(b, p.Auth)
}

// Decode reads p.
func (p *AuthPacket) Decode(d *jute.Decoder) {
	p.Type = d.Int()
	p.Scheme = d.String()
	p.Auth = d.Buffer()
}

// SetWatches is the body of setWatches and, with the last two lists, of
// setWatches2.
type SetWatches struct {
	RelativeZxid                    int64
	Data, Exist, Child              []string
	Persistent, PersistentRecursive []string
}

// Decode reads r; op tells whether the persistent lists follow.
func (r *SetWatches) Decode(d *jute.Decoder, op Op) {
	r.RelativeZxid = d.Long()
	r.Data = d.Strings()
	r.Exist = d.Strings()
	r.Child = d.Strings()
	if op == OpSetWatches2 {
		r.Persistent = d.Strings()
		r.PersistentRecursive = d.Strings()
	}
}

// Append encodes r for op.
func (r *SetWatches) Append(b []byte, op Op) []byte {
	b = jute.AppendLong(b, r.RelativeZxid)
	b = jute.AppendStrings(b, r.Data)
	b = jute.AppendStrings(b, r.Exist)
	b = jute.AppendStrings(b, r.Child)
	if op == OpSetWatches2 {
		b = jute.AppendStrings(b, r.Persistent)
		b = jute.AppendStrings(b, r.PersistentRecursive)
	}
	return b
}
