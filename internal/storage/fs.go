package storage

import (
	"io"
	"io/fs"
)

// FS is the file system that a Store lives on: the operating system's (OS) or
// a simulated one. Names are paths as package filepath makes them.
type FS interface {
	// OpenFile is os.OpenFile. What it creates is durable only after SyncDir.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Rename is os.Rename, durable after SyncDir of both directories.
	Rename(from, to string) error
	// Remove is os.Remove.
	Remove(name string) error
	// ReadDir is os.ReadDir: sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Stat is os.Stat.
	Stat(name string) (fs.FileInfo, error)
	// MkdirAll is os.MkdirAll.
	MkdirAll(name string, perm fs.FileMode) error
	// SyncDir makes the entries of a directory durable.
	SyncDir(name string) error
}

// Locker is an FS that keeps processes from getting into each other's way.
type Locker interface {
	// Lock takes a directory for this process alone until the result is
	// closed; it fails with ErrInUse if somebody has it.
	Lock(dir string) (io.Closer, error)
}

// File is an open file. Reads and writes name their offset, so that they may
// come from several goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes what was written durable, with the file's length if that
	// changed, but without its times (fdatasync).
	Sync() error
	// Truncate sets the file's length in bytes.
	Truncate(size int64) error
	// Allocate asks the file system for room for n bytes from off on, as a
	// hint: what is read there before it is written are zeros, and the length
	// does not change. A file system without such a thing does nothing.
	Allocate(off, n int64) error
	// Forget tells the system, as a hint, that nobody will soon read the n bytes
	// from off on, so that the memory that holds a copy may serve what is written
	// next. What is not durable yet is kept.
	Forget(off, n int64)
	// Size is the file's length in bytes.
	Size() (int64, error)
}
