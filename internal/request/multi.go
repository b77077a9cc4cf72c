package request

import (
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// multi prepares a request of several changes that all happen or none. If one
// is refused, all become errors in the log: those before it with OK, it with
// its own code, those behind with RuntimeInconsistency.
func (p *pipeline) multi(it *item, body []byte) {
	s := &p.prep
	code, spends := checkMulti(body)
	if !spends && p.e.Ensemble == nil {
		it.code = code
		return
	}
	s.zxid++
	if code != proto.OK {
		p.refuse(it, code)
		return
	}
	digest := s.digest
	s.overlay.begin()
	start := p.beginRecord(it, proto.OpMulti)
	subs := len(p.batch.buf)
	n, failed, code := p.multiSubs(body)
	if code != proto.OK {
		s.overlay.rollback(s.zxid)
		s.digest = digest
		p.batch.buf = appendFailed(p.batch.buf[:subs], n, failed, code)
	} else {
		s.overlay.end()
	}
	b := p.batch.buf
	if p.e.DigestEnabled {
		b = txn.AppendDigest(b, s.digest)
	}
	p.endRecord(it, b, start)
}

// multiSubs encodes the changes one by one. It gives their number and, if one
// was refused, which and why.
func (p *pipeline) multiSubs(body []byte) (n, failed int, code proto.Code) {
	s := &p.prep
	mark := len(p.batch.buf)
	p.batch.buf = jute.AppendInt(p.batch.buf, 0)
	d := jute.NewDecoder(body)
	for {
		var h proto.MultiHeader
		if h.Decode(&d); h.Done {
			break
		}
		n++
		if code != proto.OK {
			skipMultiOp(&d, h.Type)
			continue
		}
		op, r := multiOp(&d, h.Type)
		if code = s.prepareSub(op, r, &d); code != proto.OK {
			failed = n - 1
			continue
		}
		p.batch.buf = txn.AppendSub(p.batch.buf, &s.body)
		// Sequential names are longer than what they were asked for by, and so are
		// lists with "auth".
		if len(p.batch.buf)-mark+recordSlack > p.e.MaxEntry {
			code, failed = proto.BadArguments, n-1
		}
	}
	jute.PutInt(p.batch.buf, mark, int32(n))
	return n, failed, code
}

// prepareSub is prepare for a change in a multi, where creates are decoded
// already.
func (p *preparer) prepareSub(op proto.Op, r *proto.CreateRequest, d *jute.Decoder) proto.Code {
	if r == nil {
		return p.prepare(op, d)
	}
	p.body, p.known = txn.Body{Type: op}, tree.Known{}
	return p.create(op, r)
}

// appendFailed encodes the changes of a refused multi.
func appendFailed(b []byte, n, failed int, code proto.Code) []byte {
	b = jute.AppendInt(b, int32(n))
	for i := range n {
		sub := txn.Body{Type: proto.OpError, Err: proto.RuntimeInconsistency}
		switch {
		case i < failed:
			sub.Err = proto.OK
		case i == failed:
			sub.Err = code
		}
		b = txn.AppendSub(b, &sub)
	}
	return b
}

// multiOp decodes a create of a multi; of other changes r is nil and the
// decoder stands before their body. The kind of a create follows its flags, as
// in Apache's server: whatever it was sent as, a container becomes
// createContainer and a time to live createTTL; createTTL without one becomes
// create.
func multiOp(d *jute.Decoder, op proto.Op) (proto.Op, *proto.CreateRequest) {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
	default:
		return op, nil
	}
	r := new(proto.CreateRequest)
	r.Decode(d, op)
	switch r.Flags {
	case proto.FlagContainer:
		return proto.OpCreateContainer, r
	case proto.FlagPersistentTTL, proto.FlagPersistentSequentialTTL:
		return proto.OpCreateTTL, r
	}
	if op == proto.OpCreateTTL {
		return proto.OpCreate, r
	}
	return op, r
}

// skipMultiOp passes over the body of one change. It tells whether its path is
// there, not null.
func skipMultiOp(d *jute.Decoder, op proto.Op) (named bool) {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		var r proto.CreateRequest
		r.Decode(d, op)
		return !r.NullPath
	case proto.OpDelete, proto.OpCheck:
		named = d.Buffer() != nil
		d.Int()
	case proto.OpSetData:
		named = d.Buffer() != nil
		d.Buffer()
		d.Int()
	default:
		d.Fail(jute.ErrMalformed)
	}
	return named
}

// checkMulti reads a whole multi request without executing it: one that cannot
// be decoded, that mixes reads into the writes, or that has a path or an ACL
// that is null, is refused as a whole. It takes a zxid, as in Apache's server,
// if spends says so.
func checkMulti(body []byte) (code proto.Code, spends bool) {
	d := jute.NewDecoder(body)
	named := true
	for {
		var h proto.MultiHeader
		if h.Decode(&d); d.Err() != nil {
			return proto.MarshallingError, true
		}
		if h.Done {
			break
		}
		switch h.Type {
		case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer:
			var r proto.CreateRequest
			r.Decode(&d, h.Type)
			known := r.Flags >= proto.FlagPersistent && r.Flags <= proto.FlagPersistentSequentialTTL
			if d.Err() == nil && known && string(r.ACL) == nullVector {
				return proto.MarshallingError, false
			}
			if d.Err() != nil || !validCreateFlags(r.Flags) {
				return proto.MarshallingError, true
			}
			named = named && !r.NullPath
		default:
			named = skipMultiOp(&d, h.Type) && named
		}
	}
	if !named {
		return proto.MarshallingError, true
	}
	return proto.OK, true
}

// nullVector is the encoding of a list that is null.
const nullVector = "\xff\xff\xff\xff"

// validCreateFlags tells whether a create without a time to live may carry
// these flags.
func validCreateFlags(flags int32) bool {
	return flags >= proto.FlagPersistent && flags <= proto.FlagContainer
}
