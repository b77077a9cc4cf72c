// Package link keeps the connections between a leader and its learners: it accepts or dials them, moves packets, streams
// states, and knows nothing of what a packet is good for. It speaks with Apache's LearnerHandler and Learner.
//
//   - What arrives is handed to the owner's [Handler] in batches, which are bounded. Nothing more is read from a
//     connection until the owner has taken the batch: who is slow is sent no more, by TCP's own means.
//   - What is sent is appended to a queue, encoded in place, and leaves with one write for all that is there. A [Stream]
//     stands for what is too large for memory: it is written when its turn comes.
//   - A queue has an end: a connection that lets more than [Config.MaxQueue] bytes wait is ended, and its learner comes
//     back to be synchronised anew. Before that, [Endpoint.Pace] makes those wait who fill the queues, but only for
//     learners that take something: one that has stopped must not stop the others.
//
// Goroutines: one per connection that reads and calls the Handler, one that writes what a socket has not taken at once
// ([Conn.WriteNow]), and one per connection whose other side has not authenticated itself. They end with their
// connection or with [Endpoint.Close], which waits for them.
package link

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/peer/socket"
	"github.com/quollhq/quoll/internal/peer/wire"
)

// Errors that end a connection; Handler.Down gets them, wrapped.
var (
	// ErrClosed is for a connection that was ended here.
	ErrClosed = errors.New("the connection was closed")
	// ErrSilent is for a connection on which nothing arrived for too long.
	ErrSilent = errors.New("nothing was heard for too long")
	// ErrSlow is for a connection that takes too little of what is sent.
	ErrSlow = errors.New("too much waits to be sent")
	// ErrSnapshot is for a learner that sends a state to its leader.
	ErrSnapshot = errors.New("a learner has no state to send")
)

// maxStrangers bounds the accepted connections from which nothing was heard.
const maxStrangers = 256

// Handler is the owner of connections. The calls for one connection come one after the other from a goroutine of its
// own, those for several at the same time. A call that waits must stop when Conn.Done is closed.
type Handler interface {
	// Up is the first call for a connection, of a learner as of a leader.
	Up(c *Conn)
	// Received hands over what has arrived, with its memory. Nothing more is read until it returns. The data of a REQUEST is
	// valid until then only: who takes many requests at once copies them into memory that is used again.
	Received(c *Conn, batch []Packet)
	// Snapshot reads the state behind a SNAP packet, up to io.EOF. What it returns goes with the packet, which is the
	// last of its batch; if the state does not end as it must, its Close is called if it has one, and it goes nowhere.
	Snapshot(c *Conn, zxid int64, r io.Reader) (any, error)
	// Down is the last call for a connection.
	Down(c *Conn, err error)
}

// Packet is a packet whose memory belongs to those it is handed to.
type Packet struct {
	wire.Packet
	// Run is how many more a COMMIT or an ACK stands for: those of the numbers right before its own, which came right
	// before it.
	Run int64
	// Snapshot is of SNAP: what Handler.Snapshot has returned.
	Snapshot any
}

// Config is what an Endpoint needs. All fields are required unless said otherwise.
type Config struct {
	Handler Handler
	// Dial opens a connection, TLS included, within a time of its own.
	Dial socket.Dialer
	// Authenticator is nil if members believe each other.
	Authenticator socket.Authenticator
	// Timeout bounds a handshake, and how long nothing may be heard on a connection until Conn.SetTimeout says
	// otherwise.
	Timeout time.Duration
	// NewOwner makes what the Handler keeps with a connection, in Conn.Owner; nil for nothing.
	NewOwner func() any
	// MaxPacket bounds the data of a packet, in bytes.
	MaxPacket int
	// MaxQueue is how many bytes may wait to be sent on one connection; 256 MiB if 0.
	MaxQueue int
	// SlowQueue is how many bytes may wait before Pace waits; a quarter of MaxQueue if 0.
	SlowQueue int
	// Now is the clock for deadlines; time.Now if nil.
	Now func() time.Time
	// Logger is required.
	Logger *slog.Logger
}

// Endpoint is the connections of one member with its leader or its learners. Its methods may be called from any
// goroutine.
type Endpoint struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	last      uint64 // the number of the youngest connection
	conns     map[*Conn]struct{}
	strangers map[net.Conn]struct{} // accepted or dialled, not in conns so far
	shorter   chan struct{}         // closed when a queue has become shorter; nil if nobody waits
	awaited   atomic.Bool           // somebody waits for shorter
}

// New returns an endpoint without connections. Close must be called.
func New(cfg Config) *Endpoint {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxQueue == 0 {
		cfg.MaxQueue = 256 << 20
	}
	if cfg.SlowQueue == 0 {
		cfg.SlowQueue = cfg.MaxQueue / 4
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Endpoint{cfg: cfg, ctx: ctx, cancel: cancel, conns: make(map[*Conn]struct{}), strangers: make(map[net.Conn]struct{})}
}

// Close ends all connections and waits for the endpoint's goroutines, so for the Handler's last calls, too. Calls of
// Serve, Dial and Pace end.
func (e *Endpoint) Close() {
	e.mu.Lock()
	e.closed = true
	e.cancel()
	for c := range e.conns {
		c.Close()
	}
	for conn := range e.strangers {
		_ = conn.SetDeadline(past) // its own goroutine closes it
	}
	e.mu.Unlock()
	e.tasks.Wait()
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// meet counts a connection that has not introduced itself, so that Close ends it. With e.mu held.
func (e *Endpoint) meet(conn net.Conn) bool {
	if e.closed || len(e.strangers) >= maxStrangers {
		conn.Close()
		return false
	}
	e.strangers[conn] = struct{}{}
	return true
}

// begin runs a connection whose handshake is over, unless err says that it failed.
func (e *Endpoint) begin(conn net.Conn, r *bufio.Reader, in *input, dialled bool, err error) (*Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.strangers, conn)
	if err == nil && e.closed {
		err = ErrClosed
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("%v: %w", conn.RemoteAddr(), err)
	}
	e.last++
	c := newConn(e, conn, r, in, e.last, dialled)
	if e.cfg.NewOwner != nil {
		c.Owner = e.cfg.NewOwner()
	}
	e.conns[c] = struct{}{}
	e.tasks.Go(c.run)
	return c, nil
}

func (e *Endpoint) remove(c *Conn) {
	e.mu.Lock()
	delete(e.conns, c)
	e.mu.Unlock()
	e.wakePaced()
}
