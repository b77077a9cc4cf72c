package wire

import (
	"fmt"
	"iter"

	"github.com/quollhq/quoll/internal/jute"
)

// touchLen is the length of one session in a learner's PING.
const touchLen = 8 + 4

// Touch says that a learner has heard of a session.
type Touch struct {
	Session int64
	Timeout int32 // ms
}

// AppendPing appends the leader's PING; zxid is the last that it has proposed.
func AppendPing(b []byte, zxid int64) []byte { return appendBare(b, Ping, zxid) }

// AppendPong appends a learner's answer to a PING with that zxid: the sessions it has heard of since the last.
func AppendPong(b []byte, zxid int64, touches []Touch) []byte {
	b = appendHead(b, Ping, zxid, touchLen*len(touches))
	for _, t := range touches {
		b = jute.AppendLong(b, t.Session)
		b = jute.AppendInt(b, t.Timeout)
	}
	return appendTail(b)
}

// DecodePong reads a learner's answer. The sequence reads the packet as it goes.
func DecodePong(p *Packet) (iter.Seq[Touch], error) {
	if p.Type != Ping {
		return nil, unexpected(p, Ping)
	}
	if len(p.Data)%touchLen != 0 {
		return nil, fmt.Errorf("%v: %w: %d bytes of sessions, want a multiple of %d", p.Type, jute.ErrMalformed, len(p.Data), touchLen)
	}
	return func(yield func(Touch) bool) {
		d := jute.NewDecoder(p.Data)
		for d.Len() > 0 && yield(Touch{Session: d.Long(), Timeout: d.Int()}) {
		}
	}, nil
}

// AppendRevalidate appends a learner's question whether a session lives.
func AppendRevalidate(b []byte, session int64, timeout int32) []byte {
	b = appendHead(b, Revalidate, -1, touchLen)
	b = jute.AppendLong(b, session)
	b = jute.AppendInt(b, timeout)
	return appendTail(b)
}

// DecodeRevalidate reads a learner's question; the timeout is in milliseconds.
func DecodeRevalidate(p *Packet) (Touch, error) {
	if p.Type != Revalidate {
		return Touch{}, unexpected(p, Revalidate)
	}
	d := jute.NewDecoder(p.Data)
	return Touch{Session: d.Long(), Timeout: d.Int()}, bodyError(p, &d)
}

// AppendRevalidated appends the leader's answer.
func AppendRevalidated(b []byte, session int64, valid bool) []byte {
	b = appendHead(b, Revalidate, -1, 8+1)
	b = jute.AppendLong(b, session)
	b = jute.AppendBool(b, valid)
	return appendTail(b)
}

// DecodeRevalidated reads the leader's answer.
func DecodeRevalidated(p *Packet) (session int64, valid bool, err error) {
	if p.Type != Revalidate {
		return 0, false, unexpected(p, Revalidate)
	}
	d := jute.NewDecoder(p.Data)
	session, valid = d.Long(), d.Bool()
	return session, valid, bodyError(p, &d)
}

// ClientRequest is a client's request on its way to the leader.
type ClientRequest struct {
	Session int64
	Cxid    int32
	Op      int32
	Body    []byte // the request's record, without header
	Auth    []Identity
}

// AppendRequest appends REQUEST.
func AppendRequest(b []byte, r *ClientRequest) []byte {
	b = appendHead(b, Request, -1, requestHead+len(r.Body))
	b = jute.AppendLong(b, r.Session)
	b = jute.AppendInt(b, r.Cxid)
	b = jute.AppendInt(b, r.Op)
	b = append(b, r.Body...)
	return appendAuth(b, r.Auth)
}

const requestHead = 8 + 4 + 4

// DecodeRequest reads REQUEST. Body and Auth alias the packet. The body is the client's own bytes and may be anything.
func DecodeRequest(p *Packet) (ClientRequest, error) {
	if p.Type != Request {
		return ClientRequest{}, unexpected(p, Request)
	}
	d := jute.NewDecoder(p.Data)
	r := ClientRequest{Session: d.Long(), Cxid: d.Int(), Op: d.Int(), Auth: p.Auth}
	r.Body = d.Rest()
	return r, bodyError(p, &d)
}

// AppendSync appends SYNC: the answer to the oldest sync that the learner has sent as a REQUEST.
func AppendSync(b []byte) []byte { return appendBare(b, Sync, 0) }
