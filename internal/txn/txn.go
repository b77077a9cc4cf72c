// Package txn is the replicated change: what the log holds, what the leader
// proposes and what the tree applies. It follows the transaction records of
// Apache ZooKeeper 3.4 to 3.9.
//
//	entry  = header | body | [digest]
//	header = clientId long | cxid int | zxid long | time long | type int
//	digest = version int | tree digest long, the tree's after this transaction
//
// The entry is encoded once, by whoever makes the transaction; logs, streams
// and the tree share those bytes.
package txn

import (
	"encoding/binary"
	"fmt"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// HeaderLen is the length of an encoded Header in bytes.
const HeaderLen = 32

// DigestLen is the length of an encoded Digest in bytes.
const DigestLen = 12

// DigestVersion is the version of the digest algorithm that quoll writes:
// Apache's second one, the only one in use since 3.6.
const DigestVersion = 2

// Header says whose change an entry is, its place in the order and when it
// was made (milliseconds since 1970, by the maker's clock).
type Header struct {
	ClientID int64
	Cxid     int32
	Zxid     int64
	Time     int64
	Type     proto.Op
}

// Time is when an entry was made; it must have a whole header.
func Time(entry []byte) int64 { return int64(binary.BigEndian.Uint64(entry[timeAt:])) }

// timeAt is where the time stands in a header: behind ClientID, Cxid and Zxid.
const timeAt = 8 + 4 + 8

// BodyOf is what follows an entry's header, nothing if that is not whole.
func BodyOf(entry []byte) []byte { return entry[min(HeaderLen, len(entry)):] }

// Append encodes h.
func (h *Header) Append(b []byte) []byte {
	b = jute.AppendLong(b, h.ClientID)
	b = jute.AppendInt(b, h.Cxid)
	b = jute.AppendLong(b, h.Zxid)
	b = jute.AppendLong(b, h.Time)
	return jute.AppendInt(b, int32(h.Type))
}

// Decode reads h.
func (h *Header) Decode(d *jute.Decoder) {
	if b := d.Fixed(HeaderLen); b != nil {
		h.Read(b)
	}
}

// Read reads h from an entry, which must have a whole header. It fills what its caller
// holds: a struct returned would be written in small parts and copied at once, for which
// processors wait.
func (h *Header) Read(entry []byte) {
	be, b := binary.BigEndian, (*[HeaderLen]byte)(entry)
	h.ClientID = int64(be.Uint64(b[0:]))
	h.Cxid = int32(be.Uint32(b[8:]))
	h.Zxid = int64(be.Uint64(b[12:]))
	h.Time = int64(be.Uint64(b[timeAt:]))
	h.Type = proto.Op(be.Uint32(b[28:]))
}

// Body is one change. Which fields count depends on Type:
//
//	create, create2      Path Data ACL Ephemeral ParentCversion
//	createContainer      Path Data ACL ParentCversion
//	createTTL            Path Data ACL ParentCversion TTL
//	delete, deleteContainer  Path
//	setData, reconfig    Path Data Version
//	setACL               Path ACL Version
//	check                Path Version (in a multi)
//	createSession        TimeOut
//	closeSession         Paths, if HasPaths
//	error                Err
//	multi                Txn.Subs
//
// Path, Data, ACL and Paths alias the entry that they were decoded from.
type Body struct {
	Type           proto.Op
	Path           string
	Data           []byte // nil is null
	ACL            []byte // the encoded vector
	Ephemeral      bool
	ParentCversion int32 // the parent's new persisted cversion; -1 in entries of before 3.4: count up
	TTL            int64 // milliseconds
	Version        int32 // the new version (setData, setACL), the checked one (check)
	Err            proto.Code
	TimeOut        int32 // milliseconds
	Paths          []string
	HasPaths       bool
}

// Append encodes the fields that count for b.Type.
func (t *Body) Append(b []byte) []byte {
	switch t.Type {
	case proto.OpCreate, proto.OpCreate2:
		b = AppendCreate(b, t.Path, t.Data, t.ACL)
		b = jute.AppendBool(b, t.Ephemeral)
		return jute.AppendInt(b, t.ParentCversion)
	case proto.OpCreateContainer:
		b = AppendCreate(b, t.Path, t.Data, t.ACL)
		return jute.AppendInt(b, t.ParentCversion)
	case proto.OpCreateTTL:
		b = AppendCreate(b, t.Path, t.Data, t.ACL)
		b = jute.AppendInt(b, t.ParentCversion)
		return jute.AppendLong(b, t.TTL)
	case proto.OpDelete, proto.OpDeleteContainer:
		return jute.AppendString(b, t.Path)
	case proto.OpSetData, proto.OpReconfig:
		b = jute.AppendString(b, t.Path)
		b = jute.AppendBuffer(b, t.Data)
		return jute.AppendInt(b, t.Version)
	case proto.OpSetACL:
		b = jute.AppendString(b, t.Path)
		b = append(b, t.ACL...)
		return jute.AppendInt(b, t.Version)
	case proto.OpCheck:
		b = jute.AppendString(b, t.Path)
		return jute.AppendInt(b, t.Version)
	case proto.OpCreateSession:
		return jute.AppendInt(b, t.TimeOut)
	case proto.OpCloseSession:
		if t.HasPaths {
			return jute.AppendStrings(b, t.Paths)
		}
		return b
	case proto.OpError:
		return jute.AppendInt(b, int32(t.Err))
	}
	return b
}

// AppendCreate encodes what all create bodies begin with; acl is the encoded
// vector.
func AppendCreate(b []byte, path string, data, acl []byte) []byte {
	b = jute.AppendString(b, path)
	b = jute.AppendBuffer(b, data)
	return append(b, acl...)
}

// Decode reads a body of type op. Of an unknown type nothing is read and the
// decoder fails.
func (t *Body) Decode(d *jute.Decoder, op proto.Op) {
	paths := t.Paths[:0]
	*t = Body{}
	t.Type, t.Paths = op, paths
	switch op {
	case proto.OpCreate, proto.OpCreate2:
		t.decodeCreate(d)
		t.Ephemeral = d.Bool()
		if t.ParentCversion = -1; d.Err() == nil && d.Len() > 0 {
			t.ParentCversion = d.Int()
		}
	case proto.OpCreateContainer:
		t.decodeCreate(d)
		t.ParentCversion = d.Int()
	case proto.OpCreateTTL:
		t.decodeCreate(d)
		t.ParentCversion = d.Int()
		t.TTL = d.Long()
	case proto.OpDelete, proto.OpDeleteContainer:
		t.Path = d.AliasString()
	case proto.OpSetData, proto.OpReconfig:
		t.Path = d.AliasString()
		t.Data = d.Buffer()
		t.Version = d.Int()
	case proto.OpSetACL:
		t.Path = d.AliasString()
		t.ACL = proto.SkipACLs(d)
		t.Version = d.Int()
	case proto.OpCheck:
		t.Path = d.AliasString()
		t.Version = d.Int()
	case proto.OpCreateSession:
		t.TimeOut = d.Int()
	case proto.OpCloseSession:
		t.decodePaths(d)
	case proto.OpError:
		t.Err = proto.Code(d.Int())
	case proto.OpMulti:
	default:
		d.Fail(fmt.Errorf("%w: transaction of unknown type %d", jute.ErrMalformed, int32(op)))
	}
}

func (t *Body) decodeCreate(d *jute.Decoder) {
	t.Path = d.AliasString()
	t.Data = d.Buffer()
	t.ACL = proto.SkipACLs(d)
}

// decodePaths reads the ephemerals that a closing session leaves. Servers
// before 3.6, or with the list switched off, write none: then only a digest,
// of just DigestLen bytes, can follow. One path of four bytes is as long; but it
// begins with its count, 1, where a digest has its version, of which the first
// was never written to logs.
func (t *Body) decodePaths(d *jute.Decoder) {
	if d.Len() == 0 || d.Len() == DigestLen && binary.BigEndian.Uint32(d.Rest()) != 1 {
		return
	}
	t.HasPaths = true
	n := d.Count(4)
	for range n {
		t.Paths = append(t.Paths, d.AliasString())
	}
}

// Txn is a decoded entry. It is meant to be reused: Decode keeps the memory of
// its slices.
type Txn struct {
	Header
	Body                 // of a multi: only Body.Type counts
	Subs          []Body // of a multi
	HasDigest     bool
	DigestVersion int32
	TreeDigest    uint64
}

// Decode reads an entry into t, which aliases it. The error wraps
// jute.ErrMalformed.
func Decode(entry []byte, t *Txn) error {
	d := jute.NewDecoder(entry)
	t.Header.Decode(&d)
	t.Subs = t.Subs[:0]
	t.HasDigest = false
	t.Body.Decode(&d, t.Header.Type)
	if t.Header.Type == proto.OpMulti {
		t.decodeSubs(&d)
	}
	if d.Err() == nil && d.Len() >= DigestLen {
		t.HasDigest = true
		t.DigestVersion = d.Int()
		t.TreeDigest = uint64(d.Long())
	}
	if err := d.Err(); err != nil {
		return fmt.Errorf("transaction 0x%x of type %v: %w", uint64(t.Zxid), t.Header.Type, err)
	}
	return nil
}

func (t *Txn) decodeSubs(d *jute.Decoder) {
	n := d.Count(8)
	for range n {
		op := proto.Op(d.Int())
		sub := jute.NewDecoder(d.Buffer())
		if len(t.Subs) < cap(t.Subs) {
			t.Subs = t.Subs[:len(t.Subs)+1]
		} else {
			t.Subs = append(t.Subs, Body{})
		}
		t.Subs[len(t.Subs)-1].Decode(&sub, op)
		if d.Fail(sub.Err()); d.Err() != nil {
			return
		}
	}
}

// Append encodes t as an entry.
func (t *Txn) Append(b []byte) []byte {
	b = t.Header.Append(b)
	if t.Header.Type == proto.OpMulti {
		b = jute.AppendInt(b, int32(len(t.Subs)))
		for i := range t.Subs {
			b = AppendSub(b, &t.Subs[i])
		}
	} else {
		b = t.Body.Append(b)
	}
	if t.HasDigest {
		b = AppendDigest(b, t.TreeDigest)
	}
	return b
}

// AppendSub encodes one change of a multi: its type and its body as a buffer.
func AppendSub(b []byte, sub *Body) []byte {
	b = jute.AppendInt(b, int32(sub.Type))
	mark := len(b)
	b = jute.AppendInt(b, 0)
	b = sub.Append(b)
	jute.PutInt(b, mark, int32(len(b)-mark-4))
	return b
}

// AppendDigest encodes the digest that ends an entry: the tree's, after it.
func AppendDigest(b []byte, tree uint64) []byte {
	b = jute.AppendInt(b, DigestVersion)
	return jute.AppendLong(b, int64(tree))
}
