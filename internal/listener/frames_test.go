package listener

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/throttle"
)

func TestLengthsOutOfBounds(t *testing.T) {
	w := newWorld(t, nil)
	other := w.client()
	for _, n := range []uint32{0xffffffff, 0x80000000, 0x7fffffff, uint32(w.MaxFrame + 1), 0, 7} {
		p := w.client()
		p.send(append(binary.BigEndian.AppendUint32(nil, n), make([]byte, 7)...))
		if b := p.ended(); len(b) > 0 {
			t.Errorf("length %d: answered %x", n, b)
		}
	}
	other.alive()
}

func TestUnknownOperations(t *testing.T) {
	w := newWorld(t, nil)
	for _, op := range []proto.Op{999, -10, 10, proto.OpError, proto.OpCreateSession} {
		p := w.client()
		// What comes before it is answered, what comes after it is not.
		b := message(1, proto.OpSetData, setBody("/zookeeper", "x", -1))
		b = append(b, message(2, op, nil)...)
		b = append(b, message(3, proto.OpExists, readBody("/", false))...)
		p.send(b)
		if h, _ := p.reply(); h.Xid != 1 {
			t.Errorf("%v: %+v", op, h)
		}
		if h, _ := p.reply(); h.Xid != 2 || h.Err != proto.Unimplemented || h.Zxid != -1 {
			t.Errorf("%v: %+v", op, h)
		}
		if rest := p.ended(); len(rest) > 0 {
			t.Errorf("%v: then came %x", op, rest)
		}
	}
}

func TestMalformedBodies(t *testing.T) {
	w := newWorld(t, nil)
	p := w.client()
	znodes := w.tree.NodeCount()
	ops := []proto.Op{
		proto.OpCreate, proto.OpCreate2, proto.OpCreateTTL, proto.OpCreateContainer, proto.OpDelete, proto.OpSetData,
		proto.OpSetACL, proto.OpMulti, proto.OpExists, proto.OpGetData, proto.OpGetACL, proto.OpGetChildren,
		proto.OpGetChildren2, proto.OpMultiRead, proto.OpSetWatches, proto.OpSetWatches2, proto.OpAddWatch,
		proto.OpRemoveWatches, proto.OpCheckWatches, proto.OpGetAllChildrenNumber, proto.OpGetEphemerals,
	}
	for _, op := range ops {
		for _, body := range [][]byte{nil, {0x7f, 0xff, 0xff, 0xff}, {0, 0, 0, 9, '/'}, append([]byte{0, 0, 1, 0, 0}, bytes.Repeat([]byte{0x7e}, 50)...)} {
			if code, _ := p.call(op, body); code == proto.OK {
				t.Errorf("%v %x was executed", op, body)
			}
		}
	}
	p.alive()
	if got := w.tree.NodeCount(); got != znodes {
		t.Errorf("%d znodes, want %d", got, znodes)
	}
}

func TestLongestFrame(t *testing.T) {
	w := newWorld(t, nil)
	p := w.client()
	overhead := len(message(0, proto.OpCreate, createBody("/big", "", 0))) - 4
	data := strings.Repeat("x", w.MaxFrame-overhead)
	p.must(proto.OpCreate, createBody("/big", data, 0))
	d := p.must(proto.OpGetData, readBody("/big", false))
	if got := d.Buffer(); string(got) != data {
		t.Errorf("%d bytes came back, want %d", len(got), len(data))
	}
	// The server may hang up at the length, before it was sent the rest.
	p.Write(message(99, proto.OpCreate, createBody("/big2", data+"x", 0)))
	p.ended()
	if code, _ := w.client().call(proto.OpExists, readBody("/big2", false)); code != proto.NoNode {
		t.Errorf("a frame that is too long: %v", code)
	}
}

func TestLengthAloneTakesNoMemory(t *testing.T) {
	const most = 64 << 20
	w := newWorld(t, func(s *setup) { s.listener.MaxFrame = most })
	var before, after runtime.MemStats
	var peers []*peer
	for range 16 {
		peers = append(peers, w.client())
	}
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, p := range peers {
		p.send(append(binary.BigEndian.AppendUint32(nil, most), make([]byte, 10000)...))
	}
	await(t, "the bytes to arrive", func() bool { return w.Received.Load() >= 16*10004 })
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("%d bytes for 16 lengths", took)
	}
}

func TestLargeRequests(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.gate.Large = throttle.LargeOptions{Threshold: 50_000, MaxBytes: 150_000}
		s.disk.gate = make(chan struct{}, 100)
		s.disk.gate <- struct{}{}
		s.disk.gate <- struct{}{}
	})
	p, q := w.client(), w.client()
	p.post(proto.OpCreate, createBody("/a", strings.Repeat("a", 100_000), 0))
	await(t, "the large request to be in flight", func() bool { return w.gate.LargeBytes() > 100_000 })
	q.post(proto.OpCreate, createBody("/b", strings.Repeat("b", 100_000), 0))
	q.ended()
	if !strings.Contains(w.log.String(), "too many large requests") {
		t.Errorf("the log does not say why:\n%s", w.log)
	}
	if n := w.LargeRefused.Load(); n != 1 {
		t.Errorf("%d were counted", n)
	}
	w.disk.release()
	if h, _ := p.reply(); h.Err != 0 {
		t.Errorf("large request: %+v", h)
	}
	await(t, "the count to go down", func() bool { return w.gate.LargeBytes() == 0 })
	r := w.client()
	r.must(proto.OpCreate, createBody("/b", strings.Repeat("b", 100_000), 0))
	// One after the other, though they came together.
	b := message(8, proto.OpSetData, setBody("/b", strings.Repeat("c", 100_000), -1))
	go r.Write(append(b, b...))
	for range 2 {
		if h, _ := r.reply(); h.Err != 0 {
			t.Errorf("two large requests: %+v", h)
		}
	}
}

func TestCloseSession(t *testing.T) {
	w := newWorld(t, nil)
	znodes := w.tree.NodeCount()
	for i := range 50 {
		p := w.client()
		b := message(1, proto.OpCreate, createBody("/e", "", proto.FlagEphemeral))
		b = append(b, message(2, proto.OpCloseSession, nil)...)
		if i%2 == 0 { // what comes after it is not looked at
			b = append(b, message(3, proto.OpCreate, createBody("/late", "", 0))...)
		}
		p.send(b)
		for xid := int32(1); xid <= 2; xid++ {
			if h, _ := p.reply(); h.Xid != xid || h.Err != 0 {
				t.Fatalf("reply %+v, want xid %d", h, xid)
			}
		}
		if rest := p.ended(); len(rest) > 0 {
			t.Fatalf("then came %x", rest)
		}
	}
	await(t, "sessions to end", func() bool { return w.Len() == 0 && w.Sessions.Len() == 0 })
	if got := w.tree.NodeCount(); got != znodes {
		t.Errorf("%d znodes are left, want %d", got, znodes)
	}
}

func authBody(scheme, data string) []byte {
	return jute.AppendString(jute.AppendString(jute.AppendInt(nil, 0), scheme), data)
}

func (p *peer) auth(scheme, data string) proto.ReplyHeader {
	p.t.Helper()
	p.send(message(proto.XidAuth, proto.OpAuth, authBody(scheme, data)))
	h, _ := p.reply()
	return h
}

func TestAuthPackets(t *testing.T) {
	w := newWorld(t, nil)
	p := w.client()
	if h := p.auth("digest", "bob:secret"); h.Err != 0 || h.Xid != proto.XidAuth {
		t.Errorf("digest: %+v", h)
	}
	hash, err := auth.GenerateDigest("bob:secret", "SHA1")
	if err != nil {
		t.Fatal(err)
	}
	acl := proto.AppendACLs(nil, []proto.ACL{{Perms: proto.PermAll, Scheme: "digest", ID: hash}})
	body := append(jute.AppendString(jute.AppendString(nil, "/bob"), "x"), acl...)
	p.must(proto.OpCreate, jute.AppendInt(body, 0))
	p.must(proto.OpGetData, readBody("/bob", false))

	q := w.client()
	if code, _ := q.call(proto.OpGetData, readBody("/bob", false)); code != proto.NoAuth {
		t.Errorf("without authentication: %v", code)
	}
	// In one write: the request after the packet has its identity already.
	q.send(append(message(proto.XidAuth, proto.OpAuth, authBody("digest", "bob:secret")),
		message(7, proto.OpGetData, readBody("/bob", false))...))
	if h, _ := q.reply(); h.Xid != proto.XidAuth || h.Err != 0 {
		t.Errorf("auth: %+v", h)
	}
	if h, _ := q.reply(); h.Xid != 7 || h.Err != 0 {
		t.Errorf("with authentication: %+v", h)
	}

	if h := q.auth("kerberos5", "x"); h.Err != proto.AuthFailed {
		t.Errorf("unknown scheme: %+v", h)
	}
	q.ended()
	if n := w.AuthFailed.Load(); n != 1 {
		t.Errorf("%d refused authentications were counted", n)
	}
	r := w.client()
	r.send(message(proto.XidAuth, proto.OpAuth, []byte{1, 2}))
	r.ended()
	p.alive()
}

func TestEnforcedAuthentication(t *testing.T) {
	schemes := "digest"
	w := newWorld(t, func(s *setup) {
		s.auth.Policy = auth.PolicyOptions{Enforce: true, Schemes: &schemes}
	})
	p := w.client()
	p.post(proto.OpExists, readBody("/", false))
	if h, _ := p.reply(); h.Err != proto.SessionClosedRequireSASLAuth {
		t.Errorf("without authentication: %+v", h)
	}
	p.ended()
	q := w.client()
	if h := q.auth("digest", "bob:secret"); h.Err != 0 {
		t.Errorf("digest: %+v", h)
	}
	q.must(proto.OpExists, readBody("/", false))
}

func TestRequestThrottle(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.requests = throttle.RequestOptions{Max: 2, Stall: 1} })
	p, q := w.client(), w.client()
	var b []byte
	for i := range int32(100) {
		b = append(b, message(2*i+1, proto.OpCreate, createBody("/s-", "", proto.FlagPersistentSequential))...)
		b = append(b, message(2*i+2, proto.OpExists, readBody("/", false))...)
	}
	for _, c := range []*peer{p, q} {
		c.send(b)
	}
	for _, c := range []*peer{p, q} {
		for i := range int32(200) {
			if h, _ := c.reply(); h.Xid != i+1 || h.Err != 0 {
				t.Fatalf("reply %d: %+v", i, h)
			}
		}
	}
}

// TestThrottleWithoutAnEngine submits to an engine that takes nothing any more:
// the request throttle must not count what was refused. The world looks at that.
func TestThrottleWithoutAnEngine(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.requests = throttle.RequestOptions{Max: 2, Stall: 1} })
	p := w.client()
	w.Engine.Close()
	p.post(proto.OpCreate, createBody("/a", "", 0))
	p.ended()
}
