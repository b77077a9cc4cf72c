package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// LogFile is a log in a directory.
type LogFile struct {
	Path  string
	First int64 // zxid in the name
	Size  int64 // bytes
}

// SnapshotFile is a snapshot in a directory.
type SnapshotFile struct {
	Path        string
	Zxid        int64 // in the name
	Compression Compression
	Size        int64 // bytes
	ModTime     time.Time
}

// ListLogs finds the logs of a directory, oldest first.
func ListLogs(fsys FS, dir string) ([]LogFile, error) {
	logs, err := listLogs(fsys, dir)
	list := make([]LogFile, len(logs))
	for i, l := range logs {
		list[i] = LogFile{Path: l.path, First: l.first, Size: l.size}
	}
	return list, err
}

// ListSnapshots finds the snapshots of a directory, newest first.
func ListSnapshots(fsys FS, dir string) ([]SnapshotFile, error) {
	snaps, err := listSnapshots(fsys, dir)
	list := make([]SnapshotFile, len(snaps))
	for i, s := range snaps {
		list[i] = SnapshotFile{
			Path: s.path, Zxid: s.zxid, Compression: s.compression, Size: s.size, ModTime: time.UnixMilli(s.modTime),
		}
	}
	return list, err
}

// ReadSnapshotFile reads one snapshot into sink. Its name tells zxid and
// compression; if it is not a snapshot's, its begin tells the compression.
func ReadSnapshotFile(ctx context.Context, fsys FS, path string, sink SnapshotSink) (SnapshotInfo, error) {
	info := SnapshotInfo{Path: path}
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return info, err
	}
	defer f.Close()
	if info.Size, err = f.Size(); err != nil {
		return info, err
	}
	if info.Compression, err = sniff(f); err != nil {
		return info, err
	}
	info.Zxid, _, _ = ParseSnapshotName(filepath.Base(path))
	return info, DecodeSnapshot(ctx, io.NewSectionReader(f, 0, info.Size), &info, MostEntry, sink)
}

// IsLog tells whether a file begins as a log does.
func IsLog(fsys FS, path string) (bool, error) {
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var b [4]byte
	if _, err := f.ReadAt(b[:], 0); err != nil && err != io.EOF {
		return false, err
	}
	return string(b[:]) == "ZKLG", nil
}

func sniff(f File) (Compression, error) {
	var b [xerialMagicLen]byte
	if _, err := f.ReadAt(b[:], 0); err != nil && err != io.EOF {
		return None, err
	}
	switch {
	case string(b[:2]) == "\x1f\x8b":
		return Gzip, nil
	case string(b[:]) == string(xerialHeader[:xerialMagicLen]):
		return Snappy, nil
	}
	return None, nil
}

// LogRecord is one record of a log.
type LogRecord struct {
	Offset int64 // where it begins in the file
	Zxid   int64
	Entry  []byte // valid only during the visit
}

// LogSummary tells what a log holds.
type LogSummary struct {
	Path    string
	Size    int64
	Records int64
	First   int64 // zxid of the first record, 0 if there is none
	Last    int64 // of the last
	End     int64 // offset behind the last whole record
	// Torn is how many bytes an interrupted write left behind End.
	Torn int64
	// Damage is what stands behind End if it is neither the log's end nor an
	// interrupted write, or what is wrong with the order; nil if all is well.
	Damage *DamageError
}

// ScanLog reads one log, calls visit (unless nil) for every whole record up to
// the first that is not, and judges what follows. The error is visit's, the
// context's or the system's; damage is in the summary.
func ScanLog(ctx context.Context, fsys FS, path string, visit func(LogRecord) error) (LogSummary, error) {
	sum := LogSummary{Path: path}
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	if sum.Size, err = f.Size(); err != nil {
		return sum, err
	}
	scan, err := newLogScanner(f, MostEntry)
	if errors.Is(err, errNoHeader) {
		sum.Damage = &DamageError{File: path, Reason: "its header is missing", Cure: cureLog(path)}
		return sum, nil
	}
	var bad *badRecord
	if errors.As(err, &bad) {
		sum.Damage = &DamageError{File: path, Offset: bad.off, Reason: bad.reason, Cure: cureLog(path)}
		return sum, nil
	}
	if err != nil {
		return sum, err
	}
	if err := sum.records(ctx, scan, visit, &bad); err != nil || sum.Damage != nil {
		return sum, err
	}
	return sum, sum.tail(f, bad)
}

func (s *LogSummary) records(ctx context.Context, scan *logScanner, visit func(LogRecord) error, bad **badRecord) error {
	for {
		if s.Records%replayCtxEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		s.End = scan.off
		entry, err := scan.next()
		if err == io.EOF || errors.As(err, bad) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read log %s: %w", s.Path, err)
		}
		zxid := entryZxid(entry)
		if s.Records > 0 && !follows(s.Last, zxid) && !isEcho(s.Last, entry) {
			s.Damage = &DamageError{
				File: s.Path, Offset: s.End, After: s.Last, Before: zxid, Cure: cureLog(s.Path),
				Reason: fmt.Sprintf("transaction 0x%x comes after 0x%x", uint64(zxid), uint64(s.Last)),
			}
			return nil
		}
		if s.Records == 0 {
			s.First = zxid
		}
		s.Records++
		s.Last = zxid
		if visit == nil {
			continue
		}
		if err := visit(LogRecord{Offset: s.End, Zxid: zxid, Entry: entry}); err != nil {
			return err
		}
	}
}

func (s *LogSummary) tail(f File, bad *badRecord) error {
	t, err := inspectTail(f, s.End, bad, s.Last, MostEntry)
	if err != nil {
		return fmt.Errorf("read log %s: %w", s.Path, err)
	}
	s.Torn = t.lost
	if t.kind == tailDamaged {
		s.Damage = &DamageError{File: s.Path, Offset: s.End, After: s.Last, Before: t.before, Reason: t.reason, Cure: cureLog(s.Path)}
		s.Torn = 0
	}
	return nil
}

// LogHeader is what a log begins with.
func LogHeader() []byte { return appendFileHeader(nil, logMagic, 0) }
