package request

import (
	"fmt"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tally"
)

// TestNamespaces counts what is read and written by top-level znode: the lengths of
// paths, data and stats.
func TestNamespaces(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	list := func(path string) []byte { return readBody(path, false) }
	w.submit(c,
		Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/a", "12345", 0)},                // 2+5
		Request{Xid: 2, Op: proto.OpCreate, Body: createBody("/a/bc", "1", 0)},                 // 5+1
		Request{Xid: 3, Op: proto.OpCreate, Body: createBody("/ab", "", 0)},                    // another one: 3
		Request{Xid: 4, Op: proto.OpSetData, Body: setBody("/a/bc", "123", 0)},                 // 5+3
		Request{Xid: 5, Op: proto.OpSetData, Body: setBody("/a/bc", "1234", 0)},                // refused
		Request{Xid: 6, Op: proto.OpDelete, Body: deleteBody("/a/no", -1)},                     // refused
		Request{Xid: 7, Op: proto.OpCreate, Body: createBody("/a/e", "", proto.FlagEphemeral)}, // 4, and again when it goes
		Request{Xid: 8, Op: proto.OpMulti, Body: multiBody(
			Request{Op: proto.OpCreate, Body: createBody("/a/m", "12", 0)}, // 4+2
			Request{Op: proto.OpDelete, Body: deleteBody("/a/m", 0)})},     // 4
		Request{Xid: 9, Op: proto.OpMulti, Body: multiBody(
			Request{Op: proto.OpCreate, Body: createBody("/a/n", "12", 0)},
			Request{Op: proto.OpDelete, Body: deleteBody("/a/no", 0)})}) // refused as a whole
	for range 9 {
		m.next(t)
	}
	w.Read(c, []Request{
		{Xid: 10, Op: proto.OpGetData, Body: readBody("/a", false)},       // 2+5+68
		{Xid: 11, Op: proto.OpGetData, Body: readBody("/a/bc", false)},    // 5+3+68
		{Xid: 12, Op: proto.OpExists, Body: readBody("/ab", false)},       // another one: 3+68
		{Xid: 13, Op: proto.OpGetChildren, Body: list("/a")},              // 2+3+68
		{Xid: 14, Op: proto.OpGetChildren2, Body: list("/a")},             // 2+3+68
		{Xid: 15, Op: proto.OpGetData, Body: readBody("/no", false)},      // is not there
		{Xid: 16, Op: proto.OpGetData, Body: readBody("/", false)},        // is below none
		{Xid: 17, Op: proto.OpGetACL, Body: jute.AppendString(nil, "/a")}, // not counted
	}, time.Now())
	for range 8 {
		m.Flush()
		m.next(t)
	}
	w.submit(c, Request{Xid: 18, Op: proto.OpCloseSession})
	m.next(t)
	spaces := w.Namespaces()
	if len(spaces) != 2 {
		t.Fatalf("namespaces %v", spaces)
	}
	for name, want := range map[string][2]tally.SizesView{
		"a":  {{Count: 4, Sum: 75 + 76 + 73 + 73, Min: 73, Max: 76}, {Count: 7, Sum: 7 + 6 + 8 + 4 + 6 + 4 + 4, Min: 4, Max: 8}},
		"ab": {{Count: 1, Sum: 71, Min: 71, Max: 71}, {Count: 1, Sum: 3, Min: 3, Max: 3}},
	} {
		count := func() [2]tally.SizesView {
			return [2]tally.SizesView{spaces[name].Reads.View(), spaces[name].Writes.View()}
		}
		// The last write is counted once its reply has left.
		for end := time.Now().Add(10 * time.Second); count() != want && time.Now().Before(end); time.Sleep(time.Millisecond) {
		}
		if got := count(); got != want {
			t.Errorf("/%s: read and written %+v, want %+v", name, got, want)
		}
	}
	c, _ = w.client()
	w.Read(c, []Request{{Xid: 19, Op: proto.OpExists, Body: readBody("/a", false)}}, time.Now())
	w.ResetMetrics()
	a := w.Namespaces()["a"]
	if r, v := a.Reads.View(), a.Writes.View(); r.Count != 0 || v.Count != 0 {
		t.Errorf("after a reset: %+v, %+v", r, v)
	}
	w.Read(c, []Request{{Xid: 20, Op: proto.OpExists, Body: readBody("/a", false)}, {Xid: 21, Op: proto.OpExists, Body: readBody("/a", false)}}, time.Now())
	w.Detach(c)
	if r := w.Namespaces()["a"].Reads.View(); r.Count != 2 {
		t.Errorf("of a client that has gone: %+v", r)
	}
}

func TestNamespacesAreBounded(t *testing.T) {
	var all namespaces
	v := visits{all: &all}
	for i := range maxNamespaces + 100 {
		v.add(fmt.Sprintf("/n%d/a", i), 1)
	}
	v.add("/n7", 2)
	v.flush()
	m := Metrics{}
	m.namespaces.known.Store(all.known.Load())
	if got := m.list(); len(got) != maxNamespaces || got["n7"].Reads.View() != (tally.SizesView{Count: 2, Sum: 11, Min: 5, Max: 6}) {
		t.Errorf("%d of them, n7 has %+v", len(got), got["n7"].Reads.View())
	}
	path := "/n7/b"
	if n := testing.AllocsPerRun(100, func() { v.add(path, 1); v.add("/n8", 1); v.add("/not/counted", 1); v.flush() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestPropagation counts how old transactions are when they are applied.
func TestPropagation(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	w.submit(c, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/a", "", 0)}, Request{Xid: 2, Op: proto.OpCreate, Body: createBody("/b", "", 0)})
	m.next(t)
	m.next(t)
	// They are counted once replies have left. (The clock may be set back meanwhile, which leaves them out; the tests'
	// machine does not do that.)
	const want = 3 // the session's, and two
	counted := func() int64 { return int64(w.Metrics.Propagation.View().Count) }
	for end := time.Now().Add(10 * time.Second); counted() < want && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	if n := counted(); n != want {
		t.Errorf("%d transactions", n)
	}
}
