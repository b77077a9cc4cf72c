package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	dirPerm  = 0o755
	filePerm = 0o644

	// DefaultPreallocate is Apache's preAllocSize, in bytes.
	DefaultPreallocate = 64 << 20
	// DefaultMaxEntry is the least bound of a log entry or snapshot field that is read, in bytes.
	DefaultMaxEntry = 64 << 20
	// MostEntry is the greatest such bound: what reads files of servers whose settings it does not know takes it. No
	// memory is taken beyond what the file holds.
	MostEntry = math.MaxInt32 - 1<<10
	// DefaultSlowSync is Apache's fsync.warningthresholdms.
	DefaultSlowSync = time.Second
)

// Dirs are the directories under which a Store keeps its files, each in a
// VersionDir of its own. They may be the same; Log empty means it is.
type Dirs struct {
	Data string // snapshots and epochs (dataDir)
	Log  string // logs (dataLogDir)
}

// Options configure a Store. Zero values are the defaults of Apache unless
// said otherwise.
type Options struct {
	FS     FS // nil: OS()
	Dirs   Dirs
	Logger *slog.Logger // nil: discards

	// Preallocate is by how many bytes a log is filled with zeros ahead of
	// what is written (preAllocSize, there in KB); 0 is DefaultPreallocate,
	// negative none.
	Preallocate int64
	// LogSizeLimit rolls the log when it is longer, in bytes
	// (txnLogSizeLimitInKb); 0 or negative is no limit.
	LogSizeLimit int64
	// NoSync leaves out the syncs of the log (forceSync=no): what is
	// acknowledged may be lost when the machine fails.
	NoSync bool
	// SlowSync is from when on a sync is reported; 0 is DefaultSlowSync.
	SlowSync time.Duration
	// OnSync is called after every sync of the log with how long it took; nil: nothing.
	OnSync func(time.Duration)

	// Compression of the snapshots that are written (snapshot.compression.method).
	Compression Compression
	// NoDigest leaves the digest out of snapshots (digest.enabled=false).
	NoDigest bool
	// NoLastZxid leaves the last zxid out of snapshots (serializeLastProcessedZxid.enabled=false).
	NoLastZxid bool

	// ReadOnly lets Open and Load change nothing on disk: for tools that look
	// at a directory. There is no Log then.
	ReadOnly bool
	// NoDirCreate refuses directories that are not there (datadir.autocreate=false).
	NoDirCreate bool
	// NoDBCreate does not make an empty database without the file
	// "initialize" in Dirs.Data (db.autocreate=false): Loaded.Unknown is set.
	NoDBCreate bool
	// TrustEmpty takes logs without any snapshot as the whole history (snapshot.trust.empty).
	TrustEmpty bool
	// MaxEntry bounds a log entry and a field of a snapshot that is read, in
	// bytes, if it is more than DefaultMaxEntry: what a server once wrote must
	// not keep it from starting after a limit for requests was lowered.
	MaxEntry int
}

// Store is the disk of one server.
type Store struct {
	opts    Options
	fs      FS
	log     *slog.Logger
	snapDir string
	logDir  string
	writer  *Log
	locks   []io.Closer
	copies  atomic.Int64 // how many were begun
}

// Open finds and checks the directories and removes what unfinished writes
// left. It neither reads nor changes logs and snapshots: that is Load's.
func Open(opts Options) (*Store, error) {
	opts.setDefaults()
	s := &Store{
		opts: opts, fs: opts.FS, log: opts.Logger,
		snapDir: filepath.Join(opts.Dirs.Data, VersionDir),
		logDir:  filepath.Join(opts.Dirs.Log, VersionDir),
	}
	if err := s.takeDirs(); err != nil {
		return nil, errors.Join(err, s.unlock())
	}
	return s, nil
}

func (s *Store) takeDirs() error {
	dirs := []string{s.logDir}
	if s.snapDir != s.logDir {
		dirs = append(dirs, s.snapDir)
	}
	for _, dir := range dirs {
		if err := s.checkDir(dir); err != nil {
			return err
		}
	}
	if len(dirs) > 1 {
		return s.checkMixed()
	}
	return nil
}

// lock keeps other servers out of dir: two would write different histories. A
// file system that has no locks is used without.
func (s *Store) lock(dir string) error {
	locker, ok := s.fs.(Locker)
	if !ok {
		return nil
	}
	l, err := locker.Lock(dir)
	switch {
	case errors.Is(err, ErrInUse):
		return fmt.Errorf("%w %s: %w: stop that one, or give this one a dataDir of its own", ErrDirectory, dir, ErrInUse)
	case err != nil:
		s.log.Warn("the data directory cannot be locked against a second server", "dir", dir, "error", err)
	default:
		s.locks = append(s.locks, l)
	}
	return nil
}

func (s *Store) unlock() error {
	var err error
	for _, l := range s.locks {
		err = errors.Join(err, l.Close())
	}
	s.locks = nil
	return err
}

func (o *Options) setDefaults() {
	if o.FS == nil {
		o.FS = OS()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Dirs.Log == "" {
		o.Dirs.Log = o.Dirs.Data
	}
	if o.Preallocate == 0 {
		o.Preallocate = DefaultPreallocate
	}
	o.MaxEntry = max(o.MaxEntry, DefaultMaxEntry)
	if o.SlowSync <= 0 {
		o.SlowSync = DefaultSlowSync
	}
}

// checkDir makes dir if it may, and removes what unfinished writes left, which
// shows whether it can be written.
func (s *Store) checkDir(dir string) error {
	info, err := s.fs.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.opts.ReadOnly:
		return fmt.Errorf("%w %s is missing", ErrDirectory, dir)
	case errors.Is(err, fs.ErrNotExist) && s.opts.NoDirCreate:
		return fmt.Errorf("%w %s is missing and datadir.autocreate is off: create it, or correct dataDir and dataLogDir", ErrDirectory, dir)
	case errors.Is(err, fs.ErrNotExist):
		if err := s.fs.MkdirAll(dir, dirPerm); err != nil {
			return fmt.Errorf("%w %s cannot be created: %w", ErrDirectory, dir, err)
		}
	case err != nil:
		return fmt.Errorf("%w %s: %w", ErrDirectory, dir, err)
	case !info.IsDir():
		return fmt.Errorf("%w %s is a file", ErrDirectory, dir)
	}
	if s.opts.ReadOnly {
		return nil
	}
	if err := s.lock(dir); err != nil {
		return err
	}
	if err := s.anchor(dir); err != nil {
		return err
	}
	return s.removeUnfinished(dir)
}

// anchor makes the way to dir durable, which this start may have made, or one
// before that ended too early. Directories above that this process may not
// read, or that know no sync, were not made by it.
func (s *Store) anchor(dir string) error {
	for parent := filepath.Dir(dir); parent != dir; dir, parent = parent, filepath.Dir(parent) {
		err := s.fs.SyncDir(parent)
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EINVAL) {
			return fmt.Errorf("%w: sync %s: %w", ErrDirectory, parent, err)
		}
	}
	return nil
}

func (s *Store) removeUnfinished(dir string) error {
	entries, err := s.fs.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrDirectory, dir, err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tmpPrefix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if err := s.fs.Remove(path); err != nil {
			return fmt.Errorf("%w: remove the unfinished %s: %w", ErrDirectory, path, err)
		}
		s.log.Info("Removed an unfinished file", "file", path)
	}
	return nil
}

// checkMixed refuses split directories that were not split before: serving
// only what lies in the right one would lose what lies in the wrong one.
func (s *Store) checkMixed() error {
	snaps, err := listSnapshots(s.fs, s.logDir)
	if err != nil {
		return err
	}
	if len(snaps) > 0 {
		return fmt.Errorf("%w: the log directory has snapshot files (%s): move them to %s, or correct dataDir and dataLogDir",
			ErrDirectory, snaps[0].path, s.snapDir)
	}
	logs, err := listLogs(s.fs, s.snapDir)
	if err != nil {
		return err
	}
	if len(logs) > 0 {
		return fmt.Errorf("%w: the snapshot directory has log files (%s): move them to %s, or correct dataDir and dataLogDir",
			ErrDirectory, logs[0].path, s.logDir)
	}
	return nil
}

// SnapshotDir is where snapshots and epochs are.
func (s *Store) SnapshotDir() string { return s.snapDir }

// LogDir is where logs are.
func (s *Store) LogDir() string { return s.logDir }
