package storage_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
)

func goldenFiles(f *testing.F, pattern string) [][]byte {
	f.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", "apache-*", "version-2", pattern))
	if err != nil || len(names) == 0 {
		f.Fatalf("no %s: %v", pattern, err)
	}
	var files [][]byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		files = append(files, b)
	}
	return files
}

// FuzzLog takes any bytes for the last log: they are loaded or refused, what
// is loaded once is loaded again, and memory stays in proportion.
func FuzzLog(f *testing.F) {
	for _, b := range goldenFiles(f, "log.*") {
		f.Add(bytes.TrimRight(b, "\x00"))
	}
	f.Add([]byte("ZKLG\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := sim.NewDisk()
		opts := storage.Options{FS: d, Dirs: storage.Dirs{Data: "/data"}, TrustEmpty: true}
		if err := d.MkdirAll("/data/version-2", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := d.SetContent("/data/version-2/log.1", b); err != nil {
			t.Fatal(err)
		}
		before := allocated()
		m, l, err := load(opts)
		if grown := allocated() - before; grown > 8<<20+64*uint64(len(b)) {
			t.Fatalf("%d bytes of memory for %d bytes of log", grown, len(b))
		}
		if err != nil {
			if !errors.Is(err, storage.ErrDamaged) {
				t.Fatalf("refused as something else than damaged: %v", err)
			}
			return
		}
		again, l2, err := load(opts)
		if err != nil || l2.LastZxid != l.LastZxid || l2.CutBytes != 0 || len(again.entries) != len(m.entries) {
			t.Fatalf("second time: %+v, %v; first %+v", l2, err, l)
		}
	})
}

// FuzzSnapshot takes any bytes for a snapshot in each compression: an accepted
// one is encoded and decoded to the same again.
func FuzzSnapshot(f *testing.F) {
	for i, c := range []storage.Compression{storage.None, storage.Gzip, storage.Snappy} {
		pattern := "snapshot.??"
		if c != storage.None {
			pattern += "." + string(c)
		}
		for _, b := range goldenFiles(f, pattern) {
			f.Add(byte(i), b)
		}
	}
	f.Add(byte(0), []byte("ZKSN\x00\x00\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff"))
	f.Add(byte(2), []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\x03\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		c := []storage.Compression{storage.None, storage.Gzip, storage.Snappy}[kind%3]
		info := storage.SnapshotInfo{Compression: c, Size: int64(len(b))}
		before := allocated()
		m := &model{}
		err := storage.DecodeSnapshot(context.Background(), bytes.NewReader(b), &info, 1<<20, m)
		if grown := allocated() - before; grown > 16<<20+4096*uint64(len(b)) {
			t.Fatalf("%d bytes of memory for %d bytes of snapshot", grown, len(b))
		}
		if err != nil {
			if !errors.Is(err, storage.ErrDamaged) {
				t.Fatalf("refused as something else than damaged: %v", err)
			}
			return
		}
		var out bytes.Buffer
		copied := storage.SnapshotInfo{Compression: c}
		if err := storage.EncodeSnapshot(&out, m, &copied, info.HasDigest, info.HasLastZxid); err != nil {
			t.Fatal(err)
		}
		n := &model{}
		copied.Size = int64(out.Len())
		if err := storage.DecodeSnapshot(context.Background(), &out, &copied, 1<<20, n); err != nil || n.content() != m.content() {
			t.Fatalf("not the same when written again: %v", err)
		}
	})
}

// FuzzState takes any bytes for a state that a leader sends.
func FuzzState(f *testing.F) {
	for _, b := range goldenFiles(f, "snapshot.??") {
		f.Add(b[16:])
	}
	for _, n := range []int{0, 3} {
		var b bytes.Buffer
		if err := storage.EncodeState(&b, newModel(9, n), &storage.SnapshotInfo{}); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := allocated()
		m := &model{}
		err := storage.DecodeState(context.Background(), bytes.NewReader(b), &storage.SnapshotInfo{}, 1<<20, m)
		if grown := allocated() - before; grown > 16<<20+4096*uint64(len(b)) {
			t.Fatalf("%d bytes of memory for %d bytes of state", grown, len(b))
		}
		if err != nil {
			if !errors.Is(err, storage.ErrDamaged) {
				t.Fatalf("refused as something else than damaged: %v", err)
			}
			return
		}
		var out bytes.Buffer
		if err := storage.EncodeState(&out, m, &storage.SnapshotInfo{}); err != nil {
			t.Fatal(err)
		}
		n := &model{}
		if err := storage.DecodeState(context.Background(), &out, &storage.SnapshotInfo{}, 1<<20, n); err != nil || n.content() != m.content() {
			t.Fatalf("not the same when written again: %v", err)
		}
	})
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.TotalAlloc
}
