package request

import (
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// authACL says that whoever made the znode may do everything.
func authACL() []byte {
	return proto.AppendACLs(nil, []proto.ACL{{Perms: proto.PermAll, Scheme: "auth"}})
}

func createAs(path string, acl []byte, flags int32) []byte {
	b := jute.AppendBuffer(jute.AppendString(nil, path), nil)
	return jute.AppendInt(append(b, acl...), flags)
}

// many gives the client n identities of so many bytes.
func (c *Client) many(n, size int) {
	for i := range n {
		c.AddIDs(auth.ID{Scheme: "digest", ID: string(rune('a'+i)) + strings.Repeat("x", size) + ":hash"})
	}
}

// TestMultisThatOutgrowARecord sends multis that are short enough to be read
// again, unlike the transactions that they would become.
func TestMultisThatOutgrowARecord(t *testing.T) {
	const most = 64 << 10
	for _, test := range []struct {
		name string
		body []byte
		n    int
	}{
		{"sequential names", createAs("/s", openACL, proto.FlagPersistentSequential), 1200},
		{"identities", createAs("/s", authACL(), proto.FlagPersistentSequential), 100},
		{"digits that just do not fit", createAs("/"+strings.Repeat("s", 1000), openACL, proto.FlagPersistentSequential), 62},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := &longest{}
			w := newWorld(t, func(o *Options) { o.Log, o.MaxEntry = log, most })
			c, m := w.client()
			c.many(5, 200)
			var subs []Request
			for range test.n {
				subs = append(subs, Request{Op: proto.OpCreate, Body: test.body})
			}
			body := multiBody(subs...)
			if len(body) > most {
				t.Fatalf("the request has %d bytes itself", len(body))
			}
			w.submit(c, Request{Xid: 1, Op: proto.OpMulti, Body: body})
			h, d := m.next(t)
			var first proto.MultiHeader
			if first.Decode(&d); h.Err != proto.OK || first.Type != proto.OpError {
				t.Errorf("%+v, %+v: want a refusal", h, first)
			}
			w.submit(c, Request{Xid: 2, Op: proto.OpMulti, Body: multiBody(subs[:5]...)})
			if h, _ := m.next(t); h.Err != proto.OK {
				t.Errorf("a short multi afterwards: %+v", h)
			}
			w.Close()
			if log.n > most+100 {
				t.Errorf("a record of %d bytes was logged, a start reads %d", log.n, most)
			}
			if n := w.tree.NumChildren(w.tree.Find("/")); n != 1+5 {
				t.Errorf("%d znodes below the root, want what the second multi made", n-1)
			}
		})
	}
}

func TestListsThatOutgrowARecord(t *testing.T) {
	const most = 64 << 10
	log := &longest{}
	w := newWorld(t, func(o *Options) { o.Log, o.MaxEntry = log, most })
	c, m := w.client()
	c.many(10, 7000)
	setACL := jute.AppendInt(append(jute.AppendString(nil, "/a"), authACL()...), -1)
	w.submit(c,
		Request{Xid: 1, Op: proto.OpCreate, Body: createAs("/a", authACL(), 0)},
		Request{Xid: 2, Op: proto.OpCreate, Body: createAs("/a", openACL, 0)},
		Request{Xid: 3, Op: proto.OpSetACL, Body: setACL})
	for i, want := range []proto.Code{proto.InvalidACL, proto.OK, proto.InvalidACL} {
		if h, _ := m.next(t); h.Err != want {
			t.Errorf("request %d: %+v, want %v", i+1, h, want)
		}
	}
	w.Close()
	if log.n > most {
		t.Errorf("%d bytes were logged at once, a start reads %d", log.n, most)
	}
}

// TestBatchesAreBounded submits at once what becomes many times as long in the
// log.
func TestBatchesAreBounded(t *testing.T) {
	log := &longest{}
	w := newWorld(t, func(o *Options) { o.Log = log })
	c, m := w.client()
	const size = 1 << 20
	c.many(1, size)
	var run []Request
	for range 3 * batchMost / size {
		run = append(run, Request{Op: proto.OpCreate, Body: createAs("/s", authACL(), proto.FlagPersistentSequential)})
	}
	w.submit(c, run...)
	for range run {
		if h, _ := m.next(t); h.Err != proto.OK {
			t.Fatalf("%+v", h)
		}
	}
	w.Close()
	if log.n > batchMost+2*size {
		t.Errorf("a batch has %d bytes, should take no more from %d on", log.n, batchMost)
	}
}
