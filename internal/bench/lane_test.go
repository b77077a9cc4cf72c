package bench

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// testLane is a lane with one session that asks for gets of 10 bytes.
func testLane(depth int) (*lane, *session) {
	l := &load{
		base: time.Now(), depth: depth, mix: []kind{kindGet}, templates: testShape().templates(),
		keys: testShape().keys, existing: 100, lanes: 1,
	}
	l.window(0, forever, 0)
	s := newSession(1, depth)
	return newLane(l, 0, []*session{s}), s
}

// reply is a frame as a server sends it.
func reply(xid int32, code proto.Code, body int) []byte {
	b := jute.AppendInt(nil, int32(replyHeaderLen+body))
	b = proto.ReplyHeader{Xid: xid, Zxid: 7, Err: code}.Append(b)
	return append(b, make([]byte, body)...)
}

const getBody = 4 + 10 + statLen

// requests splits what a session wants to send into frames.
func requests(t *testing.T, b []byte) (xids []int32) {
	t.Helper()
	for len(b) > 0 {
		n := lengthLen + int(binary.BigEndian.Uint32(b))
		if n > len(b) {
			t.Fatalf("frame of %d bytes, %d left", n, len(b))
		}
		xids = append(xids, int32(binary.BigEndian.Uint32(b[lengthLen:])))
		b = b[n:]
	}
	return xids
}

func TestClosedLoopKeepsTheDepth(t *testing.T) {
	l, s := testLane(5)
	l.refill(s, 0)
	if xids := requests(t, s.out); len(xids) != 5 || xids[0] != 1 || xids[4] != 5 {
		t.Fatalf("xids %v", xids)
	}
	s.out = nil
	in := append(reply(1, proto.OK, getBody), reply(2, proto.OK, getBody)...)
	if err := l.receive(s, in, 1000); err != nil {
		t.Fatal(err)
	}
	l.refill(s, 1000)
	if xids := requests(t, s.out); len(xids) != 2 || xids[0] != 6 {
		t.Errorf("after 2 replies xids %v are sent", xids)
	}
	if l.rec.ops[kindGet] != 2 || l.inflight != 5 {
		t.Errorf("%d operations, %d in flight", l.rec.ops[kindGet], l.inflight)
	}
}

func TestRepliesInPieces(t *testing.T) {
	for cut := 1; cut < 100; cut++ {
		l, s := testLane(3)
		l.refill(s, 0)
		in := append(reply(1, proto.OK, getBody), reply(-1, proto.OK, 30)...)
		in = append(in, reply(-2, proto.OK, 0)...)
		in = append(in, reply(2, proto.OK, getBody)...)
		in = append(in, reply(3, proto.NoNode, 0)...)
		for len(in) > 0 {
			n := min(cut, len(in))
			if err := l.receive(s, in[:n], 5); err != nil {
				t.Fatalf("pieces of %d: %v", cut, err)
			}
			in = in[n:]
		}
		if l.rec.ops[kindGet] != 2 || s.events != 1 || l.rec.errs[proto.NoNode] != 1 || l.inflight != 0 {
			t.Fatalf("pieces of %d: %d good, %d events, errors %v, %d in flight",
				cut, l.rec.ops[kindGet], s.events, l.rec.errs, l.inflight)
		}
	}
}

func TestWrongReplies(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"later request": {reply(2, proto.OK, getBody), errOrder},
		"too short":     {jute.AppendInt(nil, 15), nil},
		"short header":  {append(jute.AppendInt(nil, 15), make([]byte, 20)...), errReply},
		"too long":      {append(jute.AppendInt(nil, maxReply+1), make([]byte, 20)...), errReply},
		"negative":      {append(jute.AppendInt(nil, -1), make([]byte, 20)...), errReply},
	} {
		l, s := testLane(3)
		l.refill(s, 0)
		if err := l.receive(s, c.in, 1); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
	l, s := testLane(3)
	if err := l.receive(s, reply(1, proto.OK, 0), 1); !errors.Is(err, errOrder) {
		t.Errorf("a reply to nothing: %v", err)
	}
	l.refill(s, 0)
	if err := l.receive(s, reply(1, proto.OK, getBody+1), 1); err != nil || l.rec.badLen != 1 || l.rec.ops[kindGet] != 0 {
		t.Errorf("a reply that is too long: %v, %d counted", err, l.rec.badLen)
	}
}

// A server that does not answer for a second cannot make latencies look
// short: they count from when an operation was due.
func TestOpenLoopHasNoCoordinatedOmission(t *testing.T) {
	l, s := testLane(1)
	l.schedule = newSchedule(0, 1000, 0, 1, nil)
	touched := 0
	l.dispatch(int64(time.Second), func(*session) { touched++ })
	if touched != 1001 || s.inflight != 1001 {
		t.Fatalf("%d operations are sent after a second, want those of 0..1000 ms", touched)
	}
	var in []byte
	for xid := range int32(1001) {
		in = append(in, reply(xid+1, proto.OK, getBody)...)
	}
	if err := l.receive(s, in, int64(time.Second)); err != nil {
		t.Fatal(err)
	}
	h := l.rec.hist[kindGet]
	if p50 := h.ValueAtQuantile(50); p50 < 499*ms || p50 > 501*ms {
		t.Errorf("median %d ns, want 500 ms", p50)
	}
	if h.Max() < 999*ms {
		t.Errorf("slowest %d ns, want 1 s", h.Max())
	}
}

func TestBacklogIsBoundedAndKeepsItsTimes(t *testing.T) {
	l, s := testLane(1)
	l.schedule = newSchedule(0, 1_000_000, 0, 1, nil)
	l.dispatch(int64(time.Second), func(*session) {})
	if s.inflight != maxBacklog {
		t.Fatalf("%d in flight, bound %d", s.inflight, maxBacklog)
	}
	if due := l.schedule.due(); due != int64(maxBacklog)*1000 {
		t.Errorf("the next is due at %d: its time moved", due)
	}
}

// What becomes due while others are written does not wait for a reply.
func TestOpenLoopSleepsOnlyUntilTheNextIsDue(t *testing.T) {
	l, s := testLane(1)
	l.schedule = newSchedule(0, 1000, 0, 1, nil)
	l.dispatch(0, func(*session) {})
	for now, want := range map[int64]time.Duration{ms / 4: 3 * time.Millisecond / 4, ms: 0, 2 * ms: 0} {
		if got := l.rest(now, time.Second); got != want {
			t.Errorf("at %d ns it sleeps %v, want %v", now, got, want)
		}
	}
	s.inflight = maxBacklog
	l.dispatch(ms, func(*session) {})
	if got := l.rest(2*ms, time.Second); got == 0 {
		t.Error("it does not sleep although it must wait for replies")
	}
}

func TestTicketsBoundOperations(t *testing.T) {
	l, s := testLane(10)
	l.limit(25)
	sent := 0
	for !l.finished(1) {
		s.out = s.out[:0]
		l.refill(s, 0)
		for _, xid := range requests(t, s.out) {
			sent++
			if err := l.receive(s, reply(xid, proto.OK, getBody), 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if sent != 25 {
		t.Errorf("%d operations, want 25", sent)
	}
}

func TestIdleSessionsPing(t *testing.T) {
	l, s := testLane(0)
	l.pingEvery = 10 * ms
	for at := int64(0); at < 100*ms; at += ms {
		l.ping(at, func(s *session) { s.lastSent = at })
	}
	if n := len(s.out) / len(pingFrame); n < 7 || n > 10 {
		t.Errorf("%d pings in 100 ms, one is due every 10", n)
	}
}

func TestXidsStayPositive(t *testing.T) {
	if x := nextXid(1<<31 - 1); x != 0 {
		t.Errorf("after the last xid comes %d", x)
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(reply(1, proto.OK, getBody), 7)
	f.Add(append(reply(-1, proto.OK, 30), reply(1, proto.NoNode, 0)...), 20)
	f.Add(reply(2, proto.OK, 0), 1)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, 4)
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		whole, ws := testLane(4)
		whole.refill(ws, 0)
		werr := whole.receive(ws, in, 1)
		parts, ps := testLane(4)
		parts.refill(ps, 0)
		cut = min(max(cut, 0), len(in))
		perr := parts.receive(ps, in[:cut], 1)
		if perr == nil {
			perr = parts.receive(ps, in[cut:], 1)
		}
		if (werr == nil) != (perr == nil) || whole.inflight != parts.inflight || whole.rec.total() != parts.rec.total() {
			t.Fatalf("whole: %v, %d in flight; in parts: %v, %d", werr, whole.inflight, perr, parts.inflight)
		}
	})
}
