package request

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/watch"
)

// memLog is a log without a disk.
type memLog struct {
	mu     sync.Mutex
	synced int64
	last   int64
	fail   error
	gate   chan struct{} // if set, each Sync takes one
}

func (l *memLog) Append(_ []byte, first, last int64, _ int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first <= l.last {
		return fmt.Errorf("zxid 0x%x after 0x%x", first, l.last)
	}
	l.last = last
	return nil
}

func (l *memLog) Sync() error {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.synced = l.last
	return l.fail
}

func (l *memLog) Roll() error { return nil }

// memConn collects what a client is sent.
type memConn struct {
	c      *Client
	mu     sync.Mutex
	got    []byte
	closed bool
	more   chan struct{}
}

func (m *memConn) Flush() {
	frames, _ := m.c.Take()
	m.mu.Lock()
	m.got = append(m.got, frames...)
	m.mu.Unlock()
	select {
	case m.more <- struct{}{}:
	default:
	}
}

func (m *memConn) Close(string) {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.c.Discard()
}

// next waits for one frame.
func (m *memConn) next(t *testing.T) (proto.ReplyHeader, jute.Decoder) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		m.mu.Lock()
		if len(m.got) >= 4 {
			d := jute.NewDecoder(m.got)
			if frame := d.Buffer(); d.Err() == nil {
				m.got = m.got[4+len(frame):]
				m.mu.Unlock()
				fd := jute.NewDecoder(frame)
				var h proto.ReplyHeader
				h.Decode(&fd)
				return h, fd
			}
		}
		m.mu.Unlock()
		select {
		case <-m.more:
		case <-deadline:
			t.Fatal("no reply")
		}
	}
}

type world struct {
	*Engine
	t    *testing.T
	log  *memLog
	tree *tree.Tree
}

func newWorld(t *testing.T, edit func(*Options)) *world {
	t.Helper()
	reg, err := auth.New(auth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := &memLog{}
	tr := tree.New(tree.Options{ExtendedTypes: true})
	o := Options{
		Tree: tr, Watches: watch.New(), Sessions: session.NewTracker(1000, 0), Auth: reg, Log: log,
		Logger: slog.New(slog.DiscardHandler), Now: time.Now, Rand: rand.New(rand.NewPCG(1, 2)),
		DigestEnabled: true, ExtendedTypes: true, CloseSessionTxn: true, OutstandingLimit: 1000,
		MaxInFlight: 1 << 20, SnapCount: 1 << 30, EnforceQuota: true,
	}
	if edit != nil {
		edit(&o)
	}
	if o.Tree != tr {
		tr.Close()
		tr = o.Tree
	}
	w := &world{Engine: New(o), t: t, log: log, tree: tr}
	w.Start()
	t.Cleanup(func() {
		w.Close()
		if n := w.Metrics.DigestMismatches.Load(); n != 0 {
			t.Errorf("%d transactions whose predicted digest differs from the tree's", n)
		}
		if err := tr.Check(); err != nil {
			t.Error(err)
		}
		tr.Close()
		w.Watches.Close()
	})
	return w
}

var nextSession = struct {
	sync.Mutex
	id int64
}{id: 1 << 56}

func (w *world) client() (*Client, *memConn) {
	w.t.Helper()
	nextSession.Lock()
	nextSession.id++
	id := nextSession.id
	nextSession.Unlock()
	return w.clientOf(id)
}

// clientOf opens the session with that number.
func (w *world) clientOf(id int64) (*Client, *memConn) {
	w.t.Helper()
	c := &Client{}
	m := &memConn{c: c, more: make(chan struct{}, 1)}
	c.Conn = m
	c.Session, _ = w.Sessions.Track(id, 30000, 0)
	c.Session.SetOwner(LocalOwner)
	w.Attach(c)
	if err := w.CreateSession(c); err != nil {
		w.t.Fatal(err)
	}
	if !c.Drain() {
		w.t.Fatal("session was not created")
	}
	return c, m
}

func createBody(path, data string, flags int32) []byte {
	b := jute.AppendString(nil, path)
	b = jute.AppendString(b, data)
	b = append(b, openACL...)
	return jute.AppendInt(b, flags)
}

func setBody(path, data string, version int32) []byte {
	return jute.AppendInt(jute.AppendString(jute.AppendString(nil, path), data), version)
}

func deleteBody(path string, version int32) []byte {
	return jute.AppendInt(jute.AppendString(nil, path), version)
}

func readBody(path string, watched bool) []byte {
	return jute.AppendBool(jute.AppendString(nil, path), watched)
}

func (w *world) submit(c *Client, reqs ...Request) {
	w.t.Helper()
	if err := w.Submit(c, reqs); err != nil {
		w.t.Fatal(err)
	}
}

func TestWriteThenRead(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	w.submit(c,
		Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/a", "x", 0)},
		Request{Xid: 2, Op: proto.OpCreate, Body: createBody("/a/s-", "", proto.FlagPersistentSequential)},
		Request{Xid: 3, Op: proto.OpCreate, Body: createBody("/a", "x", 0)},
		Request{Xid: 4, Op: proto.OpSetData, Body: setBody("/a", "y", 0)},
		Request{Xid: 5, Op: proto.OpSetData, Body: setBody("/a", "z", 0)},
		Request{Xid: 6, Op: proto.OpDelete, Body: deleteBody("/a", -1)})
	for i, want := range []proto.Code{0, 0, proto.NodeExists, 0, proto.BadVersion, proto.NotEmpty} {
		h, d := m.next(t)
		if h.Err != want || h.Xid != int32(i+1) || h.Zxid != int64(i+2) {
			t.Errorf("reply %d: %+v, want code %d", i, h, want)
		}
		if i == 1 {
			if path := d.String(); path != "/a/s-0000000000" {
				t.Errorf("sequential path %q", path)
			}
		}
	}
	w.Read(c, []Request{{Xid: 7, Op: proto.OpGetData, Body: readBody("/a", false)}}, time.Now())
	m.Flush()
	if h, d := m.next(t); h.Err != 0 || string(d.Buffer()) != "y" || h.Zxid != 7 {
		t.Errorf("read: %+v", h)
	}
}

func multiBody(ops ...Request) []byte {
	var b []byte
	for _, r := range ops {
		b = append(proto.MultiHeader{Type: r.Op, Err: -1}.Append(b), r.Body...)
	}
	return proto.AppendMultiEnd(b)
}

func TestFailedMultiLeavesNothing(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	w.submit(c,
		Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/m", "", 0)},
		Request{Xid: 2, Op: proto.OpMulti, Body: multiBody(
			Request{Op: proto.OpCreate, Body: createBody("/m/a", "", 0)},
			Request{Op: proto.OpSetData, Body: setBody("/m", "changed", -1)},
			Request{Op: proto.OpDelete, Body: deleteBody("/missing", -1)},
			Request{Op: proto.OpCreate, Body: createBody("/m/b", "", 0)})},
		Request{Xid: 3, Op: proto.OpCreate, Body: createBody("/m/a", "", 0)},
		Request{Xid: 4, Op: proto.OpSetData, Body: setBody("/m", "v", 0)},
		Request{Xid: 5, Op: proto.OpMulti, Body: multiBody(
			Request{Op: proto.OpCreate, Body: createBody("/m/b", "", 0)},
			Request{Op: proto.OpDelete, Body: deleteBody("/m/b", 0)},
			Request{Op: proto.OpCreate2, Body: createBody("/m/s", "", proto.FlagEphemeralSequential)})})
	m.next(t)
	_, d := m.next(t)
	for i, want := range []proto.Code{0, 0, proto.NoNode, proto.RuntimeInconsistency} {
		var h proto.MultiHeader
		h.Decode(&d)
		if code := proto.Code(d.Int()); h.Type != proto.OpError || code != want || h.Err != want {
			t.Errorf("result %d: %+v, %v, want %v", i, h, code, want)
		}
	}
	for xid := int32(3); xid <= 5; xid++ {
		if h, _ := m.next(t); h.Err != 0 || h.Xid != xid {
			t.Errorf("after the failed multi: %+v", h)
		}
	}
}

func TestNothingIsAcknowledgedAfterAFailedSync(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	w.log.mu.Lock()
	w.log.fail = errors.New("disk is gone")
	w.log.mu.Unlock()
	w.submit(c, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/lost", "", 0)})
	if err := <-w.Failed(); !errors.Is(err, w.log.fail) {
		t.Fatalf("failure %v", err)
	}
	if err := w.Submit(c, []Request{{Xid: 2, Op: proto.OpCreate, Body: createBody("/late", "", 0)}}); !errors.Is(err, ErrClosed) {
		t.Errorf("submit after the failure: %v", err)
	}
	m.Flush()
	if len(m.got) != 0 {
		t.Error("an unsynced write was acknowledged")
	}
	if n := w.tree.Find("/lost"); n != 0 {
		t.Error("an unsynced write was applied")
	}
}

func TestEphemeralsGoWithTheirSessionInFlightOrNot(t *testing.T) {
	w := newWorld(t, nil)
	w.log.mu.Lock()
	w.log.gate = make(chan struct{}, 100)
	w.log.mu.Unlock()
	for range 2 {
		w.log.gate <- struct{}{}
	}
	c, m := w.client()
	other, om := w.client()
	w.submit(c, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/e1", "", proto.FlagEphemeral)})
	w.log.gate <- struct{}{}
	m.next(t)
	// In flight when the session closes: one more ephemeral, and one that went.
	w.submit(c,
		Request{Xid: 2, Op: proto.OpCreate, Body: createBody("/e2", "", proto.FlagEphemeral)},
		Request{Xid: 3, Op: proto.OpCreate, Body: createBody("/e3", "", proto.FlagEphemeral)},
		Request{Xid: 4, Op: proto.OpDelete, Body: deleteBody("/e3", -1)},
		Request{Xid: 5, Op: proto.OpCloseSession})
	w.submit(other, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/e1", "", 0)})
	for range 10 {
		w.log.gate <- struct{}{}
	}
	for xid := int32(2); xid <= 5; xid++ {
		if h, _ := m.next(t); h.Err != 0 || h.Xid != xid {
			t.Errorf("reply %+v, want xid %d", h, xid)
		}
	}
	if h, _ := om.next(t); h.Err != 0 {
		t.Errorf("the path of a closing session's ephemeral is not free: %v", h.Err)
	}
	w.tree.RLock(0)
	defer w.tree.RUnlock(0)
	if w.tree.Find("/e2") != 0 || w.tree.Find("/e3") != 0 || w.tree.Find("/e1") == 0 {
		t.Error("wrong znodes remain")
	}
}

func TestEventComesBeforeReply(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	w.submit(c, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/w", "", 0)})
	m.next(t)
	w.Read(c, []Request{{Xid: 2, Op: proto.OpGetData, Body: readBody("/w", true)}}, time.Now())
	m.Flush()
	m.next(t)
	w.submit(c, Request{Xid: 3, Op: proto.OpSetData, Body: setBody("/w", "x", -1)})
	h, d := m.next(t)
	var e proto.WatcherEvent
	e.Decode(&d)
	if h.Xid != proto.XidNotification || h.Zxid != 3 || e.Type != proto.EventNodeDataChanged || e.Path != "/w" {
		t.Errorf("first frame %+v %+v", h, e)
	}
	if h, _ := m.next(t); h.Xid != 3 {
		t.Errorf("second frame %+v", h)
	}
}

// TestRandomPipelines sends random writes of several clients, many in flight:
// the digest predicted for each transaction must be the tree's after it, and
// the tree consistent at the end; newWorld's clean-up looks at both.
func TestRandomPipelines(t *testing.T) {
	w := newWorld(t, nil)
	var wg sync.WaitGroup
	for n := range 4 {
		c, m := w.client()
		wg.Add(1)
		go func() {
			defer wg.Done()
			rng := rand.New(rand.NewPCG(7, uint64(n)))
			var xid int32
			for range 300 {
				var batch []Request
				for range 1 + rng.IntN(12) {
					xid++
					r := randomWrite(rng, true)
					r.Xid = xid
					batch = append(batch, r)
				}
				if err := w.Submit(c, batch); err != nil {
					t.Error(err)
					return
				}
				if rng.IntN(4) == 0 {
					c.Drain()
				}
			}
			c.Drain()
			m.Flush()
			for want := int32(1); want <= xid; want++ {
				if h, _ := m.next(t); h.Xid != want {
					t.Errorf("reply %d instead of %d", h.Xid, want)
					return
				}
			}
		}()
	}
	wg.Wait()
}

func randomWrite(rng *rand.Rand, multi bool) Request {
	path := ""
	for range 1 + rng.IntN(3) {
		path += "/" + string(rune('a'+rng.IntN(3)))
	}
	version := int32(-1)
	if rng.IntN(3) == 0 {
		version = int32(rng.IntN(3))
	}
	switch k := rng.IntN(10); {
	case k < 3:
		return Request{Op: proto.OpCreate, Body: createBody(path, "data", int32(rng.IntN(4)))}
	case k < 4:
		return Request{Op: proto.OpCreate2, Body: createBody(path, "", 0)}
	case k < 5:
		b := createBody(path, "c", proto.FlagContainer)
		return Request{Op: proto.OpCreateContainer, Body: b}
	case k < 7:
		return Request{Op: proto.OpSetData, Body: setBody(path, fmt.Sprint(rng.IntN(100)), version)}
	case k < 8 && multi:
		var ops []Request
		for range rng.IntN(5) {
			ops = append(ops, randomWrite(rng, false))
		}
		return Request{Op: proto.OpMulti, Body: multiBody(ops...)}
	}
	return Request{Op: proto.OpDelete, Body: deleteBody(path, version)}
}

func FuzzSubmit(f *testing.F) {
	f.Add(int32(proto.OpCreate), createBody("/a", "x", 0))
	f.Add(int32(proto.OpSetData), setBody("/", "x", -1))
	f.Add(int32(proto.OpMulti), multiBody(Request{Op: proto.OpDelete, Body: deleteBody("/a", 0)}))
	f.Add(int32(proto.OpSetACL), append(append(jute.AppendString(nil, "/"), openACL...), 0, 0, 0, 1))
	f.Add(int32(proto.OpReconfig), []byte{})
	f.Fuzz(func(t *testing.T, op int32, body []byte) {
		if !IsWrite(proto.Op(op)) {
			return
		}
		w := newWorld(t, nil)
		c, m := w.client()
		w.submit(c, Request{Xid: 1, Op: proto.Op(op), Body: body})
		if h, _ := m.next(t); h.Xid != 1 {
			t.Errorf("reply to %d", h.Xid)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(int32(proto.OpGetData), readBody("/", true))
	f.Add(int32(proto.OpMultiRead), multiBody(Request{Op: proto.OpGetData, Body: readBody("/", false)}))
	f.Add(int32(proto.OpSetWatches2), make([]byte, 28))
	f.Add(int32(proto.OpAddWatch), jute.AppendInt(jute.AppendString(nil, "/x"), 1))
	f.Add(int32(proto.OpRemoveWatches), jute.AppendInt(jute.AppendString(nil, "/x"), 3))
	f.Fuzz(func(t *testing.T, op int32, body []byte) {
		if !IsRead(proto.Op(op)) {
			return
		}
		w := newWorld(t, nil)
		c, m := w.client()
		w.Read(c, []Request{{Xid: 1, Op: proto.Op(op), Body: body}}, time.Now())
		m.Flush()
		for {
			h, _ := m.next(t)
			if h.Xid == 1 || h.Xid == proto.XidPing && proto.Op(op) == proto.OpPing {
				return
			}
			if h.Xid != proto.XidNotification {
				t.Fatalf("frame %+v", h)
			}
		}
	})
}

// dueCounter is a Snapshotter that only counts.
type dueCounter struct {
	size int64
	due  atomic.Int64
	busy atomic.Bool // one is being written
}

func (d *dueCounter) Due(freeze func() (Frozen, bool)) bool {
	if d.busy.Load() {
		return false
	}
	if f, ok := freeze(); ok {
		f.View.Close()
		d.due.Add(1)
	}
	return true
}

func (d *dueCounter) Size() int64 { return d.size }

func TestSnapshotsWaitForALogOfSomeLength(t *testing.T) {
	for name, tc := range map[string]struct {
		last int64 // bytes of the last snapshot
		want bool
	}{"small tree": {0, true}, "large tree": {1 << 30, false}} {
		t.Run(name, func(t *testing.T) {
			snaps := &dueCounter{size: tc.last}
			w := newWorld(t, func(o *Options) { o.SnapCount, o.Snapshots = 10, snaps })
			c, _ := w.client()
			for xid := range int32(20) {
				w.submit(c, Request{Xid: xid, Op: proto.OpSetData, Body: setBody("/", "x", -1)})
				c.Drain()
			}
			w.Close()
			if got := snaps.due.Load() > 0; got != tc.want {
				t.Errorf("%d snapshots due, wanted some: %v", snaps.due.Load(), tc.want)
			}
		})
	}
}

func TestWorthOfASnapshot(t *testing.T) {
	for _, tc := range []struct {
		snapshot int64
		log      float64
	}{
		{0, 0},
		{10 << 20, 30 << 20},
		{300 << 20, 512 << 20},
		{10 << 30, 10 << 30},
	} {
		if got := worth(tc.snapshot); got != tc.log {
			t.Errorf("a snapshot of %d bytes is worth %.0f bytes of log, want %.0f", tc.snapshot, got, tc.log)
		}
	}
}

func TestLargeListsComeFromAView(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	const children = largeList + 10
	for i := 0; i < children; i += 100 {
		var batch []Request
		for j := i; j < min(i+100, children); j++ {
			batch = append(batch, Request{Op: proto.OpCreate, Body: createBody(fmt.Sprintf("/c%06d", j), "", 0)})
		}
		w.submit(c, batch...)
		if !c.Drain() {
			t.Fatal("client is gone")
		}
	}
	m.Flush()
	for range children {
		m.next(t)
	}
	reqs := []Request{
		{Xid: 1, Op: proto.OpExists, Body: readBody("/c000001", false)},
		{Xid: 2, Op: proto.OpGetChildren2, Body: readBody("/", true)},
		{Xid: 3, Op: proto.OpGetChildren, Body: readBody("/", false)},
		{Xid: 4, Op: proto.OpExists, Body: readBody("/c000001", false)},
	}
	for done := 0; done < len(reqs); {
		done += w.Read(c, reqs[done:], time.Now())
	}
	w.submit(c, Request{Xid: 5, Op: proto.OpDelete, Body: deleteBody("/c000001", -1)})
	m.Flush()
	for xid := int32(1); xid <= 4; xid++ {
		h, d := m.next(t)
		if h.Xid != xid || h.Err != 0 {
			t.Fatalf("reply %+v, want xid %d", h, xid)
		}
		if xid == 2 || xid == 3 {
			if n := len(d.Strings()); n != children+1 {
				t.Errorf("reply %d lists %d children", xid, n)
			}
		}
	}
	if h, _ := m.next(t); h.Xid != proto.XidNotification {
		t.Errorf("the watch set with a large list was not told: %+v", h)
	}
}

// A reply can be with its client while the writer still holds the tree. Whoever
// comes with its zxid then is not from the future.
func TestReachedWhatWasReplied(t *testing.T) {
	applying, goOn := make(chan int64), make(chan struct{})
	w := newWorld(t, func(o *Options) {
		o.SessionClosed = func(id int64) {
			applying <- id
			<-goOn
		}
	})
	c, m := w.client()
	first, _ := w.client()
	second, _ := w.client()
	end := func(c *Client) {
		if err := w.CloseSession(c.Session); err != nil {
			t.Fatal(err)
		}
	}
	end(first)
	<-applying
	w.submit(c, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/a", "x", 0)})
	end(second) // in one batch with it
	goOn <- struct{}{}
	<-applying
	m.Flush()
	h, _ := m.next(t)
	if w.Zxid() >= h.Zxid {
		t.Errorf("the writer has said that it is at 0x%x: the test is about a moment before", w.Zxid())
	}
	reached := make(chan bool)
	go func() { reached <- w.Reached(h.Zxid) }()
	goOn <- struct{}{}
	if !<-reached {
		t.Errorf("0x%x is not reached, says who has replied with it", h.Zxid)
	}
	if w.Reached(h.Zxid + 100) {
		t.Error("a zxid of the future is reached")
	}
}
