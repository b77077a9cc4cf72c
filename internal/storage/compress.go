package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
)

// The framing of org.xerial.snappy.SnappyOutputStream, which Apache uses:
//
//	magic 82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version int 1 | compatible int 1
//	then chunks: length int | snappy block

var xerialHeader = []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01")

const (
	xerialMagicLen = 8
	xerialChunk    = 32 << 10 // expanded bytes in each chunk that is written
	xerialMaxChunk = 64 << 20 // bytes, packed or expanded, that are read as one chunk
	snappyMaxRatio = 22       // a copy of 64 bytes takes 3
)

// compressor packs what is written to it; Close ends the format but not w.
func compressor(w io.Writer, c Compression) io.WriteCloser {
	switch c {
	case Gzip:
		return gzip.NewWriter(w)
	case Snappy:
		return &xerialWriter{w: w, buf: make([]byte, 0, xerialChunk)}
	}
	return nopCloser{w}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// decompressor expands what it reads from r.
func decompressor(r io.Reader, c Compression) (io.Reader, error) {
	switch c {
	case Gzip:
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return z, nil
	case Snappy:
		return newXerialReader(r)
	}
	return r, nil
}

type xerialWriter struct {
	w      io.Writer
	begun  bool
	buf    []byte // not packed so far
	packed []byte
}

func (x *xerialWriter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		k := min(len(b), xerialChunk-len(x.buf))
		x.buf = append(x.buf, b[:k]...)
		b = b[k:]
		if len(x.buf) == xerialChunk {
			if err := x.chunk(); err != nil {
				return n - len(b), err
			}
		}
	}
	return n, nil
}

func (x *xerialWriter) chunk() error {
	if err := x.begin(); err != nil {
		return err
	}
	if cap(x.packed) == 0 {
		x.packed = make([]byte, 4+snappy.MaxEncodedLen(xerialChunk))
	}
	x.packed = x.packed[:cap(x.packed)]
	block := snappy.Encode(x.packed[4:], x.buf)
	binary.BigEndian.PutUint32(x.packed, uint32(len(block)))
	x.buf = x.buf[:0]
	_, err := x.w.Write(x.packed[:4+len(block)])
	return err
}

func (x *xerialWriter) begin() error {
	if x.begun {
		return nil
	}
	x.begun = true
	_, err := x.w.Write(xerialHeader)
	return err
}

func (x *xerialWriter) Close() error {
	if len(x.buf) == 0 {
		return x.begin()
	}
	return x.chunk()
}

type xerialReader struct {
	r      io.Reader
	packed []byte
	block  []byte
	rest   []byte // of block, not read so far
}

func newXerialReader(r io.Reader) (*xerialReader, error) {
	var header [16]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, fmt.Errorf("snappy header: %w", noEOF(err))
	}
	if !bytes.Equal(header[:xerialMagicLen], xerialHeader[:xerialMagicLen]) {
		return nil, errors.New("snappy header: wrong magic")
	}
	return &xerialReader{r: r}, nil
}

func (x *xerialReader) Read(b []byte) (int, error) {
	for len(x.rest) == 0 {
		if err := x.chunk(); err != nil {
			return 0, err
		}
	}
	n := copy(b, x.rest)
	x.rest = x.rest[n:]
	return n, nil
}

// chunk expands the next chunk; io.EOF where one could begin is the end.
func (x *xerialReader) chunk() error {
	var length [4]byte
	if _, err := io.ReadFull(x.r, length[:]); err != nil {
		if err == io.EOF {
			return err
		}
		return fmt.Errorf("snappy chunk: %w", err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > xerialMaxChunk {
		return fmt.Errorf("snappy chunk: length %d is more than %d", n, xerialMaxChunk)
	}
	var err error
	if x.packed, err = readGrowing(x.r, x.packed[:0], int(n)); err != nil {
		return fmt.Errorf("snappy chunk: %w", err)
	}
	expanded, err := snappy.DecodedLen(x.packed)
	if err != nil {
		return fmt.Errorf("snappy chunk: %w", err)
	}
	if expanded > xerialMaxChunk || expanded > 64+len(x.packed)*snappyMaxRatio {
		return fmt.Errorf("snappy chunk: %d bytes cannot expand to %d", len(x.packed), expanded)
	}
	if x.block, err = snappy.Decode(x.block[:cap(x.block)], x.packed); err != nil {
		return fmt.Errorf("snappy chunk: %w", err)
	}
	x.rest = x.block
	return nil
}

// readGrowing appends n bytes from r to b, and takes memory only as they arrive.
func readGrowing(r io.Reader, b []byte, n int) ([]byte, error) {
	for n > 0 {
		k := min(n, 1<<20)
		at := len(b)
		b = append(b, make([]byte, k)...)
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return b[:at], noEOF(err)
		}
		n -= k
	}
	return b, nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
