package sim

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/quollhq/quoll/internal/storage"
)

var (
	// ErrPower is for a Fault: the machine loses power before the operation.
	// Everything after it fails with the same error until Crash.
	ErrPower = errors.New("simulated power loss")
	// errStale is what handles of before a crash say.
	errStale = errors.New("file was opened before a crash")
)

// OpKind is a kind of operation that changes a disk.
type OpKind int

// The operations that change a disk.
const (
	OpCreate OpKind = iota
	OpWrite
	OpTruncate
	OpSync
	OpRename
	OpRemove
	OpMkdir
	OpSyncDir
)

// String is a word for logs.
func (k OpKind) String() string {
	return [...]string{"create", "write", "truncate", "sync", "rename", "remove", "mkdir", "syncdir"}[k]
}

// Op is an operation that is about to be done.
type Op struct {
	N    int // counts all operations from 0
	Kind OpKind
	Path string
	Off  int64
	Len  int
}

// Fault decides about an operation: an error makes it fail. A failing write
// may have written a part, a failing sync drops what was to be synced, though
// it can still be read, as Linux does.
type Fault func(Op) error

// Disk is a simulated file system. It is safe for concurrent use.
type Disk struct {
	mu       sync.Mutex
	root     *inode
	ops      int
	fault    Fault
	down     bool
	era      int // counts crashes
	used     int64
	capacity int64 // 0: no limit
}

var _ storage.FS = (*Disk)(nil)

// NewDisk is an empty disk with only the directory "/".
func NewDisk() *Disk { return &Disk{root: newDir()} }

// SetFault installs what decides about operations; nil for none.
func (d *Disk) SetFault(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// SetCapacity limits the bytes of all files together; 0 is no limit.
func (d *Disk) SetCapacity(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = bytes
}

// Ops is how many operations that change the disk were begun.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// begin counts an operation and asks the fault about it.
func (d *Disk) begin(kind OpKind, path string, off int64, n int) error {
	if d.down {
		return ErrPower
	}
	op := Op{N: d.ops, Kind: kind, Path: path, Off: off, Len: n}
	d.ops++
	if d.fault == nil {
		return nil
	}
	err := d.fault(op)
	if errors.Is(err, ErrPower) {
		d.down = true
	}
	return err
}

func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// find is the inode at path, nil if there is none.
func (d *Disk) find(path string) *inode {
	n := d.root
	for part := range strings.SplitSeq(strings.Trim(filepath.Clean(path), "/"), "/") {
		if part == "" || part == "." {
			continue
		}
		if n == nil || !n.isDir() {
			return nil
		}
		n = n.entries[part]
	}
	return n
}

// parent is the directory that path lies in, and the name there.
func (d *Disk) parent(op, path string) (*inode, string, error) {
	dir, name := filepath.Split(filepath.Clean(path))
	n := d.find(dir)
	if n == nil || !n.isDir() {
		return nil, "", pathError(op, path, fs.ErrNotExist)
	}
	return n, name, nil
}

// OpenFile is storage.FS's.
func (d *Disk) OpenFile(name string, flag int, _ fs.FileMode) (storage.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, pathError("open", name, ErrPower)
	}
	dir, base, err := d.parent("open", name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, pathError("open", name, fs.ErrNotExist)
	case n == nil:
		if err := d.begin(OpCreate, name, 0, 0); err != nil {
			return nil, pathError("open", name, err)
		}
		n = newFile()
		dir.change(dirOp{to: base, node: n})
	case n.isDir():
		return nil, pathError("open", name, syscall.EISDIR)
	case flag&os.O_EXCL != 0:
		return nil, pathError("open", name, fs.ErrExist)
	case flag&os.O_TRUNC != 0:
		if err := d.begin(OpTruncate, name, 0, 0); err != nil {
			return nil, pathError("open", name, err)
		}
		d.resize(n, 0)
	}
	n.touched = d.ops
	return &file{d: d, n: n, path: name, era: d.era, writable: flag&(os.O_WRONLY|os.O_RDWR) != 0}, nil
}

// Rename is storage.FS's, within one directory.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, oldName, err := d.parent("rename", from)
	if err != nil {
		return err
	}
	other, newName, err := d.parent("rename", to)
	if err != nil {
		return err
	}
	if dir != other {
		return pathError("rename", to, syscall.EXDEV)
	}
	if dir.entries[oldName] == nil {
		return pathError("rename", from, fs.ErrNotExist)
	}
	if err := d.begin(OpRename, to, 0, 0); err != nil {
		return pathError("rename", from, err)
	}
	dir.change(dirOp{from: oldName, to: newName, node: dir.entries[oldName]})
	return nil
}

// Remove is storage.FS's.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, base, err := d.parent("remove", name)
	if err != nil {
		return err
	}
	n := dir.entries[base]
	if n == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	if n.isDir() && len(n.entries) > 0 {
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	if err := d.begin(OpRemove, name, 0, 0); err != nil {
		return pathError("remove", name, err)
	}
	d.used -= int64(len(n.data))
	dir.change(dirOp{from: base})
	return nil
}

// MkdirAll is storage.FS's.
func (d *Disk) MkdirAll(name string, _ fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.root
	for part := range strings.SplitSeq(strings.Trim(filepath.Clean(name), "/"), "/") {
		if part == "" {
			continue
		}
		if n.entries[part] == nil {
			if err := d.begin(OpMkdir, name, 0, 0); err != nil {
				return pathError("mkdir", name, err)
			}
			n.change(dirOp{to: part, node: newDir()})
		}
		if n = n.entries[part]; !n.isDir() {
			return pathError("mkdir", name, syscall.ENOTDIR)
		}
	}
	return nil
}

// SyncDir is storage.FS's.
func (d *Disk) SyncDir(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(name)
	if n == nil || !n.isDir() {
		return pathError("sync", name, fs.ErrNotExist)
	}
	if err := d.begin(OpSyncDir, name, 0, 0); err != nil {
		return pathError("sync", name, err)
	}
	n.settle(len(n.pending))
	return nil
}

// ReadDir is storage.FS's.
func (d *Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(name)
	if n == nil || !n.isDir() {
		return nil, pathError("readdir", name, fs.ErrNotExist)
	}
	var list []fs.DirEntry
	for base, child := range n.entries {
		list = append(list, fs.FileInfoToDirEntry(child.info(base)))
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// Stat is storage.FS's.
func (d *Disk) Stat(name string) (fs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.find(name)
	if n == nil {
		return nil, pathError("stat", name, fs.ErrNotExist)
	}
	return n.info(filepath.Base(name)), nil
}

// file is an open file.
type file struct {
	d        *Disk
	n        *inode
	path     string
	era      int
	writable bool
	closed   bool
}

func (f *file) usable(write bool) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case f.era != f.d.era:
		return errStale
	case f.d.down:
		return ErrPower
	case write && !f.writable:
		return fs.ErrPermission
	}
	return nil
}

// ReadAt is io.ReaderAt's.
func (f *file) ReadAt(b []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.usable(false); err != nil {
		return 0, pathError("read", f.path, err)
	}
	if off < 0 {
		return 0, pathError("read", f.path, syscall.EINVAL)
	}
	n := 0
	if off < int64(len(f.n.data)) {
		n = copy(b, f.n.data[off:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt is io.WriterAt's.
func (f *file) WriteAt(b []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.usable(true); err != nil {
		return 0, pathError("write", f.path, err)
	}
	err := f.d.begin(OpWrite, f.path, off, len(b))
	n := len(b)
	if err != nil {
		n = len(b) / 2 // what comes of it is up to the crash
	}
	if room := f.d.room(f.n, off+int64(n)); room < off+int64(n) {
		n = int(max(0, room-off))
		err = syscall.ENOSPC
	}
	f.d.write(f.n, b[:n], off)
	if err != nil {
		return n, pathError("write", f.path, err)
	}
	return n, nil
}

// Truncate is storage.File's.
func (f *file) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	err := f.usable(true)
	if err == nil {
		err = f.d.begin(OpTruncate, f.path, size, 0)
	}
	if err == nil && f.d.room(f.n, size) < size {
		err = syscall.ENOSPC
	}
	if err != nil {
		return pathError("truncate", f.path, err)
	}
	f.d.resize(f.n, size)
	return nil
}

// Sync is storage.File's.
func (f *file) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.usable(false); err != nil {
		return pathError("sync", f.path, err)
	}
	if err := f.d.begin(OpSync, f.path, 0, 0); err != nil {
		f.n.lost = true
		return pathError("sync", f.path, err)
	}
	f.n.sync()
	return nil
}

// Forget is storage.File's: here is no copy.
func (f *file) Forget(off, n int64) {}

// Allocate is storage.File's.
func (f *file) Allocate(off, n int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.usable(true); err != nil {
		return pathError("allocate", f.path, err)
	}
	if f.d.room(f.n, off+n) < off+n {
		return pathError("allocate", f.path, syscall.ENOSPC)
	}
	return nil
}

// Size is storage.File's.
func (f *file) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.usable(false); err != nil {
		return 0, pathError("stat", f.path, err)
	}
	return int64(len(f.n.data)), nil
}

// Close is io.Closer's.
func (f *file) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.closed {
		return pathError("close", f.path, fs.ErrClosed)
	}
	f.closed = true
	return nil
}

// room is how long n can be, up to size.
func (d *Disk) room(n *inode, size int64) int64 {
	if d.capacity == 0 || size <= int64(len(n.data)) {
		return size
	}
	return min(size, int64(len(n.data))+max(0, d.capacity-d.used))
}

type info struct {
	name string
	size int64
	dir  bool
	mod  time.Time
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return i.mod }
func (i info) IsDir() bool        { return i.dir }
func (i info) Sys() any           { return nil }
func (i info) String() string     { return fmt.Sprintf("%s (%d bytes)", i.name, i.size) }

func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
