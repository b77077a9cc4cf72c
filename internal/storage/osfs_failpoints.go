//go:build failpoints

package storage

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/quollhq/quoll/internal/failpoint"
)

// OS is the operating system's file system, with a failpoint before each step.
func OS() FS { return failFS{} }

// steps are the places of one kind of file. Steps that have none are left alone.
type steps struct {
	create, write, sync, rename, allocate, truncate, read, remove failpoint.Point
}

// stepsOf knows files by their names.
func stepsOf(path string) *steps {
	name := strings.TrimPrefix(filepath.Base(path), tmpPrefix)
	switch {
	case strings.HasPrefix(name, logPrefix):
		return &steps{failpoint.LogCreate, failpoint.LogWrite, failpoint.LogSync, failpoint.LogRename, failpoint.LogAllocate,
			failpoint.LogTruncate, failpoint.LogRead, failpoint.LogRemove}
	case strings.HasPrefix(name, snapshotPrefix):
		return &steps{create: failpoint.SnapshotCreate, write: failpoint.SnapshotWrite, sync: failpoint.SnapshotSync,
			rename: failpoint.SnapshotRename, read: failpoint.SnapshotRead, remove: failpoint.SnapshotRemove}
	case name == AcceptedEpoch, name == CurrentEpoch:
		return &steps{create: failpoint.EpochCreate, write: failpoint.EpochWrite, sync: failpoint.EpochSync,
			rename: failpoint.EpochRename, read: failpoint.EpochRead}
	}
	return &steps{}
}

func hit(p failpoint.Point) error {
	if p == "" {
		return nil
	}
	return failpoint.Hit(p)
}

// failFS is osFS, whose Lock it has.
type failFS struct{ osFS }

func (f failFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	s := stepsOf(name)
	at := s.read
	if flag&os.O_CREATE != 0 {
		at = s.create
	}
	if err := hit(at); err != nil {
		return nil, err
	}
	file, err := f.osFS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return failFile{file, s}, nil
}

func (f failFS) Rename(from, to string) error {
	if err := hit(stepsOf(to).rename); err != nil {
		return err
	}
	return f.osFS.Rename(from, to)
}

func (f failFS) Remove(name string) error {
	if err := hit(stepsOf(name).remove); err != nil {
		return err
	}
	return f.osFS.Remove(name)
}

func (f failFS) SyncDir(name string) error {
	if err := hit(failpoint.DirSync); err != nil {
		return err
	}
	return f.osFS.SyncDir(name)
}

type failFile struct {
	File
	steps *steps
}

func (f failFile) WriteAt(b []byte, off int64) (int, error) {
	if err := hit(f.steps.write); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, off)
}

func (f failFile) Sync() error {
	if err := hit(f.steps.sync); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f failFile) Truncate(size int64) error {
	if err := hit(f.steps.truncate); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f failFile) Allocate(off, n int64) error {
	if err := hit(f.steps.allocate); err != nil {
		return err
	}
	return f.File.Allocate(off, n)
}
