package client

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"
)

// Defaults of the options.
const (
	DefaultSessionTimeout = 30 * time.Second
	DefaultMaxInFlight    = 16384
	DefaultMaxReply       = 64 << 20
	DefaultMaxRequest     = 1<<20 - 1
	DefaultWatchBuffer    = 65536
)

// Option changes how a client works.
type Option func(*options)

type options struct {
	sessionTimeout time.Duration
	connectTimeout time.Duration
	maxInFlight    int
	maxReply       int
	maxRequest     int
	watchBuffer    int
	keepOrder      bool
	readOnly       bool
	singleSession  bool
	requestTimeout time.Duration
	failFast       bool
	linearizable   bool
	retry          RetryPolicy
	reconnect      func(failed int) time.Duration
	hooks          hooks
	tls            *tls.Config
	dial           DialFunc
	sasl           func(server string) (SASL, error)
	creds          []credential
	resume         *resumption
	log            *slog.Logger
}

// DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// credential is one identity, presented on every connection.
type credential struct {
	scheme string
	auth   []byte
}

type resumption struct {
	id       int64
	password []byte
}

func defaultOptions() options {
	return options{
		sessionTimeout: DefaultSessionTimeout,
		maxInFlight:    DefaultMaxInFlight,
		maxReply:       DefaultMaxReply,
		maxRequest:     DefaultMaxRequest,
		watchBuffer:    DefaultWatchBuffer,
		retry:          RetryReads,
		log:            slog.New(slog.DiscardHandler),
	}
}

// WithSessionTimeout asks for a session that outlives d of silence. The server
// has the last word: see Session.Timeout. Default: 30 s.
func WithSessionTimeout(d time.Duration) Option {
	return func(o *options) { o.sessionTimeout = d }
}

// WithConnectTimeout bounds one attempt to connect to one server, handshake
// included. Default: the session's time-out divided by the number of servers,
// but at least 1 s.
func WithConnectTimeout(d time.Duration) Option {
	return func(o *options) { o.connectTimeout = d }
}

// WithServerOrder tries servers in the order given. Default: in an order drawn
// at random, so that clients spread over the servers.
func WithServerOrder() Option { return func(o *options) { o.keepOrder = true } }

// WithReadOnly accepts a server that has lost its quorum and only reads, while
// the client goes on looking for one that writes. It gets a session of that server
// alone, which ends there. A client that has a session of the ensemble keeps that, and
// is served again when there is a quorum: such servers turn it away. Default: off.
func WithReadOnly() Option { return func(o *options) { o.readOnly = true } }

// WithSingleSession makes the client end when its session expires: all
// requests fail with [ErrSessionExpired] from then on. Default: another
// session is opened.
func WithSingleSession() Option { return func(o *options) { o.singleSession = true } }

// WithFailFast makes requests that wait for a connection fail with
// [ErrConnectionLoss] when each server has been tried in vain, and nothing is
// asked again, whatever the [RetryPolicy]. The error wraps what the attempts have
// failed with. Default: off; they wait until their context ends. [FailFast] is the same
// for one of them, and for Dial.
func WithFailFast() Option { return func(o *options) { o.failFast = true } }

// WithLinearizableReads makes all reads of the client linearizable, see
// [Linearizable]. Default: off.
func WithLinearizableReads() Option { return func(o *options) { o.linearizable = true } }

// WithRequestTimeout bounds each request in addition to its context: it fails
// with [ErrRequestTimeout] after d. Default: only the context bounds it.
func WithRequestTimeout(d time.Duration) Option {
	return func(o *options) { o.requestTimeout = d }
}

// WithTLS encrypts connections. A configuration without ServerName checks the
// certificate of each server against its host in the list of servers.
// Default: no TLS.
func WithTLS(config *tls.Config) Option { return func(o *options) { o.tls = config } }

// WithDialer opens connections (before TLS) by dial, which gets host and port
// as the list of servers has them. Default: a name is resolved anew for each
// attempt, its addresses are tried in random order.
func WithDialer(dial DialFunc) Option { return func(o *options) { o.dial = dial } }

// WithAuth presents an identity on every connection, for example scheme
// "digest" and auth "user:password". It may be given several times. See
// [Client.AddAuth] for later ones.
func WithAuth(scheme string, auth []byte) Option {
	return func(o *options) { o.creds = append(o.creds, credential{scheme, auth}) }
}

// WithSASL authenticates every connection, before anything else is asked, by a
// mechanism that start makes for a server (host:port). See [DigestMD5].
// Default: no SASL.
func WithSASL(start func(server string) (SASL, error)) Option {
	return func(o *options) { o.sasl = start }
}

// WithSession takes over a session that another client has left with Detach.
// If it has expired meanwhile, that counts as this client's first session
// expiring.
func WithSession(id int64, password []byte) Option {
	return func(o *options) { o.resume = &resumption{id, password} }
}

// WithMaxInFlight bounds the requests that wait for replies; more callers wait
// for their turn. Default: 16384.
func WithMaxInFlight(n int) Option { return func(o *options) { o.maxInFlight = max(1, n) } }

// WithMaxReply bounds a reply, in bytes. A request with a longer one fails with
// [ErrReplyTooLarge], the connection goes on. Default: 64 MiB.
func WithMaxReply(bytes int) Option { return func(o *options) { o.maxReply = max(1024, bytes) } }

// WithMaxRequest bounds a request, in bytes: a longer one fails with
// [ErrRequestTooLarge] and is not sent. It should be the servers' jute.maxbuffer,
// on more than which they close the connection. Default: theirs, 1 MiB less one.
func WithMaxRequest(bytes int) Option { return func(o *options) { o.maxRequest = bytes } }

// WithWatchBuffer bounds the events that a [Watch], or an [Events], keeps for a
// reader that is slow. Beyond it they are replaced by one [EventReset].
// Default: 65536.
func WithWatchBuffer(events int) Option { return func(o *options) { o.watchBuffer = max(1, events) } }

// WithReconnectPause says how long to wait before the next attempt to connect
// after so many that have failed since the last good connection; 0 is possible,
// too. Default: no pause until all servers of the list were tried, then 50 to
// 100 ms, doubled with each round up to 1 s.
func WithReconnectPause(pause func(failed int) time.Duration) Option {
	return func(o *options) { o.reconnect = pause }
}

// WithLogger logs connections that come and go: as INFO, and as one WARN when no
// server has been reached for some seconds, which says why. Default, and if log is
// nil: no log.
func WithLogger(log *slog.Logger) Option {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return func(o *options) { o.log = log }
}
