package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// snapshotTries is how many snapshots are tried, newest first.
	snapshotTries = 100
	// replayCtxEvery is how many records are read between two looks at the context.
	replayCtxEvery = 1024
)

// Loaded tells what Load found.
type Loaded struct {
	// Snapshot is the one that was taken; nil if there is none.
	Snapshot *SnapshotInfo
	// LastZxid is the last transaction: of the logs, or of the snapshot.
	LastZxid int64
	// Replayed counts the transactions of the logs that were applied.
	Replayed int64
	// ReplayTime is how long that took.
	ReplayTime time.Duration
	// Fresh means that there is nothing so far: LastZxid is 0. A snapshot must
	// be written before the first transaction, as Apache does: without any, the
	// next start could not tell that the logs hold everything.
	Fresh bool
	// Unknown means Fresh, but that what is missing may be known elsewhere: an
	// empty database was not to be created (Options.NoDBCreate).
	Unknown bool
	// CutBytes are the bytes of an interrupted last write that were cut off,
	// or would be but for Options.ReadOnly.
	CutBytes int64
	// BadSnapshots are newer snapshots that could not be used.
	BadSnapshots []error
}

// SnapshotPath is the file of the snapshot, "" if there is none.
func (l *Loaded) SnapshotPath() string {
	if l.Snapshot == nil {
		return ""
	}
	return l.Snapshot.Path
}

// Load reads the newest valid snapshot into sink and gives every transaction
// after it to apply, in order; the entry is valid only during the call. An
// interrupted last write is cut off. Damage is a DamageError. Log can be used
// afterwards.
func (s *Store) Load(ctx context.Context, sink SnapshotSink, apply func(entry []byte) error) (Loaded, error) {
	var l Loaded
	snaps, err := listSnapshots(s.fs, s.snapDir)
	if err != nil {
		return l, err
	}
	logs, err := listLogs(s.fs, s.logDir)
	if err != nil {
		return l, err
	}
	if err := s.loadSnapshot(ctx, snaps, sink, &l); err != nil {
		return l, err
	}
	if l.Snapshot != nil {
		l.LastZxid = l.Snapshot.Zxid
	}
	if err := s.replay(ctx, logs, apply, &l); err != nil {
		return l, err
	}
	if l.Snapshot == nil {
		s.withoutSnapshot(&l)
	}
	if err := s.takePermission(&l); err != nil {
		return l, err
	}
	if len(snaps) > 0 && l.LastZxid < snaps[0].zxid {
		return l, s.shortOf(snaps[0], &l)
	}
	if !s.opts.ReadOnly {
		s.writer = newLog(s, l.LastZxid)
	}
	return l, nil
}

// loadSnapshot takes the newest snapshot that is whole.
func (s *Store) loadSnapshot(ctx context.Context, snaps []snapshotInfo, sink SnapshotSink, l *Loaded) error {
	for _, snap := range snaps[:min(len(snaps), snapshotTries)] {
		info, err := s.readSnapshot(ctx, snap, sink)
		if err == nil {
			l.Snapshot = &info
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.BadSnapshots = append(l.BadSnapshots, err)
		s.log.Error("A snapshot cannot be used; trying the one before", "file", snap.path, "error", err)
	}
	if len(l.BadSnapshots) > 0 {
		return fmt.Errorf("%w in %s: restore one with the logs after it, or let this server copy everything from its peers "+
			"(move its data directory away and start it empty): %w", ErrNoValidSnapshot, s.snapDir, errors.Join(l.BadSnapshots...))
	}
	return nil
}

func (s *Store) readSnapshot(ctx context.Context, snap snapshotInfo, sink SnapshotSink) (SnapshotInfo, error) {
	info := SnapshotInfo{
		Path: snap.path, Zxid: snap.zxid, Compression: snap.compression, Size: snap.size,
		ModTime: time.UnixMilli(snap.modTime),
	}
	f, err := s.fs.OpenFile(snap.path, os.O_RDONLY, 0)
	if err != nil {
		return info, err
	}
	err = DecodeSnapshot(ctx, io.NewSectionReader(f, 0, snap.size), &info, s.opts.MaxEntry, fileSink{sink})
	return info, errors.Join(err, f.Close())
}

// fileSink hands a snapshot on that the logs behind the zxid in its name will
// complete. Apache's servers apply transactions while they write one: what it
// says of its last zxid and of its digest is as of the end of that, so not all
// of its nodes are as new. The last zxid counts only where no log follows. A
// digest of before is of no use: that of a leader that has just begun an epoch.
type fileSink struct{ SnapshotSink }

// Expect implements Expecter.
func (s fileSink) Expect(nodes int) {
	if e, ok := s.SnapshotSink.(Expecter); ok {
		e.Expect(nodes)
	}
}

func (s fileSink) Finish(info *SnapshotInfo) error {
	info.HasLastZxid = false
	info.HasDigest = info.HasDigest && info.Digest.Zxid >= info.Zxid
	return s.SnapshotSink.Finish(info)
}

// replay applies the logs after l.LastZxid and mends their end.
func (s *Store) replay(ctx context.Context, logs []logInfo, apply func([]byte) error, l *Loaded) error {
	start := time.Now()
	c := newChain(s.fs, s.log, s.opts.MaxEntry, logs, l.LastZxid)
	defer c.close()
	for {
		if l.Replayed%replayCtxEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		entry, err := c.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := s.mayReplay(l); err != nil {
			return err
		}
		if err := apply(entry); err != nil {
			return fmt.Errorf("apply transaction 0x%x of %s: %w", uint64(c.last), c.path, err)
		}
		l.Replayed++
		l.LastZxid = c.last
	}
	l.ReplayTime = time.Since(start)
	return s.mend(c, l)
}

// mayReplay refuses the first transaction if there is no snapshot before it.
func (s *Store) mayReplay(l *Loaded) error {
	if l.Replayed > 0 || l.Snapshot != nil || s.opts.TrustEmpty {
		return nil
	}
	return fmt.Errorf("%w: %s has transactions, but %s has no snapshot before them. Restore the snapshot; "+
		"or, if the logs hold everything from the beginning (as after an upgrade from 3.4), start once with snapshot.trust.empty=true",
		ErrNoSnapshot, s.logDir, s.snapDir)
}

// mend makes the end of the logs such that new ones can follow: what an
// interrupted write left is cut, files without a record are removed, and the
// rest is synced, for it may be only in the page cache so far.
func (s *Store) mend(c *chain, l *Loaded) error {
	for _, end := range c.ends {
		t, err := c.inspect(end)
		if err != nil {
			return err
		}
		if s.opts.ReadOnly {
			l.CutBytes += t.lost
			continue
		}
		if end.records == 0 {
			if err := s.removeEmpty(end); err != nil {
				return err
			}
			continue
		}
		if err := s.cut(end, t); err != nil {
			return fmt.Errorf("cut the end of log %s: %w", end.path, err)
		}
		l.CutBytes += t.lost
	}
	return nil
}

func (s *Store) removeEmpty(end logEnd) error {
	if err := s.fs.Remove(end.path); err != nil {
		return fmt.Errorf("remove the empty log: %w", err)
	}
	s.log.Warn("Removed a log without any transaction: the server ended while it began it", "file", end.path)
	return s.fs.SyncDir(s.logDir)
}

func (s *Store) cut(end logEnd, t tail) error {
	f, err := s.fs.OpenFile(end.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil && size > t.cut {
		err = f.Truncate(t.cut)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil && t.lost > 0 {
		s.log.Warn("Cut an interrupted last write off the log: it was never acknowledged",
			"file", end.path, "offset", t.cut, "bytes", t.lost, "last_zxid", hex(end.prev))
	}
	return errors.Join(err, f.Close())
}

// withoutSnapshot decides what an empty directory means.
func (s *Store) withoutSnapshot(l *Loaded) {
	if l.Replayed > 0 {
		s.log.Warn("There was no snapshot; the logs were trusted to hold everything. Switch snapshot.trust.empty off again")
		return
	}
	l.Fresh = true
}

// takePermission removes the file that allows an empty database. It is good for
// this start alone, also if there was data: that may be lost one day.
func (s *Store) takePermission(l *Loaded) error {
	if s.opts.ReadOnly {
		return nil
	}
	path := filepath.Join(s.opts.Dirs.Log, initializeName)
	err := s.fs.Remove(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	l.Unknown = l.Fresh && err != nil && s.opts.NoDBCreate
	return nil
}

// shortOf says that the logs end before a snapshot that cannot be used.
func (s *Store) shortOf(snap snapshotInfo, l *Loaded) error {
	return &DamageError{
		File: snap.path, After: l.LastZxid, Before: snap.zxid + 1,
		Reason: fmt.Sprintf("it cannot be used (%v), and the logs after the snapshot before it end at 0x%x", errors.Join(l.BadSnapshots...), uint64(l.LastZxid)),
		Cure: "Restore it, or let this server copy everything from its peers (move its data directory away and start it empty). " +
			"To give up these transactions instead, move the file away",
	}
}

// Log is the log to be written, once Load has succeeded; nil before.
func (s *Store) Log() *Log { return s.writer }

// Close ends the log, if it was opened. Everything appended should have been
// synced before.
func (s *Store) Close() error {
	var err error
	if s.writer != nil {
		err = s.writer.close()
	}
	return errors.Join(err, s.unlock())
}
