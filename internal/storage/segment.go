package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// fillPiece is how many zeros are written between two syncs: not too many,
	// for a sync of the log waits for those that are on their way, nor too few,
	// for each sync has its price.
	fillPiece = 256 << 10
	// fillAhead is how many zeros there are before the records at the most. A
	// log that rolls early has them for nothing, so it is less than what is
	// allocated: about a tenth of a second of writing at full speed.
	fillAhead = 8 << 20
	// fillFirst is how many bytes of a new file are zeroed before it is used.
	fillFirst = 256 << 10
	// fillEase is how far ahead of the records zeros are written without haste;
	// fillRest bounds the rest after each piece then.
	fillEase = 4 << 20
	fillRest = 10 * time.Millisecond
)

// segment is the log file being written. Ahead of the records, a goroutine of
// its own fills it with zeros, so that a sync of records changes neither the
// file's length nor its map of blocks.
type segment struct {
	f      File
	path   string
	off    int64        // where the next record goes
	synced atomic.Int64 // up to where it is durable

	ahead int64 // how many zeros to have before the records
	alloc int64 // by how much room on disk is reserved
	log   *slog.Logger
	wake  chan int64    // the offset of the records, when zeros run short
	end   chan int64    // the length that the file shall have
	done  chan struct{} // the goroutine has ended

	// The goroutine's.
	reserved int64 // up to where there is room on disk
	past     past

	mu     sync.Mutex
	zeroed int64 // below this, nothing but records is written any more
	used   int64 // up to where records were to be written last
}

// newSegment makes the log file path. It exists durably, with its header and
// some zeros, once newSegment returns.
func newSegment(s *Store, path string) (*segment, error) {
	if _, err := s.fs.Stat(path); err == nil {
		return nil, fs.ErrExist
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	seg := &segment{
		path: path, off: fileHeader,
		ahead: min(max(s.opts.Preallocate, 0), fillAhead), alloc: max(s.opts.Preallocate, 0), log: s.log,
		wake: make(chan int64, 1), end: make(chan int64, 1), done: make(chan struct{}),
	}
	seg.synced.Store(fileHeader)
	aside := filepath.Join(filepath.Dir(path), tmpPrefix+filepath.Base(path))
	f, err := s.fs.OpenFile(aside, os.O_CREATE|os.O_TRUNC|os.O_RDWR, filePerm)
	if err != nil {
		return nil, err
	}
	seg.f = f
	if err := seg.begin(s.fs, aside); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return seg, nil
}

func (g *segment) begin(fsys FS, aside string) error {
	head := make([]byte, max(fileHeader, min(g.ahead, fillFirst)))
	appendFileHeader(head[:0], logMagic, 0)
	g.zeroed = int64(len(head))
	if _, err := g.f.WriteAt(head, 0); err != nil {
		return err
	}
	if err := g.f.Sync(); err != nil {
		return err
	}
	if err := fsys.Rename(aside, g.path); err != nil {
		return err
	}
	if err := fsys.SyncDir(filepath.Dir(g.path)); err != nil {
		return err
	}
	// The goroutine has a handle of its own: a failed sync is reported once to
	// each handle, and the log must not miss its one.
	own, err := fsys.OpenFile(g.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	go g.run(own)
	return nil
}

// room keeps the goroutine's zeros out of what lies below upto, where records
// will be written, and wakes it when zeros run short.
func (g *segment) room(upto int64) {
	g.mu.Lock()
	g.used = upto
	g.zeroed = max(g.zeroed, upto)
	short := g.zeroed-upto < g.ahead/2
	g.mu.Unlock()
	if !short {
		return
	}
	select {
	case g.wake <- upto:
	default: // it is at it
	}
}

// close ends the file behind length bytes, and with it the goroutine, which
// closes done.
func (g *segment) close(length int64) error {
	g.end <- length
	return g.f.Close()
}

func (g *segment) hasEnded() bool {
	select {
	case <-g.done:
		return true
	default:
		return false
	}
}

func (g *segment) run(f File) {
	defer close(g.done)
	var length int64
	for wake := g.wake; length == 0; {
		select {
		case from := <-wake:
			var err error
			if length, err = g.fill(f, from+g.ahead); err != nil {
				g.log.Warn("The log could not be filled with zeros in advance; writing on without: each sync takes longer", "file", g.path,
					"error", err)
				wake = nil // what stands in the way, a full disk, lasts longer than the file
			}
		case length = <-g.end:
		}
	}
	g.past.forget(f, g.synced.Load(), 1)
	if err := errors.Join(trim(f, length), f.Close()); err != nil {
		g.log.Warn("The unused end of a log could not be cut off; it does no harm", "file", g.path, "error", err)
	}
}

func trim(f File, length int64) error {
	size, err := f.Size()
	if err != nil || size <= length {
		return err
	}
	return f.Truncate(length)
}

// zeros are never written to.
var zeros [fillPiece]byte

// fill writes zeros up to the offset upto, unless the file ends before: then
// its length is returned. A failure is only a loss of speed, or the first sign
// of what the log itself will meet.
func (g *segment) fill(f File, upto int64) (length int64, err error) {
	zeros := zeros[:min(fillPiece, g.ahead)]
	if reserve := (upto + g.alloc - 1) / g.alloc * g.alloc; reserve > g.reserved {
		if err := f.Allocate(0, reserve); err != nil {
			return 0, fmt.Errorf("no room for a log of %d bytes, by preAllocSize: %w", reserve, err)
		}
		g.reserved = reserve
	}
	for rest := time.Duration(0); ; {
		select {
		case length := <-g.end:
			return length, nil
		case <-time.After(rest):
		}
		start := time.Now()
		easy, more, err := g.fillPiece(f, zeros, upto)
		if err == nil && more {
			err = f.Sync()
		}
		g.past.forget(f, g.synced.Load(), forgetPiece)
		if err != nil || !more {
			return 0, err
		}
		if rest = 0; easy {
			rest = min(time.Since(start), fillRest)
		}
	}
}

// fillPiece writes one piece, unless all is done. easy tells that records are
// far behind.
func (g *segment) fillPiece(f File, zeros []byte, upto int64) (easy, more bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.zeroed >= upto {
		return false, false, nil
	}
	n, err := f.WriteAt(zeros[:min(int64(len(zeros)), g.reserved-g.zeroed)], g.zeroed)
	g.zeroed += int64(n)
	return g.zeroed-g.used > fillEase, true, err
}
