package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	// VersionDir is the directory under dataDir and dataLogDir that holds the files.
	VersionDir     = "version-2"
	logPrefix      = "log."
	snapshotPrefix = "snapshot."
	tmpPrefix      = "tmp." // before a name: a file that is being written; Apache does not look at it
	initializeName = "initialize"
)

// Compression is how a snapshot is compressed. The values are those of
// Apache's snapshot.compression.method and the suffixes of the files.
type Compression string

// The compressions.
const (
	None   Compression = ""
	Gzip   Compression = "gz"
	Snappy Compression = "snappy"
)

// ParseCompression knows the names, in any case. Apache takes any other for
// none.
func ParseCompression(s string) (Compression, error) {
	switch c := Compression(strings.ToLower(s)); c {
	case None, Gzip, Snappy:
		return c, nil
	}
	return None, fmt.Errorf("unknown snapshot compression %q: it is gz, snappy, or empty for none", s)
}

func (c Compression) suffix() string {
	if c == None {
		return ""
	}
	return "." + string(c)
}

// LogName is the name of the log whose first transaction is zxid.
func LogName(zxid int64) string { return logPrefix + hex(zxid) }

// SnapshotName is the name of the snapshot as of zxid.
func SnapshotName(zxid int64, c Compression) string {
	return snapshotPrefix + hex(zxid) + c.suffix()
}

func hex(zxid int64) string { return strconv.FormatUint(uint64(zxid), 16) }

// ParseLogName tells the first zxid from a log's name.
func ParseLogName(name string) (zxid int64, ok bool) {
	rest, ok := strings.CutPrefix(name, logPrefix)
	if !ok {
		return 0, false
	}
	return parseHex(rest)
}

// ParseSnapshotName tells zxid and compression from a snapshot's name.
func ParseSnapshotName(name string) (zxid int64, c Compression, ok bool) {
	rest, ok := strings.CutPrefix(name, snapshotPrefix)
	if !ok {
		return 0, None, false
	}
	digits, suffix, _ := strings.Cut(rest, ".")
	switch c = Compression(suffix); c {
	case None, Gzip, Snappy:
	default:
		return 0, None, false
	}
	zxid, ok = parseHex(digits)
	return zxid, c, ok
}

func parseHex(s string) (int64, bool) {
	v, err := strconv.ParseUint(s, 16, 63)
	return int64(v), err == nil
}

// logInfo is a log file that was found.
type logInfo struct {
	first int64 // zxid in the name
	path  string
	size  int64 // bytes
}

// snapshotInfo is a snapshot file that was found.
type snapshotInfo struct {
	zxid        int64
	compression Compression
	path        string
	size        int64 // bytes
	modTime     int64 // milliseconds since 1970
}

// listLogs finds the logs of a directory, oldest first. A directory that is
// not there has none.
func listLogs(fsys FS, dir string) ([]logInfo, error) {
	var logs []logInfo
	err := eachFile(fsys, dir, func(info fs.FileInfo) {
		if zxid, ok := ParseLogName(info.Name()); ok {
			logs = append(logs, logInfo{zxid, filepath.Join(dir, info.Name()), info.Size()})
		}
	})
	slices.SortFunc(logs, func(a, b logInfo) int { return cmp.Compare(a.first, b.first) })
	return logs, err
}

// listSnapshots finds the snapshots of a directory, newest first.
func listSnapshots(fsys FS, dir string) ([]snapshotInfo, error) {
	var snaps []snapshotInfo
	err := eachFile(fsys, dir, func(info fs.FileInfo) {
		if zxid, c, ok := ParseSnapshotName(info.Name()); ok {
			path := filepath.Join(dir, info.Name())
			snaps = append(snaps, snapshotInfo{zxid, c, path, info.Size(), info.ModTime().UnixMilli()})
		}
	})
	slices.SortFunc(snaps, func(a, b snapshotInfo) int {
		if d := cmp.Compare(b.zxid, a.zxid); d != 0 {
			return d
		}
		return cmp.Compare(b.modTime, a.modTime)
	})
	return snaps, err
}

func eachFile(fsys FS, dir string, f func(fs.FileInfo)) error {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", dir, err)
		}
		f(info)
	}
	return nil
}
