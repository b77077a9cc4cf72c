package differential

import "github.com/quollhq/quoll/internal/proto"

// multi draws a multi. About half of them succeed; the others fail in any place.
func (g *generator) multi(r *request) {
	for range g.rng.IntN(6) {
		op := pick(g, proto.OpCreate, proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL,
			proto.OpDelete, proto.OpSetData, proto.OpSetData, proto.OpCheck)
		if g.chance(1) {
			op = pick(g, proto.OpGetData, proto.OpGetChildren, proto.OpSetACL, proto.OpExists, proto.OpMulti, proto.Op(77))
		}
		g.sub(r, op)
	}
	r.body = multiEnd(r.body)
}

// multiRead draws a multiRead.
func (g *generator) multiRead(r *request) {
	for range g.rng.IntN(6) {
		op := pick(g, proto.OpGetData, proto.OpGetChildren)
		if g.chance(1) {
			op = pick(g, proto.OpExists, proto.OpGetChildren2, proto.OpCheck, proto.OpDelete)
		}
		g.sub(r, op)
	}
	r.body = multiEnd(r.body)
}

// sub adds an operation, unless the frame would become too long: whether requests before such a frame are answered is
// chance with Apache's server.
func (g *generator) sub(r *request, op proto.Op) {
	h, body := g.operation(op, r)
	if len(r.body)+len(body) > maxBuffer-1000 {
		return
	}
	r.body = putInt(putBool(putInt(r.body, int32(op)), false), -1)
	r.hints = append(r.hints, h)
	r.body = append(r.body, body...)
}

func multiEnd(b []byte) []byte { return putInt(putBool(putInt(b, -1), true), -1) }
