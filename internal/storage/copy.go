package storage

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// copySyncEvery is after how many bytes a copy is synced: nobody else waits for
// this member's disk while it copies, and at the end little is left to be synced.
const copySyncEvery = 4 << 20

// Copy is a snapshot that is written while its content arrives: what EncodeState
// has written. Finish or Abort must be called. One goroutine may use it, one after
// the other.
type Copy struct {
	s     *Store
	info  SnapshotInfo
	aside string
	start time.Time
	f     File
	out   *copyWriter
	file  *bufio.Writer // to out
	pack  io.WriteCloser
	enc   snapEncoder
	err   error // the first that went wrong
}

// NewCopy begins a snapshot as of zxid, beside the others.
func (s *Store) NewCopy(zxid int64) *Copy {
	c := &Copy{s: s, info: SnapshotInfo{Zxid: zxid, Compression: s.opts.Compression}, start: time.Now()}
	name := SnapshotName(zxid, c.info.Compression)
	c.info.Path = filepath.Join(s.snapDir, name)
	// One that is being given up must not be in the way of the next.
	c.aside = filepath.Join(s.snapDir, fmt.Sprintf("%s%d.%s", tmpPrefix, s.copies.Add(1), name))
	if c.f, c.err = s.fs.OpenFile(c.aside, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, filePerm); c.err != nil {
		return c
	}
	c.out = newCopyWriter(c.f)
	c.file = bufio.NewWriterSize(c.out, snapshotBuffer)
	c.pack = compressor(c.file, c.info.Compression)
	c.enc = snapEncoder{w: c.pack, buf: appendFileHeader(make([]byte, 0, snapshotBuffer), snapshotMagic, snapshotDBID), sum: adlerInit}
	return c
}

// Write implements io.Writer. What goes wrong is Finish's to say: who reads the
// content shall not take it for a fault of the content.
func (c *Copy) Write(b []byte) (int, error) {
	if c.err == nil {
		c.enc.buf = append(c.enc.buf, b...)
		c.err = c.enc.flushFull()
	}
	return len(b), nil
}

// Finish makes the snapshot durable and gives it its name. It fails as
// Store.WriteSnapshot does.
func (c *Copy) Finish(digest SnapshotDigest, hasDigest bool) (SnapshotInfo, error) {
	c.end(digest, hasDigest)
	c.closeFile()
	if c.err == nil {
		c.err = c.s.fs.Rename(c.aside, c.info.Path)
	}
	if c.err != nil {
		c.remove()
		return c.info, fmt.Errorf("write snapshot %s: %w", c.info.Path, c.err)
	}
	if err := c.s.fs.SyncDir(c.s.snapDir); err != nil {
		return c.info, fmt.Errorf("write snapshot %s: sync the directory: %w", c.info.Path, err)
	}
	c.info.ModTime = time.Now()
	c.info.Elapsed = c.info.ModTime.Sub(c.start)
	return c.info, nil
}

// end writes what follows the content.
func (c *Copy) end(digest SnapshotDigest, hasDigest bool) {
	if c.err != nil {
		return
	}
	c.info.Digest, c.info.HasDigest = digest, hasDigest
	c.info.LastZxid, c.info.HasLastZxid = c.info.Zxid, !c.s.opts.NoLastZxid
	c.err = c.enc.sections(&c.info, !c.s.opts.NoDigest)
	if c.err == nil {
		c.err = c.pack.Close()
	}
	if c.err == nil {
		c.err = c.file.Flush()
	}
}

func (c *Copy) closeFile() {
	if c.f == nil {
		return
	}
	err := c.out.finish()
	if c.err == nil {
		c.err = err
	}
	if c.err == nil {
		c.err = c.f.Sync()
	}
	c.info.Size = c.out.off
	if err := c.f.Close(); c.err == nil {
		c.err = err
	}
	c.f = nil
}

// Abort gives the snapshot up. After Finish it does nothing.
func (c *Copy) Abort() {
	if c.f == nil {
		return
	}
	c.err = errors.Join(c.err, errAborted)
	c.closeFile()
	c.remove()
}

var errAborted = errors.New("given up")

func (c *Copy) remove() {
	if err := c.s.fs.Remove(c.aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.s.log.Warn("An unfinished snapshot could not be removed; the next start removes it", "file", c.aside, "error", err)
	}
}

// copyWriter appends to a file. A goroutine of its own syncs it as it goes.
type copyWriter struct {
	f      File
	off    int64
	asked  int64
	wake   chan struct{}
	syncer sync.WaitGroup
	err    error // of the syncer
}

func newCopyWriter(f File) *copyWriter {
	w := &copyWriter{f: f, wake: make(chan struct{}, 1)}
	w.syncer.Go(func() {
		for range w.wake {
			if w.err == nil {
				w.err = f.Sync()
			}
		}
	})
	return w
}

// Write implements io.Writer.
func (w *copyWriter) Write(b []byte) (int, error) {
	n, err := w.f.WriteAt(b, w.off)
	w.off += int64(n)
	if w.off-w.asked >= copySyncEvery {
		w.asked = w.off
		select {
		case w.wake <- struct{}{}:
		default: // the disk has enough to do
		}
	}
	return n, err
}

// finish waits for the syncer and tells whether a sync failed.
func (w *copyWriter) finish() error {
	close(w.wake)
	w.syncer.Wait()
	return w.err
}
