package storage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

const (
	snapshotBuffer = 256 << 10
	// packedBuffer gathers what a compressor gives in small pieces; what is not
	// compressed passes it by.
	packedBuffer = 32 << 10
	// snapshotSyncEvery bounds the bytes of a snapshot that wait in the page
	// cache: a sync of the log may queue behind them.
	snapshotSyncEvery = 256 << 10
	// snapshotGentle is how many bytes are written before the writer begins to
	// pause; snapshotPause bounds a pause.
	snapshotGentle = 1 << 20
	snapshotPause  = 10 * time.Millisecond
)

// WriteSnapshot writes src beside the older snapshots: aside first, then
// synced, renamed, and the directory synced. A failure leaves no file behind
// that could be taken for a snapshot, and harms nothing that was there.
func (s *Store) WriteSnapshot(ctx context.Context, src SnapshotSource) (SnapshotInfo, error) {
	start := time.Now()
	info := SnapshotInfo{Zxid: src.Zxid(), Compression: s.opts.Compression}
	name := SnapshotName(info.Zxid, info.Compression)
	info.Path = filepath.Join(s.snapDir, name)
	aside := filepath.Join(s.snapDir, tmpPrefix+name)
	err := s.writeAside(ctx, aside, src, &info)
	if err == nil {
		err = s.fs.Rename(aside, info.Path)
	}
	if err != nil {
		if rerr := s.fs.Remove(aside); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			s.log.Warn("An unfinished snapshot could not be removed; the next start removes it", "file", aside, "error", rerr)
		}
		return info, fmt.Errorf("write snapshot %s: %w", info.Path, err)
	}
	if err := s.fs.SyncDir(s.snapDir); err != nil {
		return info, fmt.Errorf("write snapshot %s: sync the directory: %w", info.Path, err)
	}
	info.ModTime = time.Now()
	info.Elapsed = info.ModTime.Sub(start)
	return info, nil
}

func (s *Store) writeAside(ctx context.Context, name string, src SnapshotSource, info *SnapshotInfo) error {
	f, err := s.fs.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, filePerm)
	if err != nil {
		return err
	}
	out := &syncingWriter{ctx: ctx, f: f}
	err = EncodeSnapshot(out, src, info, !s.opts.NoDigest, !s.opts.NoLastZxid)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		out.past.forget(f, out.off, 1)
	}
	info.Size = out.off
	return errors.Join(err, f.Close())
}

// syncingWriter appends to a file and syncs as it goes. It rests as long as
// each sync took, so that the log has the disk at least half of the time.
type syncingWriter struct {
	ctx    context.Context
	f      File
	off    int64
	synced int64
	past   past
}

func (w *syncingWriter) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.f.WriteAt(b, w.off)
	w.off += int64(n)
	if err == nil && w.off-w.synced >= snapshotSyncEvery {
		err = w.sync()
	}
	return n, err
}

func (w *syncingWriter) sync() error {
	start := time.Now()
	if err := w.f.Sync(); err != nil {
		return err
	}
	w.synced = w.off
	w.past.forget(w.f, w.synced, forgetPiece)
	if w.off < snapshotGentle {
		return nil
	}
	select {
	case <-time.After(min(time.Since(start), snapshotPause)):
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// EncodeSnapshot writes src to w in the format of a snapshot file, compressed
// as info.Compression says, and counts in info. digest and lastZxid tell
// whether these sections are written.
func EncodeSnapshot(w io.Writer, src SnapshotSource, info *SnapshotInfo, digest, lastZxid bool) error {
	buffered := bufio.NewWriterSize(w, packedBuffer)
	packed := compressor(buffered, info.Compression)
	e := snapEncoder{w: packed, buf: make([]byte, 0, snapshotBuffer), sum: adlerInit}
	if err := e.encode(src, info, digest, lastZxid); err != nil {
		return errors.Join(err, packed.Close())
	}
	if err := packed.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

// EncodeState writes src to w as it travels from a leader to a learner: what a
// snapshot file holds, without the file's header, checksums and sections. info
// gets the counts.
func EncodeState(w io.Writer, src SnapshotSource, info *SnapshotInfo) error {
	e := snapEncoder{w: w, buf: make([]byte, 0, snapshotBuffer)}
	if err := e.content(src, info); err != nil {
		return err
	}
	_, err := w.Write(e.buf)
	return err
}

// snapEncoder collects what is written and keeps the checksum over it.
type snapEncoder struct {
	w   io.Writer
	buf []byte
	sum uint32 // over everything flushed
}

func (e *snapEncoder) flush() error {
	e.sum = adler32(e.sum, e.buf)
	_, err := e.w.Write(e.buf)
	e.buf = e.buf[:0]
	return err
}

// seal ends a section: the checksum over all before it, and a "/".
func (e *snapEncoder) seal() error {
	if err := e.flush(); err != nil {
		return err
	}
	e.buf = jute.AppendLong(e.buf, int64(e.sum))
	e.buf = jute.AppendString(e.buf, nodesEnd)
	return nil
}

func (e *snapEncoder) encode(src SnapshotSource, info *SnapshotInfo, digest, lastZxid bool) error {
	e.buf = appendFileHeader(e.buf, snapshotMagic, snapshotDBID)
	if err := e.content(src, info); err != nil {
		return err
	}
	info.Digest, info.HasDigest = src.Digest()
	info.LastZxid, info.HasLastZxid = src.Zxid(), lastZxid
	return e.sections(info, digest)
}

// sections seals the content and writes what comes behind it.
func (e *snapEncoder) sections(info *SnapshotInfo, digest bool) error {
	if err := e.seal(); err != nil {
		return err
	}
	if digest && info.HasDigest {
		e.buf = appendDigestSection(e.buf, info.Digest)
		if err := e.seal(); err != nil {
			return err
		}
	}
	if info.HasLastZxid {
		e.buf = jute.AppendLong(e.buf, info.LastZxid)
		if err := e.seal(); err != nil {
			return err
		}
	}
	return e.flush()
}

// content writes what files and streams have in common.
func (e *snapEncoder) content(src SnapshotSource, info *SnapshotInfo) error {
	e.sessions(src.Sessions(), info)
	if err := e.acls(src.ACLs(), info); err != nil {
		return err
	}
	return e.nodes(src, info)
}

func (e *snapEncoder) sessions(sessions []Session, info *SnapshotInfo) {
	info.Sessions = len(sessions)
	e.buf = jute.AppendInt(e.buf, int32(len(sessions)))
	for _, s := range sessions {
		e.buf = jute.AppendLong(e.buf, s.ID)
		e.buf = jute.AppendInt(e.buf, s.TimeOut)
	}
}

func (e *snapEncoder) acls(acls []SnapshotACL, info *SnapshotInfo) error {
	info.ACLs = len(acls)
	e.buf = jute.AppendInt(e.buf, int32(len(acls)))
	for _, a := range acls {
		e.buf = jute.AppendLong(e.buf, a.ID)
		e.buf = append(e.buf, a.ACL...)
		if err := e.flushFull(); err != nil {
			return err
		}
	}
	return nil
}

func (e *snapEncoder) nodes(src SnapshotSource, info *SnapshotInfo) error {
	info.Nodes = 0
	err := src.Walk(func(path string, data []byte, acl int64, stat *proto.StatPersisted) error {
		info.Nodes++
		e.buf = jute.AppendString(e.buf, path)
		e.buf = jute.AppendBuffer(e.buf, data)
		e.buf = jute.AppendLong(e.buf, acl)
		e.buf = stat.Append(e.buf)
		return e.flushFull()
	})
	e.buf = jute.AppendString(e.buf, nodesEnd)
	return err
}

func (e *snapEncoder) flushFull() error {
	if len(e.buf) < snapshotBuffer-4<<10 {
		return nil
	}
	return e.flush()
}

func appendDigestSection(b []byte, d SnapshotDigest) []byte {
	b = jute.AppendLong(b, d.Zxid)
	b = jute.AppendInt(b, d.Version)
	if d.Version < 2 { // as it was written before 3.6 was released
		return jute.AppendString(b, strconv.FormatUint(d.Value, 16))
	}
	return jute.AppendLong(b, int64(d.Value))
}
