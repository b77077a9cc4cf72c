// Package mesh keeps the election connections of a member: one with every other member, for messages of which only the
// newest counts. It speaks with Apache's QuorumCnxManager and follows its rules:
//
//   - The one who dials says who it is ([wire.Hello]). A connection stays if the larger number has dialled it; a member
//     that is dialled by a smaller one closes that connection, and any other with it, and dials itself.
//   - A connection takes the place of the one before it between the same members.
//   - For each member there is room for one message: a newer one takes its place. A new connection first sends what was
//     sent last, unless there is something newer, since nobody knows whether it arrived.
//   - Nothing is dialled unless there is something to say: by [Mesh.Send], [Mesh.ConnectAll], or to call back.
//
// Goroutines: one per accepted connection until its handshake is over, one per dial, two per connection that stays. They
// end with their connection or with [Mesh.Close], which waits for them.
package mesh

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/peer/socket"
	"github.com/quollhq/quoll/internal/peer/wire"
)

const (
	// receiveRoom is how many messages may wait to be received; then the oldest is dropped.
	receiveRoom = 100
	// maxStrangers bounds the members that are in no configuration: joiners, and observers without a number.
	maxStrangers = 64
	// maxHandshakes bounds the accepted connections that have not said who they are.
	maxHandshakes = 256
)

// Config is what a Mesh needs. All fields are required unless said otherwise.
type Config struct {
	// Self is the member's own number.
	Self int64
	// Addresses are the member's own election addresses, for others to call back.
	Addresses []wire.Address
	// MultiAddress sends all of them; servers before 3.6 do not understand that.
	MultiAddress bool
	// Lookup returns the election addresses of a member, none for one that is in no configuration. It is asked anew
	// before each dial. It must not call the mesh.
	Lookup func(sid int64) []wire.Address
	// Dial opens a connection, TLS included, within a time of its own.
	Dial socket.Dialer
	// Reach, if not nil, is told when a connection with a member is there, and when one ends or cannot be made. It must
	// neither wait nor call the mesh.
	Reach func(sid int64, ok bool)
	// Authenticator is nil if members believe each other.
	Authenticator socket.Authenticator
	// Timeout bounds a handshake, and the sending of one message.
	Timeout time.Duration
	// Now is the clock for deadlines; time.Now if nil.
	Now func() time.Time
	// Logger is required.
	Logger *slog.Logger
}

// Message is what a member has sent.
type Message struct {
	From    int64
	Payload []byte
}

// Mesh is the election connections of one member. Its methods may be called from any goroutine.
type Mesh struct {
	cfg      Config
	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	received chan Message
	dropping sync.Mutex // held while room is made in received

	mu         sync.Mutex
	closed     bool
	peers      map[int64]*peer
	handshakes map[net.Conn]struct{} // accepted or dialled, not linked so far
	accepted   int64                 // how many connections were accepted
	anonymous  int64                 // the number that the last observer without one was given, below 0
}

// peer is what a mesh knows of one other member. Its fields are guarded by Mesh.mu.
type peer struct {
	sid        int64
	stranger   bool   // in no configuration: forgotten with its connection
	next, last []byte // the message to be sent, and the one sent before; nil for none
	link       *link  // nil while there is no connection
	dialling   bool
	failed     error // why the last connection ended or could not be made, nil while there is one
	turn       int64 // which of the accepted connections the link is or was
	again      int   // how often in a row it has dialled over a link that stood, the last time at againAt
	againAt    time.Time
}

// New returns a mesh without connections. Close must be called.
func New(cfg Config) *Mesh {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Mesh{
		cfg: cfg, ctx: ctx, cancel: cancel, received: make(chan Message, receiveRoom),
		peers: make(map[int64]*peer), handshakes: make(map[net.Conn]struct{}),
	}
}

// Received yields what members have sent, and what was sent to Self. If nobody receives, the oldest messages are lost.
// It is never closed.
func (m *Mesh) Received() <-chan Message { return m.received }

// Send lets a member have msg once there is a connection, in place of what was not sent so far. It does not wait. msg
// must not be changed any more.
func (m *Mesh) Send(to int64, msg []byte) {
	if to == m.cfg.Self {
		m.receive(Message{From: to, Payload: msg})
		return
	}
	stranger := m.stranger(to)
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peer(to, stranger)
	if p == nil {
		return
	}
	p.next = msg
	if p.link != nil {
		p.link.signal()
		return
	}
	m.connect(p, nil)
}

// ConnectAll dials every member that something was sent to and that has no connection.
func (m *Mesh) ConnectAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.peers {
		m.connect(p, nil)
	}
}

// Delivered tells whether to at least one member all was sent, so that it is worth to say it again; otherwise there is no
// connection that works. It is the rule by which Apache's election chooses between the two.
func (m *Mesh) Delivered() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.peers {
		if p.next == nil {
			return true
		}
	}
	return false
}

// Reached tells whether there is a connection with a member, and otherwise why the last one ended or could not be made;
// that is nil if none was tried, or one is not answered so far.
func (m *Mesh) Reached(sid int64) (ok bool, why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[sid]
	if p == nil {
		return false, nil
	}
	return p.link != nil, p.failed
}

// Forget ends the connection with a member that has left, and drops what was to be sent.
func (m *Mesh) Forget(sid int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.peers[sid]; p != nil {
		m.unlink(p)
		delete(m.peers, sid)
	}
}

// Close ends all connections and waits for the mesh's goroutines; calls of Serve end, too.
func (m *Mesh) Close() {
	m.mu.Lock()
	m.closed = true
	m.cancel()
	for _, p := range m.peers {
		m.unlink(p)
	}
	for conn := range m.handshakes {
		conn.Close()
	}
	m.mu.Unlock()
	m.tasks.Wait()
}

// receive puts msg where the owner receives it, and drops the oldest message if there is no room.
func (m *Mesh) receive(msg Message) {
	m.dropping.Lock()
	defer m.dropping.Unlock()
	for {
		select {
		case m.received <- msg:
			return
		default:
		}
		select {
		case <-m.received:
		default: // somebody has received meanwhile
		}
	}
}

func (m *Mesh) reach(sid int64, ok bool) {
	if m.cfg.Reach != nil {
		m.cfg.Reach(sid, ok)
	}
}

func (m *Mesh) stranger(sid int64) bool { return len(m.cfg.Lookup(sid)) == 0 }

// peer returns what is known of a member; nil if the mesh is closed or has no room for another stranger. With m.mu held.
func (m *Mesh) peer(sid int64, stranger bool) *peer {
	if m.closed {
		return nil
	}
	p := m.peers[sid]
	if p == nil {
		if stranger && m.strangers() >= maxStrangers {
			m.cfg.Logger.Warn("too many members that are in no configuration", "sid", sid)
			return nil
		}
		p = &peer{sid: sid}
		m.peers[sid] = p
	}
	p.stranger = stranger
	return p
}

func (m *Mesh) strangers() (n int) {
	for _, p := range m.peers {
		if p.stranger {
			n++
		}
	}
	return n
}

// settle forgets a stranger that nothing connects with any more. With m.mu held.
func (m *Mesh) settle(p *peer) {
	if p.stranger && p.link == nil && !p.dialling && m.peers[p.sid] == p {
		delete(m.peers, p.sid)
	}
}
