package listener

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/session"
)

// telnetInterrupt is what telnet sends when its user presses Ctrl-C.
const telnetInterrupt = 0xfff4fffd

// setTraceMask is the four-letter word that an argument follows.
const setTraceMask = "stmk"

// wordTimeout is how long the answer to a four-letter word may take to be sent.
const wordTimeout = 10 * time.Second

// errNotServing ends connections to a member that has no leader: the client tries
// another one.
var errNotServing = errors.New("this member of the ensemble does not serve at the moment")

// handshake takes the first frame of a connection, or a four-letter word in
// its place. c.open tells whether a session is open after it.
func (c *conn) handshake() error {
	if c.to-c.from < 4 {
		return nil
	}
	if c.in[c.from] != 0 {
		if handled, err := c.fourLetter(); handled || err != nil {
			return err
		}
	}
	frame, err := c.next()
	if frame == nil || err != nil {
		return err
	}
	if err := failpoint.Hit(failpoint.Handshake); err != nil {
		return err
	}
	d := jute.NewDecoder(frame)
	var r proto.ConnectRequest
	if r.Decode(&d); d.Err() != nil {
		return fmt.Errorf("connect request: %w", d.Err())
	}
	c.l.Requests.Add(1)
	c.Stats.Received.Add(1)
	c.l.Engine.Metrics.Received.Add(1)
	c.asked.Store(true)
	if !c.l.Engine.Enter(&c.Client) {
		return errNotServing
	}
	if c.ReadOnly && !r.ReadOnly {
		return errNotServing
	}
	if !c.l.Gate.Handshake(r.SessionID != 0) {
		c.l.Rejected.Add(1)
		return errEnd
	}
	if !c.l.Engine.Reached(r.LastZxidSeen) {
		return fmt.Errorf("client has seen zxid 0x%x, this server is at 0x%x: it must try another server",
			uint64(r.LastZxidSeen), uint64(c.l.Engine.Zxid()))
	}
	c.timeout = min(max(r.TimeOut, c.l.MinTimeout), c.l.MaxTimeout)
	if r.SessionID == 0 {
		err = c.openSession(&r)
	} else {
		err = c.renewSession(&r)
	}
	if err != nil {
		return err
	}
	return c.welcome(&r)
}

// fourLetter answers a four-letter word.
func (c *conn) fourLetter() (handled bool, err error) {
	head := c.in[c.from : c.from+4]
	if binary.BigEndian.Uint32(head) == telnetInterrupt {
		return true, errEnd
	}
	word := string(head)
	arg := c.in[c.from+4 : c.to]
	if word == setTraceMask && len(arg) < 8 {
		return true, nil // the mask follows
	}
	if c.l.FourLetter == nil {
		return false, nil
	}
	c.word.Store(true)
	c.Stats.Received.Add(1)
	c.l.Engine.Metrics.Received.Add(1)
	c.until(c.sock.SetWriteDeadline, time.Now().Add(wordTimeout))
	if !c.l.FourLetter(word, arg, c.nc) {
		c.word.Store(false)
		return false, nil
	}
	c.l.Engine.Metrics.Sent.Add(1)
	return true, errEnd
}

// openSession makes a new session, and waits until it is durable unless it is a
// local one.
func (c *conn) openSession(r *proto.ConnectRequest) error {
	if c.l.Engine.OpensLocal(&c.Client) {
		c.l.Engine.OpenLocal(&c.Client, c.l.IDs.Next(), c.timeout)
		return c.claim(r)
	}
	s, _ := c.l.Sessions.Track(c.l.IDs.Next(), c.timeout, c.l.Clock())
	s.SetOwner(request.LocalOwner)
	c.Session = s
	c.l.Engine.Attach(&c.Client)
	if err := c.l.Engine.CreateSession(&c.Client); err != nil {
		return errEnd
	}
	if !c.Drain() {
		return errEnd
	}
	return c.claim(r)
}

// renewSession goes on with a session that the client has, or tells it that the
// session has expired. The connection that the session had so far ends.
func (c *conn) renewSession(r *proto.ConnectRequest) error {
	c.l.Renewals.Add(1)
	if !session.CheckPassword(r.SessionID, r.Passwd) {
		return c.expired(r)
	}
	s, err := c.l.Engine.Renew(c.gone, r.SessionID, c.timeout, c.l.Clock())
	switch {
	case err != nil:
		return errNotServing
	case s == nil:
		return c.expired(r)
	}
	c.Session = s
	c.l.Engine.Attach(&c.Client)
	return c.claim(r)
}

// claim makes this the connection of its session, unless that is over: it ended
// before CloseSession could find this connection, new ones when the log takes
// longer than their time-out, or is ended by the connection before, whose own
// end closes no other.
func (c *conn) claim(r *proto.ConnectRequest) error {
	c.l.adopt(c)
	if c.Session.Closing() {
		return c.expired(r)
	}
	return nil
}

// expired tells the client that its session is over.
func (c *conn) expired(r *proto.ConnectRequest) error {
	c.l.Logger.Info("session is not valid, probably expired",
		"client", c.addr.String(), "session", fmt.Sprintf("0x%x", uint64(r.SessionID)))
	c.Raw(func(b []byte) []byte {
		return (&proto.ConnectResponse{
			Passwd: make([]byte, proto.PasswordLen), HasReadOnly: r.HasReadOnly,
		}).Append(b)
	})
	c.CloseAfter()
	return c.finish()
}

// welcome answers the handshake.
func (c *conn) welcome(r *proto.ConnectRequest) error {
	c.open = true
	c.l.Engine.Metrics.Sent.Add(1)
	c.Opened(c.timeout, c.l.Engine.Zxid())
	c.until(c.sock.SetReadDeadline, time.Time{})
	if c.raw != nil && !c.l.hangups.watch(c) {
		c.ending.Store(true)
	}
	c.l.Logger.Debug("session established", "client", c.addr.String(), "session", c.Session.String(), "timeout_ms", c.timeout)
	password := session.Password(c.Session.ID())
	c.Raw(func(b []byte) []byte {
		return (&proto.ConnectResponse{
			TimeOut: c.timeout, SessionID: c.Session.ID(), Passwd: password[:], ReadOnly: c.ReadOnly, HasReadOnly: r.HasReadOnly,
		}).Append(b)
	})
	c.Flush()
	return nil
}
