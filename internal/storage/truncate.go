package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Truncate forgets every transaction after zxid, which a leader says were
// never committed: log records, logs and snapshots. It ends the log; Load must
// be called again. If the directory cannot be brought back to zxid, because no
// snapshot is as old or the logs do not hold zxid, it is left as it is and the
// error is ErrUnavailable: the state has to come from elsewhere.
//
// Interrupted at any point it leaves a directory that loads, as of zxid or of
// something later.
func (s *Store) Truncate(zxid int64) error {
	if s.writer != nil {
		if err := s.writer.close(); err != nil {
			return err
		}
		s.writer = nil
	}
	snaps, err := listSnapshots(s.fs, s.snapDir)
	if err != nil {
		return err
	}
	logs, err := listLogs(s.fs, s.logDir)
	if err != nil {
		return err
	}
	base, err := s.snapshotUpTo(snaps, zxid)
	if err != nil {
		return err
	}
	at, err := s.locate(logs, base, zxid)
	if err != nil {
		return err
	}
	if err := s.removeSnapshotsAfter(snaps, zxid); err != nil {
		return err
	}
	return s.cutLogs(logs, zxid, at)
}

// snapshotUpTo is the zxid of the newest snapshot not after zxid.
func (s *Store) snapshotUpTo(snaps []snapshotInfo, zxid int64) (int64, error) {
	for _, snap := range snaps {
		if snap.zxid > zxid {
			continue
		}
		if valid, err := LooksValid(s.fs, snap.path); err == nil && valid {
			return snap.zxid, nil
		}
	}
	return 0, fmt.Errorf("%w: no snapshot at or before 0x%x", ErrUnavailable, uint64(zxid))
}

// place is where in which log something begins.
type place struct {
	path string
	off  int64
}

// locate finds where what comes after zxid begins; an empty path means that
// there is nothing. All of the way from base to zxid is verified.
func (s *Store) locate(logs []logInfo, base, zxid int64) (place, error) {
	c := newChain(s.fs, s.log, s.opts.MaxEntry, logs, base)
	defer c.close()
	for {
		_, err := c.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return place{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		if c.last <= zxid {
			continue
		}
		if c.before != zxid {
			break
		}
		return place{c.path, c.begin}, nil
	}
	if c.last != zxid {
		return place{}, fmt.Errorf("%w: the logs do not hold 0x%x", ErrUnavailable, uint64(zxid))
	}
	return place{}, nil
}

func (s *Store) removeSnapshotsAfter(snaps []snapshotInfo, zxid int64) error {
	for _, snap := range snaps {
		if snap.zxid <= zxid {
			break
		}
		s.log.Warn("Truncating: removing a snapshot", "file", snap.path, "zxid", hex(zxid))
		if err := s.fs.Remove(snap.path); err != nil {
			return fmt.Errorf("truncate: %w", err)
		}
	}
	return s.fs.SyncDir(s.snapDir)
}

// cutLogs removes the logs after zxid, newest first so that no gap is ever
// seen, and cuts the one that holds it.
func (s *Store) cutLogs(logs []logInfo, zxid int64, at place) error {
	for i := len(logs) - 1; i >= 0 && logs[i].first > zxid; i-- {
		s.log.Warn("Truncating: removing a log", "file", logs[i].path, "zxid", hex(zxid))
		if err := s.fs.Remove(logs[i].path); err != nil {
			return fmt.Errorf("truncate: %w", err)
		}
		if err := s.fs.SyncDir(s.logDir); err != nil {
			return fmt.Errorf("truncate: %w", err)
		}
		if logs[i].path == at.path {
			return nil
		}
	}
	if at.path == "" {
		return nil
	}
	s.log.Warn("Truncating a log", "file", at.path, "offset", at.off, "zxid", hex(zxid))
	f, err := s.fs.OpenFile(at.path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("truncate: %w", err)
	}
	err = f.Truncate(at.off)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("truncate %s: %w", at.path, err)
	}
	return nil
}
