package storage

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

const (
	// AsideDir is beside VersionDir, with snapshots that nothing is loaded from.
	AsideDir = "aside"
	// asideKept is how many there are at most.
	asideKept = 2
)

// SetAside writes src as a snapshot that no start takes for one, for somebody to
// look at. The oldest ones are removed.
func (s *Store) SetAside(ctx context.Context, src SnapshotSource) (SnapshotInfo, error) {
	dir := filepath.Join(filepath.Dir(s.snapDir), AsideDir)
	info := SnapshotInfo{Zxid: src.Zxid(), Compression: s.opts.Compression}
	name := SnapshotName(info.Zxid, info.Compression)
	info.Path = filepath.Join(dir, name)
	if err := s.fs.MkdirAll(dir, dirPerm); err != nil {
		return info, fmt.Errorf("set a state aside: %w", err)
	}
	aside := filepath.Join(dir, tmpPrefix+name)
	err := s.writeAside(ctx, aside, src, &info)
	if err == nil {
		err = s.fs.Rename(aside, info.Path)
	}
	if err == nil {
		err = s.forgetAside(dir)
	}
	if err != nil {
		return info, fmt.Errorf("set a state aside as %s: %w", info.Path, err)
	}
	return info, nil
}

// forgetAside removes all but the youngest snapshots, and what was not finished.
func (s *Store) forgetAside(dir string) error {
	snaps, err := listSnapshots(s.fs, dir)
	if err != nil {
		return err
	}
	for _, snap := range snaps[min(len(snaps), asideKept):] {
		if err := s.fs.Remove(snap.path); err != nil {
			return err
		}
	}
	var unfinished []string
	err = eachFile(s.fs, dir, func(info fs.FileInfo) {
		if strings.HasPrefix(info.Name(), tmpPrefix) {
			unfinished = append(unfinished, filepath.Join(dir, info.Name()))
		}
	})
	for _, name := range unfinished {
		if err := s.fs.Remove(name); err != nil {
			return err
		}
	}
	return err
}
