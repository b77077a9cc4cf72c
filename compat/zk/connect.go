package zk

import (
	"context"
	"net"
	"time"

	"github.com/quollhq/quoll/client"
)

// round is one time of trying all servers: requests that wait for a connection
// meanwhile fail with ErrNoServer when it has led to nothing.
type round struct {
	ctx  context.Context // ends with the round
	end  context.CancelFunc
	late context.Context // ends with the next round
	over context.CancelFunc
}

func newRound() *round {
	var r round
	r.ctx, r.end = context.WithCancel(context.Background())
	r.late, r.over = context.WithCancel(context.Background())
	return &r
}

// ctx bounds a request that is about to be made.
func (c *Conn) ctx() context.Context { return c.round.Load().ctx }

// endRound lets those fail who wait for a connection.
func (c *Conn) endRound() {
	r := c.round.Swap(newRound())
	r.end()
	if c.older != nil {
		c.older.over()
	}
	c.older = r
}

// dial connects with the servers that the HostProvider names, one after the
// other, and fails when all have been tried. The client pauses then.
func (c *Conn) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	if c.State() == StateConnected {
		c.setState(StateDisconnected) // it has accepted, and opened no session
	}
	for {
		server := c.due
		if c.due = ""; server == "" {
			var retryStart bool
			server, retryStart = c.hosts.Next()
			c.setServer(server)
			c.setState(StateConnecting)
			if retryStart {
				c.due = server
				if !c.renewed {
					c.endRound()
				}
				c.renewed = false
				return nil, ErrNoServer
			}
		}
		nc, err := c.dialer(network, server, connectTimeout)
		if err == nil {
			c.setState(StateConnected)
			c.infof("connected to %s", server)
			return nc, nil
		}
		c.logf("failed to connect to %s: %v", server, err)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// pause is how long the client waits before it dials again.
func (c *Conn) pause(int) time.Duration {
	if c.due == "" {
		return 0
	}
	return roundPause
}

// happened is told what happens to the client.
func (c *Conn) happened(ev client.Event) {
	if ev.Type != client.EventSession {
		c.publish(watchEvent(ev))
		return
	}
	switch ev.State {
	case client.StateConnected, client.StateReadOnly:
		c.sessionID.Store(ev.SessionID)
		c.infof("authenticated: id=%d", ev.SessionID)
		c.hosts.Connected()
		c.setState(StateHasSession)
	case client.StateConnecting:
		c.infof("connection to %s terminated: %v", c.Server(), ev.Err)
		c.setState(StateDisconnected)
	case client.StateExpired:
		c.renewed = true
		c.logf("authentication failed: %v", ErrSessionExpired)
		c.sessionID.Store(0)
		c.setState(StateExpired)
		c.setState(StateDisconnected)
	case client.StateAuthFailed:
		c.logf("authentication failed: %v", ev.Err)
		c.setState(StateAuthFailed)
		c.setState(StateDisconnected)
	case client.StateClosed:
		close(c.closed)
		c.setState(StateDisconnected)
	}
}

func (c *Conn) setState(s State) {
	c.state.Store(int32(s))
	c.publish(Event{Type: EventSession, State: s, Server: c.Server()})
}

// publish gives an event to the callback and, if there is room, to the channel.
func (c *Conn) publish(ev Event) {
	if c.callback != nil {
		c.callback(ev)
	}
	select {
	case c.events <- ev:
	default: // as documented
	}
}

// watcher makes a channel, and what the client calls with its one event.
func (c *Conn) watcher(path string) (<-chan Event, func(client.Event)) {
	ch := make(chan Event, 1)
	return ch, func(from client.Event) {
		ev := watchEvent(from)
		if from.Type == client.EventSession {
			ev = Event{Type: EventNotWatching, State: StateDisconnected, Path: path, Err: endOfWatch(from.State)}
			c.publish(ev)
		}
		ch <- ev
		close(ch)
	}
}

func watchEvent(ev client.Event) Event {
	state := StateSyncConnected
	if ev.State == client.StateReadOnly {
		state = StateConnectedReadOnly
	}
	return Event{Type: EventType(ev.Type), State: state, Path: ev.Path}
}

// endOfWatch is why a watch ends in that state.
func endOfWatch(s client.State) error {
	switch s {
	case client.StateExpired:
		return ErrSessionExpired
	case client.StateAuthFailed:
		return ErrAuthFailed
	}
	return ErrClosing
}
