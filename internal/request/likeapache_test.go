package request

import (
	"strconv"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

var nullPath = jute.AppendInt(nil, -1)

// What cannot be decoded leaves no trace; a path that is null takes a zxid, as
// any other refusal does.
func TestMalformedWrites(t *testing.T) {
	nullACL := jute.AppendInt(jute.AppendInt(jute.AppendString(jute.AppendString(nil, "/n"), ""), -1), 0)
	nullTTLACL := append(append([]byte(nil), nullACL[:len(nullACL)-4]...), 0, 0, 0, 5)
	nullCreate := append(append([]byte(nil), nullPath...), createBody("/n", "", 0)[6:]...)
	nullDelete := jute.AppendInt(nullPath, -1)
	for _, test := range []struct {
		name   string
		op     proto.Op
		body   []byte
		code   proto.Code
		spends bool
	}{
		{"create cut short", proto.OpCreate, createBody("/n", "", 0)[:10], proto.MarshallingError, false},
		{"create of null", proto.OpCreate, nullCreate, proto.MarshallingError, true},
		{"create without ACL", proto.OpCreate, nullACL, proto.InvalidACL, true},
		{"delete of null", proto.OpDelete, nullDelete, proto.MarshallingError, true},
		{"deleteContainer of null", proto.OpDeleteContainer, nullPath, proto.MarshallingError, false},
		{"setData of null", proto.OpSetData, jute.AppendInt(jute.AppendString(nullPath, ""), -1), proto.BadArguments, true},
		{"multi cut short", proto.OpMulti, []byte{0}, proto.MarshallingError, true},
		{"multi of null", proto.OpMulti, multiBody(Request{Op: proto.OpDelete, Body: nullDelete}), proto.MarshallingError, true},
		{"multi without ACL", proto.OpMulti, multiBody(Request{Op: proto.OpCreate, Body: nullACL}), proto.MarshallingError, false},
		{"multi of a TTL without ACL", proto.OpMulti, multiBody(Request{Op: proto.OpCreate, Body: nullTTLACL}), proto.MarshallingError, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, nil)
			c, m := w.client()
			w.submit(c,
				Request{Xid: 1, Op: test.op, Body: test.body},
				Request{Xid: 2, Op: proto.OpCreate, Body: createBody("/next", "", 0)})
			if h, _ := m.next(t); h.Err != test.code {
				t.Errorf("%+v, want code %d", h, test.code)
			}
			want := int64(2)
			if test.spends {
				want++
			}
			if h, _ := m.next(t); h.Err != proto.OK || h.Zxid != want {
				t.Errorf("the next write: %+v, want zxid %d", h, want)
			}
		})
	}
}

func TestReadsOfNullAreMalformed(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	body := append(append([]byte(nil), nullPath...), 0)
	for _, op := range []proto.Op{
		proto.OpGetData, proto.OpExists, proto.OpGetChildren, proto.OpGetChildren2, proto.OpGetACL, proto.OpGetAllChildrenNumber,
	} {
		w.Read(c, []Request{{Xid: 1, Op: op, Body: body}}, time.Now())
		m.Flush()
		if h, _ := m.next(t); h.Err != proto.MarshallingError {
			t.Errorf("%v: %+v", op, h)
		}
	}
}

func TestPingIsAnsweredWithItsOwnXid(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	w.Read(c, []Request{{Xid: 77, Op: proto.OpPing}}, time.Now())
	m.Flush()
	if h, _ := m.next(t); h.Xid != proto.XidPing || h.Err != proto.OK {
		t.Errorf("%+v", h)
	}
}

func TestMultiReadSetsNoWatches(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	w.submit(c, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/w", "", 0)})
	m.next(t)
	w.Read(c, []Request{{Xid: 2, Op: proto.OpMultiRead, Body: multiBody(
		Request{Op: proto.OpGetData, Body: readBody("/w", true)},
		Request{Op: proto.OpGetChildren, Body: readBody("/w", true)})}}, time.Now())
	m.Flush()
	if h, _ := m.next(t); h.Err != proto.OK {
		t.Fatalf("%+v", h)
	}
	w.submit(c,
		Request{Xid: 3, Op: proto.OpSetData, Body: setBody("/w", "x", -1)},
		Request{Xid: 4, Op: proto.OpCreate, Body: createBody("/w/a", "", 0)})
	for _, xid := range []int32{3, 4} {
		if h, _ := m.next(t); h.Xid != xid {
			t.Errorf("xid %d came instead of %d", h.Xid, xid)
		}
	}
}

// An odd name for the root, and Java's idea of a blank prefix.
func TestOddArgumentsOfReads(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	w.submit(c, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/e", "", proto.FlagEphemeral)})
	m.next(t)
	count := func(op proto.Op, path string) int32 {
		w.Read(c, []Request{{Xid: 2, Op: op, Body: jute.AppendString(nil, path)}}, time.Now())
		m.Flush()
		_, d := m.next(t)
		return d.Int()
	}
	if slash, empty := count(proto.OpGetAllChildrenNumber, "/"), count(proto.OpGetAllChildrenNumber, ""); empty != slash+1 {
		t.Errorf(`%d below "/", %d below ""`, slash, empty)
	}
	for _, test := range []struct {
		prefix string
		want   int32
	}{{"/\x1f", 1}, {"  ", 1}, {"\u00a0", 0}, {"/e", 1}, {"/f", 0}} {
		if got := count(proto.OpGetEphemerals, test.prefix); got != test.want {
			t.Errorf("%d ephemerals below %q, want %d", got, test.prefix, test.want)
		}
	}
}

// An identity that is null is none, also in schemes that have an empty one.
func TestNullIdentities(t *testing.T) {
	reg, err := auth.New(auth.Options{Classes: map[string]string{
		"sasl": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
	}})
	if err != nil {
		t.Fatal(err)
	}
	entry := func(scheme string, id []byte) []byte {
		b := jute.AppendInt(jute.AppendInt(nil, 1), proto.PermAll)
		return jute.AppendBuffer(jute.AppendString(b, scheme), id)
	}
	w := newWorld(t, func(o *Options) { o.Auth = reg })
	c, m := w.client()
	c.AddIDs(auth.ID{Scheme: "digest", ID: "a:b"})
	for i, test := range []struct {
		acl  []byte
		want proto.Code
	}{
		{entry("sasl", nil), proto.InvalidACL},
		{entry("sasl", []byte{}), proto.OK},
		{entry("world", nil), proto.InvalidACL},
		{entry("auth", nil), proto.OK},
	} {
		path := "/n" + strconv.Itoa(i)
		w.submit(c,
			Request{Op: proto.OpCreate, Body: createAs(path, test.acl, 0)},
			Request{Op: proto.OpCreate, Body: createAs(path+"open", openACL, 0)},
			Request{Op: proto.OpSetACL, Body: jute.AppendInt(append(jute.AppendString(nil, path+"open"), test.acl...), -1)})
		for _, want := range []proto.Code{test.want, proto.OK, test.want} {
			if h, _ := m.next(t); h.Err != want {
				t.Errorf("%q: %+v, want %v", test.acl, h, want)
			}
		}
	}
}
