package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// MinRetain is the least number of snapshots that Apache keeps.
const MinRetain = 3

// Purge removes all but the keep newest valid snapshots, and the logs that none
// of those needs. Of the logs before the oldest one kept, the last stays: it
// may reach beyond it. Returned are the removed files.
//
// It may run beside everything else.
func (s *Store) Purge(ctx context.Context, keep int) ([]string, error) {
	if keep < 1 {
		return nil, fmt.Errorf("purge: %d snapshots to keep, want at least 1", keep)
	}
	snaps, err := listSnapshots(s.fs, s.snapDir)
	if err != nil {
		return nil, err
	}
	least, ok, err := s.leastKept(snaps, keep)
	if err != nil || !ok {
		return nil, err
	}
	logs, err := listLogs(s.fs, s.logDir)
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, path := range obsolete(snaps, logs, least) {
		if ctx.Err() != nil {
			return removed, ctx.Err()
		}
		if err := s.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("purge: %w", err)
		}
		s.log.Info("Purged", "file", path)
		removed = append(removed, path)
	}
	return removed, nil
}

// leastKept is the zxid of the oldest of the keep newest snapshots that look
// valid; false if there are none. Those that do not are no reason to remove others.
func (s *Store) leastKept(snaps []snapshotInfo, keep int) (zxid int64, ok bool, err error) {
	for _, snap := range snaps {
		valid, err := LooksValid(s.fs, snap.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, false, err
		}
		if !valid {
			continue
		}
		zxid, ok = snap.zxid, true
		if keep--; keep == 0 {
			break
		}
	}
	return zxid, ok, nil
}

// obsolete lists what lies before least: snapshots first and the oldest logs
// first, so that an interrupted purge leaves logs without a gap.
func obsolete(snaps []snapshotInfo, logs []logInfo, least int64) []string {
	var paths []string
	for _, snap := range snaps {
		if snap.zxid < least {
			paths = append(paths, snap.path)
		}
	}
	needed := filesFor(logs, least)
	for _, log := range logs[:len(logs)-len(needed)] {
		paths = append(paths, log.path)
	}
	return paths
}

// filesFor picks, of logs in order, those that a snapshot of zxid needs: the
// last that begins at or before it, and all after that.
func filesFor(logs []logInfo, zxid int64) []logInfo {
	for i := len(logs) - 1; i > 0; i-- {
		if logs[i].first <= zxid {
			return logs[i:]
		}
	}
	return logs
}

// LooksValid makes Apache's quick test of a snapshot: the "/" of a seal at its
// end, or, of a compressed one, the magic at its begin. Only reading it all
// tells whether it is whole.
func LooksValid(fsys FS, path string) (bool, error) {
	_, c, _ := ParseSnapshotName(filepath.Base(path))
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return false, err
	}
	want, at := "\x00\x00\x00\x01/", size-5
	switch c {
	case Gzip:
		want, at = "\x1f\x8b", 0
	case Snappy:
		want, at = string(xerialHeader[:xerialMagicLen]), 0
	}
	if size < 10 {
		return false, nil
	}
	b := make([]byte, len(want))
	if _, err := f.ReadAt(b, at); err != nil && err != io.EOF {
		return false, err
	}
	return string(b) == want, nil
}
