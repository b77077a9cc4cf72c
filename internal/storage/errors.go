package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

var (
	// ErrFinal marks the failure of a write or a sync: what the disk holds is
	// unknown from here on, and the kernel may have dropped the pages that it
	// could not write, so that trying again would succeed and lie. The process
	// must end; a start reads what is really there.
	ErrFinal = errors.New("the log cannot be written any more")
	// ErrNoSnapshot means that there are logs but no snapshot to apply them to.
	ErrNoSnapshot = errors.New("logs without a snapshot")
	// ErrNoValidSnapshot means that there are snapshots, and all are damaged.
	ErrNoValidSnapshot = errors.New("no valid snapshot")
	// ErrDirectory marks directories that are missing, cannot be written, or
	// are mixed up.
	ErrDirectory = errors.New("data directory")
	// ErrInUse means that another server works in the directory.
	ErrInUse = errors.New("another server works in it")
	// ErrUnavailable means that transactions asked for are no longer in the logs.
	ErrUnavailable = errors.New("transactions no longer in the logs")
	// ErrDamaged marks every DamageError.
	ErrDamaged = errors.New("damaged")
)

// DamageError is a file that does not hold what was written to it, other than
// by an interrupted last write. Nothing from Offset on is served.
type DamageError struct {
	File   string
	Offset int64 // in bytes, from the file's start; of a compressed snapshot, in what it expands to
	// After is the zxid of the last transaction that is whole before Offset; 0 if none.
	After int64
	// Before is the lowest zxid that is whole behind it, in this file or the next; 0 if unknown.
	Before int64
	Reason string
	// Cure says what can be done.
	Cure string
	// Err is the failure of the system that made it unreadable, nil if it was read.
	Err error
}

// Error names file, offset, the transactions concerned, and what can be done.
func (e *DamageError) Error() string {
	s := fmt.Sprintf("%s is damaged at offset %d: %s", e.File, e.Offset, e.Reason)
	switch {
	case e.After != 0 && e.Before != 0:
		s += fmt.Sprintf(" (transactions after 0x%x and before 0x%x)", uint64(e.After), uint64(e.Before))
	case e.After != 0:
		s += fmt.Sprintf(" (transactions after 0x%x)", uint64(e.After))
	case e.Before != 0:
		s += fmt.Sprintf(" (transactions before 0x%x)", uint64(e.Before))
	}
	if e.Cure != "" {
		s += ". " + e.Cure
	}
	return s
}

// Unwrap is e.Err.
func (e *DamageError) Unwrap() error { return e.Err }

// Is makes every DamageError match ErrDamaged.
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }

// final wraps the failure of a write or sync of name with what it means.
func final(op, name string, err error) error {
	hint := "check the disk and the kernel's log, then start again: everything acknowledged so far is on disk"
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		hint = "the disk is full: free space on it (for example with autopurge, or by removing old snapshots and the logs before them), then start again; everything acknowledged so far is on disk"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		hint = "the file system does not let this process write: make it writable, then start again; everything acknowledged so far is on disk"
	}
	return fmt.Errorf("%w: %s %s: %w (%s)", ErrFinal, op, name, err, hint)
}
