package request

import (
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/txn"
)

// LocalSessions is about sessions that one member of an ensemble alone knows.
// They live and end there, without a transaction.
type LocalSessions struct {
	// Enabled makes new sessions local ones, and lets those of other members write.
	Enabled bool
	// Upgrading makes one that creates an ephemeral znode part of the replicated
	// state; otherwise that is refused.
	Upgrading bool
	// Server is this member's number, the first byte of its sessions' numbers.
	Server int64
}

// OpensLocal tells whether a new session of this client is to be a local one.
func (e *Engine) OpensLocal(c *Client) bool {
	return e.Ensemble != nil && (e.LocalSessions.Enabled || c.ReadOnly)
}

// OpenLocal opens a local session with this number for a client.
func (e *Engine) OpenLocal(c *Client, id int64, timeout int32) {
	s := e.Sessions.TrackLocal(id, timeout, e.Clock())
	s.SetOwner(LocalOwner)
	c.Session = s
	e.Attach(c)
}

// CloseLocal ends the session of a client that has asked for it, if it is local.
// Writes of the client are not in flight.
func (e *Engine) CloseLocal(c *Client) bool {
	if !c.Session.Globalize() {
		return false
	}
	e.Sessions.Remove(c.Session.ID())
	return true
}

// wasLocal tells whether an unknown session, for which no leader can be asked, has
// ended: it was local, here or, since that is what clients get, elsewhere. One that
// others may know has not.
func (e *Engine) wasLocal(id int64) bool {
	return e.LocalSessions.Enabled || id>>56 == e.LocalSessions.Server
}

// endLocal ends a session that was local, and that nobody has heard of in time.
func (e *Engine) endLocal(s *session.Session) {
	e.Logger.Info("local session expired", "session", s.String(), "timeout_ms", s.Timeout())
	e.Metrics.Expired.Add(1)
	e.Sessions.Remove(s.ID())
	if e.SessionClosed != nil {
		e.SessionClosed(s.ID())
	}
}

// upgrade tells what a write of a local session needs before: the session is to
// become part of the replicated state if it creates an ephemeral znode. The code
// is what such a create is refused by instead.
func (e *Engine) upgrade(s *session.Session, r *Request) (upgrade bool, code proto.Code) {
	if !s.Local() || !createsEphemeral(r) {
		return false, proto.OK
	}
	if !e.LocalSessions.Upgrading {
		return false, proto.EphemeralOnLocalSession
	}
	e.Logger.Debug("a local session becomes global", "session", s.String())
	return s.Globalize(), proto.OK
}

// createsEphemeral tells whether a write creates an ephemeral znode.
func createsEphemeral(r *Request) bool {
	d := jute.NewDecoder(r.Body)
	switch r.Op {
	case proto.OpCreate, proto.OpCreate2:
		return ephemeral(&d, r.Op)
	case proto.OpMulti:
		for {
			var h proto.MultiHeader
			if h.Decode(&d); d.Err() != nil || h.Done {
				return false
			}
			switch h.Type {
			case proto.OpCreate, proto.OpCreate2:
				if ephemeral(&d, h.Type) {
					return true
				}
			default:
				skipMultiOp(&d, h.Type)
			}
		}
	}
	return false
}

func ephemeral(d *jute.Decoder, op proto.Op) bool {
	var r proto.CreateRequest
	r.Decode(d, op)
	return d.Err() == nil && (r.Flags == proto.FlagEphemeral || r.Flags == proto.FlagEphemeralSequential)
}

// forwardUpgrade has the leader open a session that was local. The flight's lock
// is held, and w are the writes of the session that wait.
func (p *pipeline) forwardUpgrade(c *Client, w *waiters) {
	s := c.Session
	x := w.add()
	x.session, x.op = s, proto.OpCreateSession
	p.inFlight.Add(1)
	r := openRequest(c)
	p.flight.going = append(p.flight.going, Forwarded{Session: s.ID(), Op: r.Op, Body: r.Body, IDs: c.IDs()})
}

// prepareUpgrade opens a session of this leader's that was local.
func (p *pipeline) prepareUpgrade(s *session.Session) {
	pr := &p.prep
	pr.zxid++
	p.inFlight.Add(1)
	it := item{session: s, op: proto.OpCreateSession}
	pr.body = txn.Body{Type: proto.OpCreateSession, TimeOut: s.Timeout()}
	p.log(&it, proto.OpCreateSession, &pr.body)
	p.batch.items = append(p.batch.items, it)
}

// strange tells what a request is refused by that came from a learner in the name
// of a session that this leader does not know: OK if it can be a local one there.
func (p *preparer) strange() proto.Code {
	if l := &p.e.LocalSessions; l.Enabled && p.session>>56 != l.Server {
		return proto.OK
	}
	return proto.SessionExpired
}
