package link

import (
	"io"
	"sync"
)

const (
	// chunkSize is the room that packets are appended to; a chunk grows beyond it with its last packet only.
	chunkSize = 64 << 10
	// keptChunk is the largest chunk that is used again.
	keptChunk = 4 * chunkSize
	// writeSize is about how many bytes are written at once.
	writeSize = 1 << 20
)

// Stream is a part of what is sent that is not in memory. Close is called once, when it was written or will not be.
type Stream interface {
	io.WriterTo
	io.Closer
}

// item is a chunk of packets or a stream.
type item struct {
	packets []byte
	count   int // of packets
	stream  Stream
}

// outbox is what waits to be written, in order.
type outbox struct {
	mu       sync.Mutex
	items    []item
	size     int    // bytes in items, and of the write under way
	count    int    // packets in both
	writing  int    // packets of the write under way
	total    int64  // packets that were ever appended
	spare    []byte // a chunk for the next packets
	finished bool   // nothing comes any more
}

// append queues the n packets that f appends; false means that there is no room.
func (o *outbox) append(n int, f func([]byte) []byte, limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.finished {
		return true
	}
	if o.size > limit {
		o.finished = true
		return false
	}
	t := o.tail()
	before := len(t.packets)
	t.packets = f(t.packets)
	o.size += len(t.packets) - before
	t.count += n
	o.count += n
	o.total += int64(n)
	return true
}

// tail is the chunk that packets are appended to.
func (o *outbox) tail() *item {
	if n := len(o.items); n > 0 && o.items[n-1].stream == nil && len(o.items[n-1].packets) < chunkSize {
		return &o.items[n-1]
	}
	chunk := o.spare
	if o.spare = nil; chunk == nil {
		chunk = make([]byte, 0, chunkSize/16)
	}
	o.items = append(o.items, item{packets: chunk})
	return &o.items[len(o.items)-1]
}

// stream queues s unless nothing is queued any more.
func (o *outbox) stream(s Stream) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.finished {
		return false
	}
	o.items = append(o.items, item{stream: s})
	return true
}

// chunks moves the packets that are next to into, up to about writeSize bytes, and counts these. A stream may be next.
func (o *outbox) chunks(into [][]byte) (_ [][]byte, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for n < len(o.items) && o.items[n].stream == nil && size < writeSize {
		size += len(o.items[n].packets)
		into = append(into, o.items[n].packets)
		o.writing += o.items[n].count
		n++
	}
	o.shift(n)
	return into, size
}

// next takes the stream that is next, nil if there is none. last means that nothing will come.
func (o *outbox) next() (s Stream, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.items) == 0 {
		return nil, o.finished
	}
	if s = o.items[0].stream; s != nil {
		o.shift(1)
	}
	return s, false
}

// idle tells whether there is nothing to do: nothing to write, and no end.
func (o *outbox) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.items) == 0 && !o.finished
}

// shift drops the first n items.
func (o *outbox) shift(n int) {
	rest := copy(o.items, o.items[n:])
	clear(o.items[rest:])
	o.items = o.items[:rest]
}

// wrote takes size bytes off the queue, and a chunk to be used again.
func (o *outbox) wrote(size int, chunk []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.size -= size
	o.count -= o.writing
	o.writing = 0
	if cap(chunk) > cap(o.spare) && cap(chunk) <= keptChunk {
		o.spare = chunk[:0]
	}
}

// traffic is how much waits and how many packets have left.
func (o *outbox) traffic() (packets, bytes int, sent int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.count, o.size, o.total - int64(o.count)
}

func (o *outbox) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.size
}

func (o *outbox) finish() {
	o.mu.Lock()
	o.finished = true
	o.mu.Unlock()
}

// drop empties the queue for good.
func (o *outbox) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, it := range o.items {
		if it.stream != nil {
			it.stream.Close()
		}
	}
	o.items, o.spare, o.size, o.count, o.finished = nil, nil, 0, 0, true
}
