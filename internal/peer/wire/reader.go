package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/quollhq/quoll/internal/arena"
	"github.com/quollhq/quoll/internal/jute"
)

const (
	readerBuffer = 64 << 10
	// keptBuffer is the largest buffer that a reader keeps once a large packet was taken out of it.
	keptBuffer = 1 << 20
)

// Reader reads the packets of one connection. It reads ahead as far as bytes have arrived, so a caller that has taken
// everything Buffered knows that the next call may wait.
type Reader struct {
	src   io.Reader
	limit int

	buf        []byte
	start, end int // what has arrived and was not taken
	last       int // where the packet begins that was taken last
	// own is a copy of what stands at buf[ownFrom], as long as that is not moved.
	own     []byte
	ownFrom int
	// Transactions get their memory from pieces, of which filled are those of late. owned is the last transaction that
	// lies in one.
	memory arena.Arena
	filled []Filled
	owned  int64
	auth   []Identity
	err    error
}

// NewReader reads from src. A packet whose data, or whose identities together, have more than limit bytes is an error.
func NewReader(src io.Reader, limit int) *Reader {
	return &Reader{src: src, limit: limit, buf: make([]byte, readerBuffer)}
}

// Next reads one packet into p. Its data and identities share the reader's memory: they are valid until the next call
// of a method, the data also beyond a Next that follows a Whole which is true: it has no need of other memory. io.EOF means that the stream ended between two packets; every error stays.
func (r *Reader) Next(p *Packet) error {
	r.shrink()
	auth := -1
	data, size := r.plain()
	if size == 0 {
		var err error
		if data, auth, size, err = r.measure(); err != nil {
			return err
		}
	}
	r.last = r.start
	b := r.buf[r.start : r.start+size : r.start+size]
	p.Type = Type(int32(binary.BigEndian.Uint32(b)))
	p.Zxid = int64(binary.BigEndian.Uint64(b[4:]))
	p.Data = nil
	if data >= 0 {
		p.Data = b[packetHead : packetHead+data : packetHead+data]
	}
	p.Auth = r.identities(b[packetHead+max(data, 0)+4:], auth)
	r.start += size
	return nil
}

// Filled is a piece of memory in which transactions lie.
type Filled struct {
	Last   int64 // the zxid of the last that does
	Memory []byte
}

// Own gives the packet that was read last memory of its own for its data, which stays: that of a transaction until the
// piece of memory that it lies in was Filled and is given back by Free, that of any other packet for good. What has arrived
// behind a transaction is copied along, so that one copy does for many.
func (r *Reader) Own(p *Packet) {
	switch {
	case p.Data == nil:
		return
	case p.Type != Proposal && p.Type != Inform:
		p.Data = slices.Clip(bytes.Clone(p.Data))
		return
	}
	at := r.last + packetHead - r.ownFrom
	if r.own == nil || at < 0 || at+len(p.Data) > len(r.own) {
		r.ownFrom, at = r.last+packetHead, 0
		var filled []byte
		if r.own, filled = r.memory.Copy(r.buf[r.ownFrom:r.end], 0); filled != nil {
			r.filled = append(r.filled, Filled{r.owned, filled})
		}
	}
	p.Data = r.own[at : at+len(p.Data) : at+len(p.Data)]
	r.owned = p.Zxid
}

// Filled are the pieces of memory in which no transaction will lie that is read from now on.
func (r *Reader) Filled() []Filled {
	filled := r.filled
	r.filled = nil
	return filled
}

// Free takes back a filled piece of memory that nobody reads any more. It may be called by any goroutine.
func (r *Reader) Free(filled []byte) { r.memory.Free(filled) }

// identities reads n identities that measure has walked over.
func (r *Reader) identities(b []byte, n int) []Identity {
	if n < 0 {
		return nil
	}
	if r.auth == nil {
		r.auth = make([]Identity, 0, 4) // so that none differs from null
	}
	r.auth = r.auth[:0]
	d := jute.NewDecoder(b)
	for range n {
		r.auth = append(r.auth, Identity{Scheme: d.AliasString(), ID: d.AliasString()})
	}
	return r.auth
}

// Buffered is the number of bytes that have arrived and were not taken.
func (r *Reader) Buffered() int { return r.end - r.start }

// plain is the length of the data, -1 for null, of a packet without identities, and its size, if all of it is in the
// buffer; else the size is 0.
func (r *Reader) plain() (data, size int) {
	b := r.buf[r.start:r.end]
	if len(b) < minPacket {
		return 0, 0
	}
	data = int(int32(binary.BigEndian.Uint32(b[packetHead-4:])))
	size = minPacket + max(data, 0)
	if data < -1 || data > r.limit || len(b) < size || int32(binary.BigEndian.Uint32(b[size-4:])) >= 0 {
		return 0, 0
	}
	return data, size
}

// measure waits until a whole packet is in the buffer and returns the length of its data and the number of its
// identities, both -1 for null, and its size.
func (r *Reader) measure() (data, auth, size int, err error) {
	if err := r.need(packetHead); err != nil {
		return 0, 0, 0, err
	}
	if data, err = r.length(packetHead-4, "data"); err != nil {
		return 0, 0, 0, err
	}
	size = packetHead + max(data, 0) + 4
	if err := r.need(size); err != nil {
		return 0, 0, 0, err
	}
	// A count below 0 is null, as in Apache's codec.
	auth = max(-1, int(int32(binary.BigEndian.Uint32(r.buf[r.start+size-4:]))))
	if auth > r.limit/minAuth {
		return 0, 0, 0, r.fail(fmt.Errorf("%w: %d identities", jute.ErrMalformed, auth))
	}
	from := size
	for range auth {
		for _, part := range [...]string{"scheme", "identity"} {
			if err := r.need(size + 4); err != nil {
				return 0, 0, 0, err
			}
			n, err := r.length(size, part)
			if err != nil {
				return 0, 0, 0, err
			}
			size += 4 + max(n, 0)
		}
		if size-from > r.limit {
			return 0, 0, 0, r.fail(fmt.Errorf("%w: more than %d bytes of identities", jute.ErrMalformed, r.limit))
		}
	}
	return data, auth, size, r.need(size)
}

// length reads the length at off, which must be in the buffer, and checks it.
func (r *Reader) length(off int, what string) (int, error) {
	n := int(int32(binary.BigEndian.Uint32(r.buf[r.start+off:])))
	if n < -1 || n > r.limit {
		return 0, r.fail(fmt.Errorf("%w: %s of %d bytes, at most %d are taken", jute.ErrMalformed, what, n, r.limit))
	}
	return n, nil
}

// need waits until n bytes are in the buffer. The buffer grows with what arrives, not with what was announced.
func (r *Reader) need(n int) error {
	for r.end-r.start < n {
		if r.err != nil {
			return r.short()
		}
		r.makeRoom(n)
		var got int
		got, r.err = r.src.Read(r.buf[r.end:])
		r.end += got
	}
	return nil
}

// short is the error of a stream that ended before all was there.
func (r *Reader) short() error {
	if errors.Is(r.err, io.EOF) && r.end > r.start {
		return io.ErrUnexpectedEOF
	}
	return r.err
}

func (r *Reader) makeRoom(n int) {
	r.own = nil
	if r.start == r.end {
		r.start, r.end = 0, 0
	}
	if r.end < len(r.buf) && r.start+n <= len(r.buf) {
		return
	}
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
}

// shrink gives the memory of a large packet back.
func (r *Reader) shrink() {
	if len(r.buf) > keptBuffer && r.end-r.start <= readerBuffer {
		r.own = nil
		buf := make([]byte, readerBuffer)
		r.end = copy(buf, r.buf[r.start:r.end])
		r.start, r.buf = 0, buf
	}
}

func (r *Reader) fail(err error) error {
	r.err, r.end = err, r.start // nothing after it can be trusted
	return err
}

// take moves what is in the buffer, up to len(b), to b; with an empty buffer it reads.
func (r *Reader) take(b []byte) (int, error) {
	if r.start == r.end {
		if r.err != nil {
			return 0, r.err
		}
		return r.src.Read(b)
	}
	n := copy(b, r.buf[r.start:r.end])
	r.start += n
	return n, nil
}
