package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const scanBlock = 1 << 20

// errNoHeader means that a log is too short to have a header, or has zeros there.
var errNoHeader = errors.New("no log header")

// badRecord is a record that is not what was written, or not all of it.
type badRecord struct {
	off    int64
	reason string
}

func (e *badRecord) Error() string { return fmt.Sprintf("record at offset %d: %s", e.off, e.reason) }

// logScanner reads the records of one log, in order, in big blocks.
type logScanner struct {
	f        File
	size     int64
	maxEntry int
	buf      []byte
	base     int64 // file offset of buf[0]
	off      int64 // file offset of the next record
	eof      bool  // buf ends where the file ends
}

// newLogScanner checks the header of f and stands before the first record.
func newLogScanner(f File, maxEntry int) (*logScanner, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	s := &logScanner{f: f, size: size, maxEntry: maxEntry}
	head, err := s.bytes(fileHeader)
	if err != nil {
		return nil, err
	}
	if len(head) < fileHeader || allZero(head) {
		return nil, errNoHeader
	}
	if magic := binary.BigEndian.Uint32(head); magic != logMagic {
		return nil, &badRecord{0, fmt.Sprintf("not a transaction log: it begins with %08x", magic)}
	}
	if v := binary.BigEndian.Uint32(head[4:]); v != logVersion {
		return nil, &badRecord{4, fmt.Sprintf("unknown version %d", v)}
	}
	s.off = fileHeader
	return s, nil
}

// bytes are the next n bytes, fewer at the end of the file; valid until the
// next call.
func (s *logScanner) bytes(n int) ([]byte, error) {
	from := int(s.off - s.base)
	if len(s.buf)-from < n && !s.eof {
		if err := s.fill(from, n); err != nil {
			return nil, err
		}
		from = 0
	}
	return s.buf[from:min(from+n, len(s.buf))], nil
}

// fill drops buf[:from] and reads on until at least n bytes are there. Memory
// is taken as the file's length allows, never more than what n asks for.
func (s *logScanner) fill(from, n int) error {
	left := copy(s.buf, s.buf[from:])
	s.base += int64(from)
	want := max(scanBlock, n)
	want = int(min(int64(want), s.size-s.base))
	if cap(s.buf) < want {
		s.buf = append(make([]byte, 0, want), s.buf[:left]...)
	}
	s.buf = s.buf[:max(want, left)]
	got, err := s.f.ReadAt(s.buf[left:], s.base+int64(left))
	s.buf = s.buf[:left+got]
	if err != nil && err != io.EOF {
		return fmt.Errorf("read at offset %d: %w", s.base+int64(left)+int64(got), err)
	}
	s.eof = err == io.EOF || s.base+int64(len(s.buf)) >= s.size
	return nil
}

// next is the next record's entry, valid until the next call. io.EOF means
// that no record begins here, as at the end of every log; badRecord means that
// one does which is not whole. In both cases s.off stays.
func (s *logScanner) next() ([]byte, error) {
	head, err := s.bytes(recordHead)
	if err != nil {
		return nil, err
	}
	if len(head) < recordHead {
		if allZero(head) {
			return nil, io.EOF
		}
		return nil, &badRecord{s.off, "the file ends in its head"}
	}
	sum, n := binary.BigEndian.Uint64(head), int32(binary.BigEndian.Uint32(head[8:]))
	if n == 0 {
		return nil, io.EOF
	}
	if n < minEntry {
		return nil, &badRecord{s.off, fmt.Sprintf("implausible length %d", n)}
	}
	if int(n) > s.maxEntry {
		return nil, &badRecord{s.off, fmt.Sprintf("length %d, but a start reads up to %d (more with the jute.maxbuffer that it was written with)", n, s.maxEntry)}
	}
	rec, err := s.bytes(RecordLen(int(n)))
	if err != nil {
		return nil, err
	}
	if len(rec) < RecordLen(int(n)) {
		return nil, &badRecord{s.off, fmt.Sprintf("the file ends in it (length %d)", n)}
	}
	entry := rec[recordHead : recordHead+n : recordHead+n]
	if got := adler32(adlerInit, entry); sum != uint64(got) {
		return nil, &badRecord{s.off, fmt.Sprintf("checksum %08x, but its bytes have %08x", sum, got)}
	}
	if rec[len(rec)-1] != recordEnd {
		return nil, &badRecord{s.off, "its end mark is missing"}
	}
	s.off += int64(len(rec))
	return entry, nil
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
