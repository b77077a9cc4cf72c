package client

import (
	"errors"
	"slices"
	"strconv"
	"time"
)

// change updates the state under the lock, wakes who waits for it and tells
// the event streams.
func (c *Client) change(ev Event, update func()) {
	c.mu.Lock()
	c.state = ev.State
	update()
	c.wake()
	if s := c.session.Load(); s != nil {
		ev.SessionID = s.id
	}
	ev.Type, ev.Zxid = EventSession, -1
	c.publish(ev)
	c.mu.Unlock()
	c.opts.hooks.event(ev)
}

// wake tells who waits that something changed. c.mu is held.
func (c *Client) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// connected makes cn the connection that requests use.
func (c *Client) connected(cn *conn) {
	old := c.session.Load()
	ev := Event{State: cn.state(), Authenticated: c.opts.sasl != nil, Server: cn.server}
	warned := false
	c.change(ev, func() {
		c.session.Store(cn.session)
		c.live.Store(cn)
		warned = c.warned
		c.attemptErr, c.failures, c.warned = nil, nil, false
	})
	c.readOnlySession = cn.readOnly && (old != cn.session || c.readOnlySession)
	if old != nil && old != cn.session {
		close(old.done) // it was that of a read-only server
	}
	if warned { // who was told of that is told of its end
		cn.logger().Warn("a server is reached again")
	}
	cn.logger().Info("connected", "session", sessionHex(cn.session.id), "timeout", cn.timeout, "readonly", cn.readOnly)
}

// disconnected takes cn away from requests.
func (c *Client) disconnected(cn *conn, cause error) {
	if c.closing.Load() {
		c.live.Store(nil)
		return
	}
	c.change(Event{State: StateConnecting, Err: cause, Server: cn.server}, func() {
		c.live.Store(nil)
		c.away = c.elapsed()
	})
	cn.logger().Info("disconnected", "session", sessionHex(cn.session.id), "cause", cause)
}

// patience is how long no server is reached until that is worth a warning: an
// election takes less.
const patience = 3 * time.Second

// attemptFailed counts an attempt to connect that led to nothing.
func (c *Client) attemptFailed(err error) {
	c.opts.log.Debug("attempt to connect failed", "error", err)
	c.mu.Lock()
	c.attempts++
	c.attemptErr = err
	c.failures = append(c.failures, err)
	if n := len(c.failures) - len(c.rotation.servers); n > 0 {
		c.failures = slices.Delete(c.failures, 0, n)
	}
	c.wake()
	away, why := c.elapsed()-c.away, errors.Join(c.failures...)
	warn := !c.warned && away >= patience
	c.warned = c.warned || warn
	c.mu.Unlock()
	if warn {
		c.opts.log.Warn("no server is reached; trying on", "for", away.Round(time.Second), "error", why)
	}
}

// expired ends the session, and tells whether the client goes on with another.
func (c *Client) expired() bool {
	old := c.session.Load()
	c.opts.log.Warn("session expired", "session", sessionHex(old.id))
	if c.opts.singleSession {
		c.finish(StateExpired, ErrSessionExpired)
		return false
	}
	c.change(Event{State: StateExpired, Err: ErrSessionExpired, SessionID: old.id}, func() {
		c.expirations.Add(1)
		c.session.Store(nil)
	})
	close(old.done)
	c.watches.endAll(Event{Type: EventSession, State: StateExpired, Zxid: -1, Err: ErrSessionExpired, SessionID: old.id})
	return true
}

// finish ends the client.
func (c *Client) finish(state State, err error) {
	ev := Event{State: state, Err: err}
	c.change(ev, func() {
		c.err = err
		c.live.Store(nil)
	})
	c.cancel()
	if s := c.session.Load(); s != nil {
		close(s.done)
	}
	ev.Type, ev.Zxid = EventSession, -1
	c.watches.endAll(ev)
	c.mu.Lock()
	events := c.events
	c.events = nil
	c.mu.Unlock()
	for _, e := range events {
		e.end(err)
	}
}

// sessionHex is a session's number as servers log it.
func sessionHex(id int64) string { return "0x" + strconv.FormatUint(uint64(id), 16) }
