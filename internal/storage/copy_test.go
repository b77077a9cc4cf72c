package storage_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
)

// TestCopyIsTheSnapshot copies what travels between members: the file must be the one that the sender would write.
func TestCopyIsTheSnapshot(t *testing.T) {
	for _, c := range []storage.Compression{storage.None, storage.Gzip, storage.Snappy} {
		d := sim.NewDisk()
		opts := storage.Options{FS: d, Dirs: storage.Dirs{Data: "/data"}, Preallocate: -1, Compression: c}
		s, _, _ := openLoaded(t, opts)
		m := newModel(9, 3000)
		var sent bytes.Buffer
		if err := storage.EncodeState(&sent, m, &storage.SnapshotInfo{}); err != nil {
			t.Fatal(err)
		}
		file := s.NewCopy(9)
		if _, err := sent.WriteTo(file); err != nil {
			t.Fatal(err)
		}
		info, err := file.Finish(m.Digest())
		if err != nil {
			t.Fatal(err)
		}
		file.Abort() // too late
		copied, err := d.Content(info.Path)
		if err != nil || int64(len(copied)) != info.Size {
			t.Fatalf("%d bytes of %d, %v", len(copied), info.Size, err)
		}
		written, err := s.WriteSnapshot(context.Background(), m)
		if err != nil || written.Path != info.Path {
			t.Fatalf("%s, %v", written.Path, err)
		}
		if want, err := d.Content(info.Path); err != nil || c == storage.None && !bytes.Equal(want, copied) {
			t.Errorf("%v: a copy of %d bytes differs from the snapshot of %d, %v", c, len(copied), len(want), err)
		}
		if err := d.SetContent(info.Path, copied); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got, l, err := load(opts); err != nil || l.LastZxid != 9 || len(got.nodes) != len(m.nodes) {
			t.Errorf("%v: %+v, %v", c, l, err)
		}
	}
}

// TestCopyGivenUp leaves nothing behind, and does not touch another one of the same state.
func TestCopyGivenUp(t *testing.T) {
	d := sim.NewDisk()
	s, _, _ := openLoaded(t, storage.Options{FS: d, Dirs: storage.Dirs{Data: "/data"}, Preallocate: -1})
	var sent bytes.Buffer
	if err := storage.EncodeState(&sent, newModel(9, 100), &storage.SnapshotInfo{}); err != nil {
		t.Fatal(err)
	}
	before := names(t, d)
	first, second := s.NewCopy(9), s.NewCopy(9)
	first.Write(sent.Bytes()[:1000])
	second.Write(sent.Bytes())
	first.Abort()
	first.Abort()
	if _, err := second.Finish(storage.SnapshotDigest{}, false); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, d), append(before, "snapshot.9"); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestCopyFails tells of a disk's failure at the end, and not to who reads the content.
func TestCopyFails(t *testing.T) {
	d := sim.NewDisk()
	s, _, _ := openLoaded(t, storage.Options{FS: d, Dirs: storage.Dirs{Data: "/data"}, Preallocate: -1})
	d.SetFault(func(op sim.Op) error { return iotest.ErrTimeout })
	file := s.NewCopy(9)
	if n, err := file.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := file.Finish(storage.SnapshotDigest{}, false); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("%v", err)
	}
}
