package zk

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/client"
)

const (
	eventChanSize  = 6
	bufferSize     = 1536 * 1024 // default of WithMaxConnBufferSize
	connectTimeout = time.Second // for one server's connection
	roundPause     = time.Second // after all servers have been tried in vain
	closeTimeout   = time.Second // that Close waits
)

// Dialer opens a connection to one server.
type Dialer func(network, address string, timeout time.Duration) (net.Conn, error)

// HostProvider says which server to connect to.
type HostProvider interface {
	// Init is called first, with the servers given to Connect.
	Init(servers []string) error
	// Len is the number of servers.
	Len() int
	// Next is the server to try next. retryStart tells that all servers have been
	// tried since Connected was called last.
	Next() (server string, retryStart bool)
	// Connected tells that the server given last has opened a session.
	Connected()
}

// Conn is a session with the servers, on one connection at a time.
type Conn struct {
	client *client.Client

	// Options; not changed after Connect.
	dialer        Dialer
	hosts         HostProvider
	callback      EventCallback // may be nil
	logInfo       bool
	maxBufferSize int
	maxRequest    int

	log       atomic.Pointer[Logger]
	state     atomic.Int32
	server    atomic.Pointer[string]
	sessionID atomic.Int64
	round     atomic.Pointer[round]

	events    chan Event
	life      context.Context // ends with Close
	end       context.CancelFunc
	closed    chan struct{} // closed when the client is over
	closeOnce sync.Once

	// Of the client's goroutine, which dials and tells of events.
	due     string // the server to try next, after a pause
	renewed bool   // the session has expired in this round: who waits now has come later
	older   *round
}

// connOption is an option of Connect.
type connOption func(c *Conn)

// Connect opens a session with the servers, in the background, and returns a
// channel of its events; one that is not read loses events. A session lasts
// through connections that break, unless there is none for sessionTimeout.
func Connect(servers []string, sessionTimeout time.Duration, options ...connOption) (*Conn, <-chan Event, error) {
	if len(servers) == 0 {
		return nil, nil, errors.New("zk: server list must not be empty")
	}
	list := FormatServers(servers)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	c := &Conn{
		dialer:     net.DialTimeout,
		hosts:      NewDNSHostProvider(),
		logInfo:    true,
		maxRequest: bufferSize,
		events:     make(chan Event, eventChanSize),
		closed:     make(chan struct{}),
	}
	c.SetLogger(DefaultLogger)
	c.life, c.end = context.WithCancel(context.Background())
	c.round.Store(newRound())
	for _, option := range options {
		option(c)
	}
	if err := c.hosts.Init(list); err != nil {
		c.end()
		return nil, nil, err
	}
	c.setServer("")
	var err error
	if c.client, err = client.New("zookeeper", c.clientOptions(sessionTimeout)...); err != nil {
		c.end()
		return nil, nil, err
	}
	return c, c.events, nil
}

// clientOptions leaves to the client what it does well, and to the HostProvider
// which servers there are.
func (c *Conn) clientOptions(sessionTimeout time.Duration) []client.Option {
	maxReply := math.MaxInt32
	if c.maxBufferSize > 0 {
		maxReply = c.maxBufferSize
	}
	return []client.Option{
		client.WithDialer(c.dial),
		client.WithSessionTimeout(sessionTimeout),
		client.WithConnectTimeout(time.Duration(c.hosts.Len())*connectTimeout + max(10*time.Second, sessionTimeout)),
		client.WithReconnectPause(c.pause),
		client.WithRetry(client.NeverRetry),
		client.WithMaxReply(maxReply),
		client.WithMaxRequest(c.maxRequest),
		client.WithHooks(client.Hooks{Event: c.happened}),
	}
}

// ConnectWithDialer is Connect with the option WithDialer.
//
// Deprecated: use Connect.
func ConnectWithDialer(servers []string, sessionTimeout time.Duration, dialer Dialer) (*Conn, <-chan Event, error) {
	return Connect(servers, sessionTimeout, WithDialer(dialer))
}

// WithDialer opens connections by dialer. Default: net.DialTimeout.
func WithDialer(dialer Dialer) connOption {
	return func(c *Conn) { c.dialer = dialer }
}

// WithHostProvider finds servers by hostProvider. Default: a [DNSHostProvider].
func WithHostProvider(hostProvider HostProvider) connOption {
	return func(c *Conn) { c.hosts = hostProvider }
}

// WithLogger logs by logger. Default: [DefaultLogger].
func WithLogger(logger Logger) connOption {
	return func(c *Conn) { c.SetLogger(logger) }
}

// WithLogInfo says whether to log what is no failure, too. Default: true.
func WithLogInfo(logInfo bool) connOption {
	return func(c *Conn) { c.logInfo = logInfo }
}

// WithEventCallback calls cb with every event, before the channel gets it. It
// must not block.
func WithEventCallback(cb EventCallback) connOption {
	return func(c *Conn) { c.callback = cb }
}

// WithMaxBufferSize bounds a reply, in bytes, but not below 1024. Default, and if
// it is not positive: only by the protocol.
func WithMaxBufferSize(maxBufferSize int) connOption {
	return func(c *Conn) { c.maxBufferSize = maxBufferSize }
}

// WithMaxConnBufferSize bounds a request, in bytes: a larger one fails with
// ErrShortBuffer. Default: 1.5 MiB. Servers close the connection on what is
// larger than their jute.maxbuffer, 1 MiB by default.
func WithMaxConnBufferSize(maxBufferSize int) connOption {
	return func(c *Conn) { c.maxRequest = maxBufferSize }
}

// SetLogger makes l the logger.
func (c *Conn) SetLogger(l Logger) { c.log.Store(&l) }

func (c *Conn) logf(format string, args ...any) { (*c.log.Load()).Printf(format, args...) }

func (c *Conn) infof(format string, args ...any) {
	if c.logInfo {
		c.logf(format, args...)
	}
}

// State is the state at present.
func (c *Conn) State() State { return State(c.state.Load()) }

// SessionID is the session at present; 0 if there is none.
func (c *Conn) SessionID() int64 { return c.sessionID.Load() }

// Server is the server that the connection is with, or was, or is tried with.
func (c *Conn) Server() string { return *c.server.Load() }

func (c *Conn) setServer(s string) { c.server.Store(&s) }

// Close closes the session and the channel of events. It waits for the server,
// up to a second.
func (c *Conn) Close() {
	c.closeOnce.Do(func() {
		c.end()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := c.client.Close(); err != nil {
				c.logf("closing the session: %v", err)
			}
			close(c.events) // nobody tells of events any more
		}()
		timer := time.NewTimer(closeTimeout)
		defer timer.Stop()
		select {
		case <-ended:
		case <-c.closed: // a callback may wait for the caller
		case <-timer.C:
		}
	})
}
