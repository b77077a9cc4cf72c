package request

import (
	"encoding/binary"
	"sync"

	"github.com/quollhq/quoll/internal/proto"
)

// Buffers for frames come from a pool, so that a client costs memory only
// while it has something to be sent.
const (
	frameSize = 8 << 10
	frameMost = 64 << 10 // for many replies; a buffer of any other size is left to the collector
	// eventSize is what one event gets for itself, if it fits: often thousands of
	// clients are told at once, and nothing else is due to any of them.
	eventSize = 128
)

var (
	framePool = sync.Pool{New: func() any { return new([frameSize]byte) }}
	mostPool  = sync.Pool{New: func() any { return new([frameMost]byte) }}
	eventPool = sync.Pool{New: func() any { return new([eventSize]byte) }}
)

// Recycle takes back what Take gave.
func Recycle(frames []byte) {
	switch cap(frames) {
	case eventSize:
		eventPool.Put((*[eventSize]byte)(frames[:eventSize]))
	case frameSize:
		framePool.Put((*[frameSize]byte)(frames[:frameSize]))
	case frameMost:
		mostPool.Put((*[frameMost]byte)(frames[:frameMost]))
	}
}

// frames are frames in a row, in a buffer from a pool.
type frames struct {
	buf   []byte
	frame int // where the frame being appended starts
}

// room makes sure that there is a buffer to append to.
func (f *frames) room() {
	switch {
	case f.buf == nil:
		f.buf = framePool.Get().(*[frameSize]byte)[:0]
	case cap(f.buf) == eventSize:
		f.move(framePool.Get().(*[frameSize]byte)[:0])
	case cap(f.buf) == frameSize && len(f.buf) > frameSize*3/4:
		f.move(mostPool.Get().(*[frameMost]byte)[:0])
	}
}

// move moves what waits to another buffer.
func (f *frames) move(to []byte) {
	was := f.buf
	f.buf = append(to, was...)
	Recycle(was)
}

// begin starts a frame.
func (f *frames) begin() {
	f.room()
	f.frame = len(f.buf)
	f.buf = append(f.buf, 0, 0, 0, 0)
}

// header appends the header of a reply to the frame.
func (f *frames) header(xid int32, zxid int64, code proto.Code) {
	b := f.buf
	b = binary.BigEndian.AppendUint32(b, uint32(xid))
	b = binary.BigEndian.AppendUint64(b, uint64(zxid))
	f.buf = binary.BigEndian.AppendUint32(b, uint32(code))
}

// end completes the frame.
func (f *frames) end() {
	binary.BigEndian.PutUint32(f.buf[f.frame:], uint32(len(f.buf)-f.frame-4))
}

// fail replaces what was appended to the frame by a reply without body.
func (f *frames) fail(xid int32, zxid int64, code proto.Code) {
	f.buf = f.buf[:f.frame+4]
	f.header(xid, zxid, code)
}

// join puts the frames of another behind, and leaves none there.
func (f *frames) join(other *frames) {
	switch {
	case f.buf == nil:
		f.buf, other.buf = other.buf, nil
		return
	case cap(f.buf)-len(f.buf) < len(other.buf) && len(f.buf)+len(other.buf) <= frameMost && cap(f.buf) < frameMost:
		f.move(mostPool.Get().(*[frameMost]byte)[:0])
	}
	f.buf = append(f.buf, other.buf...)
	other.buf = other.buf[:0]
}
