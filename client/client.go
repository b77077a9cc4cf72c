package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// closeTimeout bounds how long Close waits for a server to confirm.
const closeTimeout = 2 * time.Second

// Client is a session with an ensemble. It is safe for concurrent use. Its
// goroutines end before Close and Detach return.
type Client struct {
	opts     options
	chroot   string
	base     time.Time // what elapsed counts from
	rotation *rotation // of run, but for its servers, which do not change
	slots    chan struct{}
	calls    sync.Pool // of *call
	watches  watchTable

	ctx    context.Context // the client's life
	cancel context.CancelFunc
	done   chan struct{} // closed when run has ended

	live        atomic.Pointer[conn] // nil while there is none
	session     atomic.Pointer[Session]
	lastZxid    atomic.Int64
	expirations atomic.Int64           // sessions that have expired
	preferred   atomic.Pointer[string] // server to try next, found by seekWriter
	closing     atomic.Bool
	ending      sync.Once
	tasks       sync.WaitGroup // what Background started
	// readOnlySession tells that session is that of a read-only server. Of run.
	readOnlySession bool

	mu         sync.Mutex
	state      State
	err        error         // set in a final state
	changed    chan struct{} // closed and replaced when anything of this block or live changes
	attempts   int64         // attempts to connect that have failed
	attemptErr error         // why the last one did
	failures   []error       // why the last ones did, one for each server of the list at most
	away       time.Duration // since when, on elapsed, there is no connection
	warned     bool          // that no server is reached, since then
	creds      []credential
	events     []*Events
	orphans    []orphan // not looked for yet
	cleaning   bool     // a task looks for them
}

// Dial makes a client and waits until its session is open. Servers are
// host:port, separated by commas; the port defaults to 2181. A path after them
// makes all paths of the client relative to it:
//
//	zk1:2181,zk2:2181,zk3:2181/app
//
// The context bounds only the waiting: without a deadline Dial goes on trying for as
// long as no server is there. With [FailFast] it fails when each has been tried once.
func Dial(ctx context.Context, servers string, opts ...Option) (*Client, error) {
	c, err := New(servers, opts...)
	if err != nil {
		return nil, err
	}
	if err := c.waitConnected(ctx, 0); err != nil {
		_ = c.Close() // there is no session to close
		return nil, fmt.Errorf("dial %s: %w", servers, err)
	}
	return c, nil
}

// New makes a client that connects in the background. See Dial for servers.
func New(servers string, opts ...Option) (*Client, error) {
	list, chroot, err := parseServers(servers)
	if err != nil {
		return nil, err
	}
	o := defaultOptions()
	for _, opt := range opts {
		opt(&o)
	}
	c := &Client{
		opts:     o,
		chroot:   chroot,
		base:     time.Now(),
		rotation: newRotation(list, o.keepOrder),
		slots:    make(chan struct{}, o.maxInFlight),
		done:     make(chan struct{}),
		changed:  make(chan struct{}),
		creds:    o.creds,
	}
	c.watches.init()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if r := o.resume; r != nil {
		c.session.Store(c.newSession(r.id, r.password))
	}
	go c.run()
	return c, nil
}

// elapsed is the time since the client was made, on the monotonic clock.
func (c *Client) elapsed() time.Duration { return time.Since(c.base) }

// saw records that the client has seen the state after this change.
func (c *Client) saw(zxid int64) {
	if zxid > c.lastZxid.Load() { // written by run alone
		c.lastZxid.Store(zxid)
	}
}

// LastZxid is the newest change that the client has seen the state after, or 0.
func (c *Client) LastZxid() int64 { return c.lastZxid.Load() }

// Session is the session at present, or the last one; nil before the first.
func (c *Client) Session() *Session { return c.session.Load() }

// Server is host:port of the server that the client is connected to, or "".
func (c *Client) Server() string {
	if cn := c.live.Load(); cn != nil {
		return cn.server
	}
	return ""
}

// State is the state at present.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// WaitConnected returns when the client is connected. It fails when ctx ends,
// saying why the last attempt to connect failed, or when the client ends; with
// [FailFast] when each server has been tried in vain, and with [WithinSession]
// when the session is over.
func (c *Client) WaitConnected(ctx context.Context) error {
	c.mu.Lock()
	attempts := c.attempts
	c.mu.Unlock()
	return c.waitConnected(ctx, attempts)
}

// waitConnected is WaitConnected, of a caller who counts failed attempts from so
// many on.
func (c *Client) waitConnected(ctx context.Context, attempts int64) error {
	var over <-chan struct{} // of the session that ctx is bound to
	bound := boundTo(ctx)
	if bound != nil {
		over = bound.Done()
	}
	for {
		c.mu.Lock()
		state, err, attemptErr, changed := c.state, c.err, c.attemptErr, c.changed
		inVain := c.inVain(attempts)
		c.mu.Unlock()
		switch {
		case err != nil:
			return err
		case bound != nil && bound.over():
			return ErrSessionExpired
		case state.Serving():
			return nil
		case inVain != nil && boundsOf(ctx).fast:
			return lost(inVain)
		}
		select {
		case <-changed:
		case <-over:
		case <-ctx.Done():
			if attemptErr != nil {
				return fmt.Errorf("%w; last attempt: %w", ctx.Err(), attemptErr)
			}
			return ctx.Err()
		}
	}
}

// inVain is why no server could be reached, if each has been tried since so many
// attempts had failed; else nil. c.mu is held.
func (c *Client) inVain(attempts int64) error {
	if c.attempts-attempts < int64(len(c.rotation.servers)) {
		return nil
	}
	return errors.Join(c.failures...)
}

// Close closes the session: its ephemeral nodes go away at once. Requests
// under way before Close are answered. If the servers cannot be reached, the
// session stays until they let it expire.
func (c *Client) Close() error { return c.end(true) }

// Detach ends the client and leaves the session to expire, or to whom takes it
// over by [WithSession].
func (c *Client) Detach() error { return c.end(false) }

func (c *Client) end(closeSession bool) (err error) {
	c.ending.Do(func() {
		c.mu.Lock() // no task is added from here on
		c.closing.Store(true)
		c.mu.Unlock()
		if cn := c.live.Load(); closeSession && cn != nil {
			err = c.closeSession(cn)
		}
		c.cancel()
		<-c.done
		c.tasks.Wait()
	})
	return err
}

// Background runs what is left to be done by a caller who gives up. It returns
// at once. The task's context ends with the client, which waits for it, and is
// bound to the same session as ctx, see [WithinSession]. A client that is closed
// or is closing runs nothing any more: its session's ephemeral nodes go anyway.
func (c *Client) Background(ctx context.Context, task func(ctx context.Context)) {
	life := c.ctx
	if s := boundTo(ctx); s != nil {
		life = WithinSession(life, s)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && !c.closing.Load() {
		c.tasks.Go(func() { task(life) })
	}
}

// closeSession asks the server to close the session. That the connection
// breaks is no failure worth telling: the server may close it before the reply
// is read, and otherwise the session expires.
func (c *Client) closeSession(cn *conn) error {
	q := c.newCall(proto.OpCloseSession, "")
	if !cn.enqueue(q) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_, failed, _ := c.outcome(ctx, q)
	if failed == nil || errors.Is(failed, ErrClosed) || errors.Is(failed, context.DeadlineExceeded) {
		return nil
	}
	return failed
}
