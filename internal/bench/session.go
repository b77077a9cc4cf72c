package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/quollhq/quoll/internal/proto"
)

// Errors that end a session: the other side does not speak the protocol, or
// mixes up its replies.
var (
	errReply = errors.New("malformed reply")
	errOrder = errors.New("reply out of order")
)

// maxReply bounds what is taken for a reply; replies are skipped, not kept.
const maxReply = 1 << 30

// sent is a run of requests of one kind that began at the same time.
type sent struct {
	at   int64 // nanoseconds of the run's clock
	n    int32 // those not answered
	kind kind
}

// session is one pipelined connection as the load sees it: what was asked and
// not answered, bytes to send, and the reply that is arriving. It does no I/O.
type session struct {
	id       int64
	conn     net.Conn // portable driver
	fd       int      // polling driver
	index    int      // in its lane
	sendXid  int32
	wantXid  int32
	inflight int
	ring     []sent // power of two long; asked and not answered, oldest at head
	head     uint32
	tail     uint32
	out      []byte     // requests that are to be written
	outAt    int        // of which so many bytes are
	waiting  bool       // for room in the socket
	spare    []byte     // portable driver: the other output buffer
	writing  sync.Mutex // portable driver: held while the socket is written
	broken   error
	lastSent int64 // when something was sent last, for pings
	events   int64 // watch events received
	begun    int64 // requests of the present load

	// the reply that is arriving
	hdr    [lengthLen + replyHeaderLen]byte
	hdrLen int
	inBody bool
	skip   int // bytes of it still to come
	length int // without its length word
	xid    int32
	code   proto.Code
}

func newSession(id int64, depth int) *session {
	size := 16
	for size < depth+1 {
		size *= 2
	}
	return &session{id: id, ring: make([]sent, min(size, 1024)), sendXid: 1, wantXid: 1}
}

// asked notes one request of kind k that began at the given time, and returns
// its xid.
func (s *session) asked(k kind, at int64) int32 {
	xid := s.sendXid
	s.sendXid = nextXid(xid)
	s.inflight++
	if s.tail != s.head {
		e := &s.ring[(s.tail-1)&uint32(len(s.ring)-1)]
		if e.at == at && e.kind == k {
			e.n++
			return xid
		}
	}
	if s.tail-s.head == uint32(len(s.ring)) {
		s.grow()
	}
	s.ring[s.tail&uint32(len(s.ring)-1)] = sent{at: at, n: 1, kind: k}
	s.tail++
	return xid
}

func (s *session) grow() {
	bigger := make([]sent, 2*len(s.ring))
	n := uint32(0)
	for i := s.head; i != s.tail; i++ {
		bigger[n] = s.ring[i&uint32(len(s.ring)-1)]
		n++
	}
	s.ring, s.head, s.tail = bigger, 0, n
}

// nextXid stays within the positive numbers, which are the ones for requests.
func nextXid(x int32) int32 { return (x + 1) & 0x7fffffff }

// header takes the head of a reply from the front of p and returns the rest;
// inBody tells whether it is complete.
func (s *session) header(p []byte) ([]byte, error) {
	h := p
	if s.hdrLen == 0 && len(p) >= len(s.hdr) {
		p = p[len(s.hdr):]
	} else {
		n := copy(s.hdr[s.hdrLen:], p)
		s.hdrLen += n
		p = p[n:]
		if s.hdrLen < len(s.hdr) {
			return p, nil
		}
		h = s.hdr[:]
	}
	s.hdrLen = 0
	s.length = int(binary.BigEndian.Uint32(h))
	if s.length < replyHeaderLen || s.length > maxReply {
		return p, fmt.Errorf("reply of %d bytes: %w", s.length, errReply)
	}
	s.xid = int32(binary.BigEndian.Uint32(h[4:]))
	s.code = proto.Code(int32(binary.BigEndian.Uint32(h[16:])))
	s.skip = s.length - replyHeaderLen
	s.inBody = true
	return p, nil
}

// body takes what it can of the reply's body from p and returns the rest;
// inBody tells whether more is to come.
func (s *session) body(p []byte) []byte {
	n := min(s.skip, len(p))
	s.skip -= n
	s.inBody = s.skip > 0
	return p[n:]
}

// written forgets the output that the socket has taken.
func (s *session) written() {
	if s.outAt == len(s.out) {
		s.out, s.outAt = s.out[:0], 0
		return
	}
	if s.outAt > len(s.out)/2 {
		s.out = s.out[:copy(s.out, s.out[s.outAt:])]
		s.outAt = 0
	}
}
