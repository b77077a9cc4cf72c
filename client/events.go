package client

import (
	"slices"

	"github.com/quollhq/quoll/internal/proto"
)

// Events is a stream of everything that happens to a client: each change of
// the state of its connection and session, and each notification that a server
// sends for any of its watches. It is for logs, displays, and code that
// follows the session.
type Events struct {
	stream
	c *Client
}

// Events makes a stream of what happens from now on. It ends with the client,
// or by Close.
func (c *Client) Events() *Events {
	e := &Events{c: c}
	e.init("", c.opts.watchBuffer)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		e.end(c.err)
	} else {
		c.events = append(c.events, e)
	}
	return e
}

// Close ends the stream.
func (e *Events) Close() {
	c := e.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.events, e); i >= 0 {
		c.events = slices.Delete(c.events, i, i+1)
	}
	e.end(ErrWatchClosed)
}

// publish gives ev to all streams. c.mu is held.
func (c *Client) publish(ev Event) {
	for _, e := range c.events {
		e.push(ev)
	}
}

// notified hands a server's notification to the watches that it concerns. It
// does not count as having seen the state after the change: of two events of
// one multi, the second may be lost with the connection.
func (c *Client) notified(h proto.ReplyHeader, we *proto.WatcherEvent) {
	sinks, streams := c.watches.fired(we)
	ev := Event{Type: EventType(we.Type), State: StateConnected, Path: c.clientPath(we.Path), Zxid: h.Zxid}
	if we.State == proto.StateConnectedReadOnly {
		ev.State = StateReadOnly
	}
	c.tell(ev, sinks)
	for _, w := range streams {
		w.push(ev)
	}
}

// tell gives ev to one-shot watches, which it uses up, and to all streams of
// everything.
func (c *Client) tell(ev Event, sinks []sink) {
	c.opts.hooks.event(ev)
	for _, s := range sinks {
		s.fire(ev)
	}
	c.mu.Lock()
	c.publish(ev)
	c.mu.Unlock()
}
