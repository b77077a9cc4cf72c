package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/quollhq/quoll/internal/jute"
)

const (
	// signature ends a snapshot on its way to a learner.
	signature = "BenWasHere"
	// statLen is the length of a znode's stat in a snapshot.
	statLen = 60
)

// AppendSignature appends what a learner expects behind a snapshot.
func AppendSignature(b []byte) []byte { return jute.AppendString(b, signature) }

// Snapshot returns the snapshot that follows a SNAP packet, to be read until io.EOF: everything but the signature, which
// is checked. No field may be longer than the reader's limit. A snapshot that was not read to its end leaves the
// connection unusable.
func (r *Reader) Snapshot() io.Reader { return &snapshotReader{r: r, step: (*snapshotReader).sessions} }

// snapshotReader walks over a snapshot piece by piece: it looks at as much as it needs to know where a piece ends,
// and then hands the piece out.
type snapshotReader struct {
	r    *Reader
	left int // bytes of the current piece that were not handed out
	step func(*snapshotReader) error

	lists, entries int // that were not walked over
	err            error
}

// Read implements io.Reader.
func (s *snapshotReader) Read(b []byte) (int, error) {
	for s.err == nil && s.left == 0 {
		s.err = s.step(s)
	}
	if s.err != nil || len(b) == 0 {
		return 0, s.err
	}
	n, err := s.r.take(b[:min(len(b), s.left)])
	s.left -= n
	if err != nil && n == 0 {
		s.err = noEOF(err)
	}
	return n, s.err
}

// noEOF turns the end of a stream into an error, where more had to come.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// at is the int at off of what comes next.
func (s *snapshotReader) at(off int) (int, error) {
	if err := s.r.need(off + 4); err != nil {
		return 0, noEOF(err)
	}
	return int(int32(binary.BigEndian.Uint32(s.r.buf[s.r.start+off:]))), nil
}

func (s *snapshotReader) count(off int, what string) (int, error) {
	n, err := s.at(off)
	if err == nil && n < 0 {
		err = s.r.fail(fmt.Errorf("snapshot: %w: %d %s", jute.ErrMalformed, n, what))
	}
	return n, err
}

// field is the length of the field at off with its length.
func (s *snapshotReader) field(off int, what string) (int, error) {
	if _, err := s.at(off); err != nil {
		return 0, err
	}
	n, err := s.r.length(off, what)
	if err != nil {
		return 0, fmt.Errorf("snapshot: %w", err)
	}
	return 4 + max(n, 0), nil
}

func (s *snapshotReader) sessions() error {
	n, err := s.count(0, "sessions")
	s.left, s.step = 4+n*touchLen, (*snapshotReader).acls
	return err
}

func (s *snapshotReader) acls() error {
	n, err := s.count(0, "access control lists")
	s.left, s.lists = 4, n
	s.nextList()
	return err
}

func (s *snapshotReader) nextList() {
	s.step = (*snapshotReader).list
	if s.lists == 0 {
		s.step = (*snapshotReader).node
	}
}

func (s *snapshotReader) list() error {
	n, err := s.count(8, "entries of an access control list")
	s.left, s.entries = 8+4, n
	s.lists--
	s.nextEntry()
	return err
}

func (s *snapshotReader) nextEntry() {
	s.step = (*snapshotReader).entry
	if s.entries == 0 {
		s.nextList()
	}
}

func (s *snapshotReader) entry() error {
	scheme, err := s.field(4, "scheme")
	if err != nil {
		return err
	}
	id, err := s.field(4+scheme, "identity")
	s.left = 4 + scheme + id
	s.entries--
	s.nextEntry()
	return err
}

func (s *snapshotReader) node() error {
	path, err := s.field(0, "path")
	if err != nil {
		return err
	}
	if err := s.r.need(path); err != nil {
		return noEOF(err)
	}
	if path == 4+1 && s.r.buf[s.r.start+4] == '/' {
		s.left, s.step = path, (*snapshotReader).end
		return nil
	}
	data, err := s.field(path, "data")
	s.left = path + data + 8 + statLen
	return err
}

// end checks the signature and ends the snapshot.
func (s *snapshotReader) end() error {
	if n, err := s.at(0); err != nil {
		return err
	} else if n != len(signature) {
		return s.r.fail(fmt.Errorf("snapshot: %w: no signature behind it", jute.ErrMalformed))
	}
	if err := s.r.need(4 + len(signature)); err != nil {
		return noEOF(err)
	}
	if got := s.r.buf[s.r.start+4:][:len(signature)]; string(got) != signature {
		return s.r.fail(fmt.Errorf("snapshot: %w: signature %q, want %q", jute.ErrMalformed, got, signature))
	}
	s.r.start += 4 + len(signature)
	return io.EOF
}
