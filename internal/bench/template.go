package bench

import (
	"math"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

const (
	lengthLen      = 4 // the length word in front of every frame
	replyHeaderLen = 16
	statLen        = 68
	anyLength      = -1
)

// template is one request, encoded once; a copy of it gets its xid and the
// digits of its keys, and is ready to go.
type template struct {
	frame   []byte
	keys    []int // where in frame the paths that are to be patched begin
	parents bool  // the path is that of a parent, not of a key
	reply   int   // length of a good reply without its length word, or anyLength
}

// shape is what templates are made from.
type shape struct {
	keys      keyspace
	size      int  // bytes of a value
	known     bool // values read were written with this size
	multiSize int  // operations of a multi
	multiKind kind // kindSet, kindCreate or kindExists (a check)
	watch     watchMode
}

// watchMode says how a watch is set.
type watchMode int

const (
	watchExists watchMode = iota
	watchData
	watchChildren
	watchPersistent
	watchRecursive
)

// templates makes the requests of every kind.
func (s shape) templates() [kinds]template {
	var t [kinds]template
	t[kindGet] = s.get()
	t[kindSet] = s.one(proto.OpSetData, statLen, s.appendSet)
	t[kindCreate] = s.one(proto.OpCreate, 4+len(s.keys.path(0)), s.appendCreate)
	t[kindDelete] = s.one(proto.OpDelete, 0, appendVersion)
	t[kindExists] = s.one(proto.OpExists, statLen, func(b []byte) []byte { return jute.AppendBool(b, false) })
	t[kindChildren] = s.children()
	t[kindMulti] = s.multi()
	t[kindWatch] = s.watchRequest()
	return t
}

func header(op proto.Op) []byte {
	return proto.RequestHeader{Op: op}.Append(make([]byte, lengthLen))
}

func seal(b []byte) []byte {
	jute.PutInt(b, 0, int32(len(b)-lengthLen))
	return b
}

// one is a request that consists of a path and what rest appends.
func (s shape) one(op proto.Op, reply int, rest func([]byte) []byte) template {
	b := header(op)
	at := len(b) + 4
	b = rest(jute.AppendString(b, s.keys.path(0)))
	return template{frame: seal(b), keys: []int{at}, reply: replyHeaderLen + reply}
}

func (s shape) get() template {
	t := s.one(proto.OpGetData, 4+s.size+statLen, func(b []byte) []byte { return jute.AppendBool(b, false) })
	if !s.known {
		t.reply = anyLength
	}
	return t
}

func (s shape) children() template {
	t := s.one(proto.OpGetChildren2, 0, func(b []byte) []byte { return b })
	b := header(proto.OpGetChildren2)
	t.keys[0] = len(b) + 4
	b = jute.AppendString(b, s.keys.parent(0))
	t.frame = seal(jute.AppendBool(b, false))
	t.parents, t.reply = true, anyLength
	return t
}

// multi is a request of multiSize operations of one kind.
func (s shape) multi() template {
	var t template
	b := header(proto.OpMulti)
	reply := replyHeaderLen
	for range s.multiSize {
		op, result, rest := s.sub()
		b = proto.MultiHeader{Type: op, Err: -1}.Append(b)
		t.keys = append(t.keys, len(b)+4)
		b = rest(jute.AppendString(b, s.keys.path(0)))
		reply += multiHeaderLen + result
	}
	t.frame = seal(proto.AppendMultiEnd(b))
	t.reply = reply + multiHeaderLen
	return t
}

const multiHeaderLen = 9

// sub is one operation of a multi, with the length of its result.
func (s shape) sub() (op proto.Op, result int, rest func([]byte) []byte) {
	switch s.multiKind {
	case kindCreate:
		return proto.OpCreate, 4 + len(s.keys.path(0)), s.appendCreate
	case kindExists:
		return proto.OpCheck, 0, appendVersion
	}
	return proto.OpSetData, statLen, s.appendSet
}

func (s shape) watchRequest() template {
	yes := func(b []byte) []byte { return jute.AppendBool(b, true) }
	mode := func(m int32) func([]byte) []byte {
		return func(b []byte) []byte { return jute.AppendInt(b, m) }
	}
	switch s.watch {
	case watchData:
		t := s.one(proto.OpGetData, 4+s.size+statLen, yes)
		t.reply = anyLength
		return t
	case watchChildren:
		t := s.one(proto.OpGetChildren2, 0, yes)
		t.reply = anyLength
		return t
	case watchPersistent:
		return s.one(proto.OpAddWatch, 0, mode(proto.WatchPersistent)).variable()
	case watchRecursive:
		return s.one(proto.OpAddWatch, 0, mode(proto.WatchPersistentRecursive)).variable()
	}
	return s.one(proto.OpExists, statLen, yes)
}

func (t template) variable() template {
	t.reply = anyLength
	return t
}

func (s shape) appendSet(b []byte) []byte {
	return appendVersion(jute.AppendBuffer(b, s.value()))
}

func (s shape) appendCreate(b []byte) []byte {
	b = jute.AppendBuffer(b, s.value())
	b = proto.AppendACLs(b, proto.OpenACL())
	return jute.AppendInt(b, proto.FlagPersistent)
}

// value is what is stored: bytes that do not compress to nothing, the same in
// every znode.
func (s shape) value() []byte {
	v := make([]byte, s.size)
	x := uint32(math.MaxUint16)
	for i := range v {
		x = x*1664525 + 1013904223
		v[i] = byte(x >> 24)
	}
	return v
}

// appendVersion appends the version that matches every one.
func appendVersion(b []byte) []byte { return jute.AppendInt(b, -1) }
