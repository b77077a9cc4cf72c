package storage

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Forget ignores failures: the copy stays then.
func (f osFile) Forget(off, n int64) {
	_ = unix.Fadvise(int(f.Fd()), off, n, unix.FADV_DONTNEED)
}

// Sync is fdatasync: unlike fsync it does not write the file's times.
func (f osFile) Sync() error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return fmt.Errorf("fdatasync %s: %w", f.Name(), err)
		}
	}
}

func (f osFile) Allocate(off, n int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, off, n)
		switch {
		case err == nil, errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return nil
		case err == unix.EINTR:
		default:
			return fmt.Errorf("fallocate %s: %w", f.Name(), err)
		}
	}
}
