package differential

import (
	"math"
	"math/rand/v2"

	"github.com/quollhq/quoll/internal/proto"
)

// generator draws steps from a seed and from what the judge answered so far.
type generator struct {
	rng    *rand.Rand
	model  *model
	slots  [slots]slotState
	zxid   int64 // the last one seen
	queue  []step
	serial int
	// batch tells that the request being drawn is one of several in a row.
	batch bool
}

type slotState struct {
	connected bool
	session   bool
	xid       int32
}

func newGenerator(seed uint64) *generator {
	return &generator{rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), model: newModel()}
}

func (g *generator) chance(percent float64) bool { return g.rng.Float64()*100 < percent }

func pick[T any](g *generator, of ...T) T { return of[g.rng.IntN(len(of))] }

// pingEvery is the number of steps after which all clients ping, so that no session expires while others are busy.
const pingEvery = 1000

// next draws a step.
func (g *generator) next() step {
	if g.serial++; g.serial%pingEvery == 0 {
		for i := range g.slots {
			g.queue = append(g.queue, send{slot: i, requests: []request{ping}})
		}
	}
	if len(g.queue) > 0 {
		s := g.queue[0]
		g.queue = g.queue[1:]
		return s
	}
	slot := g.rng.IntN(slots)
	s := &g.slots[slot]
	switch {
	case !s.session:
		if g.chance(60) {
			g.queue = append(g.queue, send{slot: slot, requests: []request{g.auth(slot)}})
		}
		return g.open(slot)
	case !s.connected:
		return g.resume(slot, g.chance(80))
	case g.chance(1.5):
		return g.churn(slot)
	case g.chance(0.4):
		return g.stranger()
	case g.chance(1):
		return send{slot: slot, requests: []request{g.fatal(slot)}}
	case g.chance(20):
		return g.pipeline(slot)
	case g.chance(3):
		return send{slot: slot, requests: []request{g.mutated(slot)}}
	case g.chance(1.5):
		return send{slot: slot, requests: []request{g.auth(slot)}}
	}
	return send{slot: slot, requests: []request{g.request(slot)}}
}

func (g *generator) open(slot int) step {
	o := open{slot: slot, timeout: g.timeout(), readOnly: byte(g.rng.IntN(3)), passwd: make([]byte, 16)}
	switch {
	case g.chance(10):
		o.passwd = nil
	case g.chance(10):
		o.passwd = make([]byte, g.rng.IntN(40))
	case g.chance(5):
		o.zxid = g.zxid
	case g.chance(5):
		o.zxid = g.zxid + 1000
	case g.chance(5):
		o.zxid = -1
	}
	return o
}

// timeout is one that the servers, which have bounds, make long enough for the test.
func (g *generator) timeout() int32 {
	return pick[int32](g, 800_000, 800_000, 800_000, leastTimeout, mostTimeout, 1, 0, -5, 2_000_000, math.MaxInt32)
}

func (g *generator) resume(slot int, right bool) step {
	r := resume{slot: slot, timeout: g.timeout(), readOnly: byte(g.rng.IntN(3)), drop: g.chance(50)}
	switch {
	case !right:
		r.wrong = pick(g, "password", "length", "session")
	case g.chance(30):
		r.zxid = g.zxid
	case g.chance(5):
		r.zxid = g.zxid + 1000
	}
	return r
}

// churn is what happens to sessions.
func (g *generator) churn(slot int) step {
	switch g.rng.IntN(4) {
	case 0:
		return drop{slot: slot}
	case 1:
		return send{slot: slot, requests: []request{{xid: g.xid(slot), op: proto.OpCloseSession}}}
	case 2:
		return g.resume(slot, g.chance(70))
	}
	g.batch = true
	defer func() { g.batch = false }()
	r := g.request(slot)
	return send{slot: slot, requests: []request{r, {xid: g.xid(slot), op: proto.OpCloseSession}}}
}

// stranger sends what is no handshake.
func (g *generator) stranger() step {
	body := connectRequest(0, leastTimeout, 0, make([]byte, 16), 0)[4:]
	switch g.rng.IntN(5) {
	case 0:
		return raw{why: "a handshake of length -1", bytes: putInt(nil, -1)}
	case 1:
		return raw{why: "a handshake that is too long", bytes: putInt(nil, maxBuffer+1)}
	case 2:
		return raw{why: "a handshake cut short", bytes: framed(body[:g.rng.IntN(28)])}
	case 3:
		return raw{why: "an empty frame", bytes: putInt(nil, 0)}
	}
	bad := append([]byte(nil), body...)
	copy(bad[24:], putInt(nil, pick[int32](g, -2, 1000, math.MaxInt32, math.MinInt32)))
	return raw{why: "a handshake whose password has an impossible length", bytes: framed(bad)}
}

// fatal is a request after which the server hangs up.
func (g *generator) fatal(slot int) request {
	switch g.rng.IntN(8) {
	case 0:
		return request{bytes: putInt(nil, pick[int32](g, -1, math.MinInt32, maxBuffer+1, math.MaxInt32))}
	case 1:
		return request{bytes: framed(make([]byte, g.rng.IntN(8)))}
	case 2:
		return g.badAuth(slot)
	}
	op := proto.Op(pick[int32](g, 10, 13, 0, -1, 23, 99, 108, 1000, -11<<8, math.MaxInt32, math.MinInt32))
	body := make([]byte, g.rng.IntN(20))
	if g.chance(50) {
		body = putInt(putString(nil, g.path()), -1)
	}
	return request{xid: g.xid(slot), op: op, body: body, ends: true}
}

// pipeline is several requests in one write.
func (g *generator) pipeline(slot int) step {
	g.batch = true
	defer func() { g.batch = false }()
	s := send{slot: slot}
	for range 2 + g.rng.IntN(7) {
		r := g.request(slot)
		s.requests = append(s.requests, r)
		if r.op == proto.OpSetACL {
			break // whether Apache's server checks what follows against the new list or the old one is a race
		}
	}
	return s
}

// mutated is a request whose body has been damaged.
func (g *generator) mutated(slot int) request {
	r := g.request(slot)
	r.hints = nil
	if len(r.body) == 0 {
		return r
	}
	// A damaged time to live may come with flags that Apache's server fails on while it applies them. A path that is null is
	// a path like any other to its watches.
	if g.chance(50) || r.op == proto.OpCreateTTL || r.op == proto.OpMulti || isWatch(r.op) {
		if g.chance(20) {
			r.body = append(r.body, 1, 2, 3)
		} else {
			r.body = r.body[:g.rng.IntN(len(r.body))]
		}
		return r
	}
	r.body = append([]byte(nil), r.body...)
	i := g.rng.IntN(min(len(r.body), 60))
	switch g.rng.IntN(3) {
	case 0:
		r.body[i] ^= 1 << g.rng.IntN(8)
	case 1:
		r.body[i] = byte(g.rng.IntN(256))
	case 2:
		copy(r.body[i:], []byte{0xff, 0xff, 0xff, byte(0xff - g.rng.IntN(3))})
	}
	r.nullID = true
	return r
}

func isWatch(op proto.Op) bool {
	switch op {
	case proto.OpSetWatches, proto.OpSetWatches2, proto.OpAddWatch, proto.OpCheckWatches, proto.OpRemoveWatches:
		return true
	}
	return false
}

// xid is the next one of a slot, now and then one that a client would not use. Never -1: replies with it look like events.
func (g *generator) xid(slot int) int32 {
	if g.chance(1) {
		return pick[int32](g, 0, -3, -4, -8, math.MaxInt32, math.MinInt32)
	}
	g.slots[slot].xid++
	return g.slots[slot].xid
}

// learn takes over what the judge answered.
func (g *generator) learn(s step, o observation) {
	for _, r := range o.replies {
		g.zxid = max(g.zxid, r.zxid)
	}
	switch s := s.(type) {
	case open:
		g.slots[s.slot].connected, g.slots[s.slot].session = !o.closed, !o.closed
	case resume:
		g.slots[s.slot].connected = !o.closed
	case drop:
		g.slots[s.slot].connected = false
	case send:
		g.slots[s.slot].connected = !o.closed
		for i, p := range o.replies {
			r := s.requests[i]
			if r.op == proto.OpCloseSession {
				g.slots[s.slot].session = false
				g.model.closed(s.slot)
				continue
			}
			g.model.learn(s.slot, r.hints, p.results)
		}
	}
}

// disconnected tells that both servers were started anew.
func (g *generator) disconnected() {
	for i := range g.slots {
		g.slots[i].connected = false
	}
}
