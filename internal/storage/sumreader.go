package storage

import (
	"errors"
	"io"
)

const (
	minBlock = 64 << 10
	maxBlock = 1 << 20
	// streamBlock is for streams, whose length is not known.
	streamBlock = 256 << 10
	// blockHead is the room before a block's data: what is left of the block
	// before is copied there, so that no record is cut by a block's border.
	blockHead  = 16 << 10
	blockCount = 4
	// sealLag is how far the checksum stays behind what was read: the seals
	// are all within the last sealLag bytes of a snapshot.
	sealLag = 256
)

// sumReader reads a stream in blocks and sums it up, in a goroutine of its own
// and ahead of whoever takes the blocks.
//
// The window is what was handed out and not consumed: contiguous, and valid
// until the next call of need.
type sumReader struct {
	window []byte
	off    int64 // of the window's start, in the stream
	cur    *block
	owned  bool // the window lies in memory of its own, not in cur
	err    error

	blockSize int
	unsummed  bool
	full      chan *block
	free      chan *block
	stop      chan struct{}
	done      chan struct{}
}

type block struct {
	buf  []byte // blockHead bytes of room, then data
	n    int    // bytes of data
	sum  uint32 // Adler32 of the stream's first summed bytes
	tail []byte // the bytes after those; only in the last block
	last bool
	err  error // what ended the stream early
}

// newSumReader starts to read r, of which about size bytes are expected. close
// must be called before r is closed.
func newSumReader(r io.Reader, size int64) *sumReader {
	s := makeReader(int(max(minBlock, min(maxBlock, size))))
	go s.run(r)
	return s
}

// newBlockReader is newSumReader without the sum.
func newBlockReader(r io.Reader, blockSize int) *sumReader {
	s := makeReader(blockSize)
	s.unsummed = true
	go s.run(r)
	return s
}

func makeReader(blockSize int) *sumReader {
	s := &sumReader{
		blockSize: blockSize,
		full:      make(chan *block, blockCount), free: make(chan *block, blockCount),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	for range blockCount {
		s.free <- &block{}
	}
	return s
}

// close ends the goroutine and waits for it.
func (s *sumReader) close() {
	close(s.stop)
	<-s.done
}

func (s *sumReader) run(r io.Reader) {
	defer close(s.done)
	sum := adlerInit
	tail := make([]byte, 0, 2*sealLag)
	for {
		var b *block
		select {
		case b = <-s.free:
		case <-s.stop:
			return
		}
		b.read(r, s.blockSize)
		if !s.unsummed {
			sum, tail = b.addTo(sum, tail)
		}
		if b.last {
			b.sum, b.tail = sum, tail
		}
		s.full <- b // never blocks: there are no more blocks than room
		if b.last {
			return
		}
	}
}

func (b *block) read(r io.Reader, size int) {
	if b.buf == nil {
		b.buf = make([]byte, blockHead+size)
	}
	n, err := io.ReadFull(r, b.buf[blockHead:])
	b.n = n
	b.last = err != nil
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		b.err = err
	}
}

// addTo sums all but the last sealLag bytes of tail and data.
func (b *block) addTo(sum uint32, tail []byte) (uint32, []byte) {
	data := b.buf[blockHead : blockHead+b.n]
	if len(data) >= sealLag {
		sum = adler32(sum, tail)
		sum = adler32(sum, data[:len(data)-sealLag])
		return sum, append(tail[:0], data[len(data)-sealLag:]...)
	}
	tail = append(tail, data...)
	if over := len(tail) - sealLag; over > 0 {
		sum = adler32(sum, tail[:over])
		tail = tail[:copy(tail, tail[over:])]
	}
	return sum, tail
}

// need makes the window at least n bytes long. io.ErrUnexpectedEOF means that
// the stream ends before.
func (s *sumReader) need(n int) error {
	for len(s.window) < n {
		if err := s.more(); err != nil {
			return err
		}
	}
	return nil
}

// consume passes n bytes of the window.
func (s *sumReader) consume(n int) {
	s.window = s.window[n:]
	s.off += int64(n)
}

func (s *sumReader) more() error {
	if s.err != nil {
		return s.err
	}
	if s.cur != nil && s.cur.last {
		s.err = io.ErrUnexpectedEOF
		if s.cur.err != nil {
			s.err = s.cur.err
		}
		return s.err
	}
	b := <-s.full
	data := b.buf[blockHead : blockHead+b.n]
	switch left := s.window; {
	case s.owned && len(left) > blockHead:
		s.window = append(left, data...)
	case len(left) > blockHead:
		s.window = append(append(make([]byte, 0, 2*(len(left)+len(data))), left...), data...)
		s.owned = true
	default:
		from := blockHead - len(left)
		copy(b.buf[from:], left)
		s.window = b.buf[from : blockHead+b.n]
		s.owned = false
	}
	if s.cur != nil {
		s.free <- s.cur
	}
	s.cur = b
	return nil
}

var errNotSealed = errors.New("more than the sections of a snapshot follows")

// sumHere is the checksum of everything consumed so far, which must be within
// sealLag bytes of the stream's end.
func (s *sumReader) sumHere() (uint32, error) {
	for s.cur == nil || !s.cur.last {
		if len(s.window) > sealLag {
			return 0, errNotSealed
		}
		if err := s.more(); err != nil {
			return 0, err
		}
	}
	if s.cur.err != nil {
		return 0, s.cur.err
	}
	rest := len(s.window)
	if rest > len(s.cur.tail) {
		return 0, errNotSealed
	}
	return adler32(s.cur.sum, s.cur.tail[:len(s.cur.tail)-rest]), nil
}
