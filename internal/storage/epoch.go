package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// The files of the two epochs, in Dirs.Data's VersionDir.
const (
	AcceptedEpoch = "acceptedEpoch"
	CurrentEpoch  = "currentEpoch"
)

// maxEpochFile bounds an epoch file, in bytes: a decimal number.
const maxEpochFile = 32

// ReadEpoch reads one of the epoch files; os.ErrNotExist if it is not there.
func (s *Store) ReadEpoch(name string) (int64, error) {
	path := filepath.Join(s.snapDir, name)
	f, err := s.fs.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	b := make([]byte, maxEpochFile)
	n, err := f.ReadAt(b, 0)
	if cerr := f.Close(); cerr != nil || err != io.EOF {
		return 0, fmt.Errorf("read %s: %w", path, errors.Join(err, cerr))
	}
	v, err := strconv.ParseInt(string(bytes.TrimSpace(b[:n])), 10, 64)
	if err != nil || v < 0 {
		return 0, &DamageError{
			File: path, Reason: fmt.Sprintf("%q is not an epoch", b[:n]),
			Cure: "Write the epoch as a decimal number: it is at least the first half of the last zxid in the logs",
		}
	}
	return v, nil
}

// WriteEpoch replaces one of the epoch files. It is durable when WriteEpoch
// returns; after a failure it holds the old or the new epoch.
func (s *Store) WriteEpoch(name string, epoch int64) error {
	path := filepath.Join(s.snapDir, name)
	return s.replaceFile(path, strconv.AppendInt(nil, epoch, 10))
}

// replaceFile writes aside, syncs, renames, syncs the directory.
func (s *Store) replaceFile(path string, content []byte) error {
	dir, base := filepath.Split(path)
	aside := dir + tmpPrefix + base
	f, err := s.fs.OpenFile(aside, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, filePerm)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.WriteAt(content, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.fs.Rename(aside, path)
	}
	if err == nil {
		err = s.fs.SyncDir(filepath.Clean(dir))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
