package sim_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
)

func create(t *testing.T, d *sim.Disk, name string) storage.File {
	t.Helper()
	f, err := d.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, f storage.File, b []byte, off int64) {
	t.Helper()
	_, err := f.WriteAt(b, off)
	must(t, err)
}

// outcomes crashes copies of d with many seeds and counts what is left.
func outcomes(d *sim.Disk, look func(*sim.Disk) string) map[string]int {
	seen := map[string]int{}
	for seed := range uint64(200) {
		c := d.Clone()
		c.Crash(rand.New(rand.NewPCG(seed, 1)))
		seen[look(c)]++
	}
	return seen
}

func content(name string) func(*sim.Disk) string {
	return func(d *sim.Disk) string {
		b, err := d.Content(name)
		if err != nil {
			return "none"
		}
		return string(bytes.TrimRight(b, "\x00"))
	}
}

func TestSyncedSurvives(t *testing.T) {
	d := sim.NewDisk()
	f := create(t, d, "/a")
	write(t, f, []byte("first"), 0)
	must(t, f.Sync())
	must(t, d.SyncDir("/"))
	if got := outcomes(d, content("/a")); len(got) != 1 || got["first"] == 0 {
		t.Fatal(got)
	}
	write(t, f, []byte("other"), 0)
	if got := outcomes(d, content("/a")); len(got) != 2 || got["first"] == 0 || got["other"] == 0 {
		t.Fatal(got)
	}
}

func TestSectorsAreKeptInAnyOrder(t *testing.T) {
	d := sim.NewDisk()
	f := create(t, d, "/a")
	write(t, f, make([]byte, 3*sim.Sector), 0)
	must(t, f.Sync())
	must(t, d.SyncDir("/"))
	write(t, f, bytes.Repeat([]byte{1}, 3*sim.Sector), 0)
	got := outcomes(d, func(d *sim.Disk) string {
		b, err := d.Content("/a")
		must(t, err)
		for i := range b {
			if b[i] != b[i/sim.Sector*sim.Sector] {
				t.Fatal("half a sector")
			}
		}
		return fmt.Sprint(b[0], b[sim.Sector], b[2*sim.Sector])
	})
	if len(got) != 8 {
		t.Fatalf("%d of 8 combinations: %v", len(got), got)
	}
}

func TestNamesNeedTheDirectory(t *testing.T) {
	d := sim.NewDisk()
	f := create(t, d, "/a")
	write(t, f, []byte("x"), 0)
	must(t, f.Sync())
	if got := outcomes(d, content("/a")); got["none"] == 0 || got["x"] == 0 {
		t.Fatal(got)
	}
	must(t, d.SyncDir("/"))
	must(t, d.Rename("/a", "/b"))
	got := outcomes(d, func(d *sim.Disk) string { return content("/a")(d) + " " + content("/b")(d) })
	if len(got) != 2 || got["x none"] == 0 || got["none x"] == 0 {
		t.Fatal(got)
	}
	must(t, d.Remove("/b"))
	must(t, d.SyncDir("/"))
	if got := outcomes(d, content("/b")); len(got) != 1 || got["none"] == 0 {
		t.Fatal(got)
	}
}

func TestAFailedSyncIsNotMadeUpFor(t *testing.T) {
	d := sim.NewDisk()
	f := create(t, d, "/a")
	must(t, d.SyncDir("/"))
	write(t, f, []byte("x"), 0)
	d.SetFault(func(op sim.Op) error {
		if op.Kind == sim.OpSync {
			return syscall.EIO
		}
		return nil
	})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	d.SetFault(nil)
	must(t, f.Sync())
	if got := outcomes(d, content("/a")); got[""] == 0 {
		t.Fatal(got)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, 0); err != nil || b[0] != 'x' {
		t.Fatalf("%q, %v", b, err)
	}
}

func TestPowerLossStopsEverything(t *testing.T) {
	d := sim.NewDisk()
	f := create(t, d, "/a")
	must(t, d.SyncDir("/"))
	d.SetFault(func(op sim.Op) error {
		if op.Kind == sim.OpWrite {
			return sim.ErrPower
		}
		return nil
	})
	_, werr := f.WriteAt([]byte("abcd"), 0)
	_, rerr := f.ReadAt(make([]byte, 1), 0)
	_, oerr := d.OpenFile("/a", os.O_RDONLY, 0)
	for _, err := range []error{werr, rerr, oerr, f.Sync(), f.Truncate(0), d.Remove("/a"), d.SyncDir("/")} {
		if !errors.Is(err, sim.ErrPower) {
			t.Errorf("%v", err)
		}
	}
	d.Crash(rand.New(rand.NewPCG(1, 1)))
	if _, err := f.ReadAt(make([]byte, 1), 0); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a handle of before the crash reads: %v", err)
	}
	if _, err := d.OpenFile("/a", os.O_RDONLY, 0); err != nil {
		t.Error(err)
	}
}

func TestCapacity(t *testing.T) {
	d := sim.NewDisk()
	d.SetCapacity(10)
	f := create(t, d, "/a")
	if n, err := f.WriteAt(make([]byte, 8), 0); n != 8 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := f.WriteAt(make([]byte, 8), 4); n != 6 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(n, err)
	}
	if err := f.Truncate(11); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	must(t, f.Truncate(2))
	write(t, create(t, d, "/b"), make([]byte, 8), 0)
	must(t, d.Remove("/b"))
	write(t, f, make([]byte, 8), 2)
}

func TestLikeTheRealOne(t *testing.T) {
	for name, c := range map[string]struct {
		fsys storage.FS
		dir  string
	}{"sim": {sim.NewDisk(), "/"}, "os": {storage.OS(), t.TempDir() + "/"}} {
		t.Run(name, func(t *testing.T) {
			d, dir := c.fsys, c.dir
			must(t, d.MkdirAll(dir+"x/y", 0o755))
			for _, op := range []func() error{
				func() error { _, err := d.OpenFile(dir+"none", os.O_RDWR, 0); return err },
				func() error { _, err := d.OpenFile(dir+"none/file", os.O_CREATE|os.O_RDWR, 0o644); return err },
				func() error { _, err := d.Stat(dir + "none"); return err },
				func() error { return d.Remove(dir + "none") },
				func() error { return d.Rename(dir+"none", dir+"some") },
				func() error { _, err := d.ReadDir(dir + "none"); return err },
				func() error { return d.SyncDir(dir + "none") },
			} {
				if err := op(); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%v", err)
				}
			}
			f, err := d.OpenFile(dir+"x/y/f", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
			must(t, err)
			if _, err := d.OpenFile(dir+"x/y/f", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644); !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
			if err := d.Remove(dir + "x/y"); err == nil {
				t.Error("removed a directory with a file")
			}
			write(t, f, []byte("abc"), 5)
			must(t, f.Allocate(0, 100))
			b := make([]byte, 10)
			if n, err := f.ReadAt(b, 3); n != 5 || err != io.EOF || string(b[:5]) != "\x00\x00abc" {
				t.Errorf("%d, %v, %q", n, err, b)
			}
			if n, err := f.ReadAt(b[:3], 5); n != 3 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			if size, err := f.Size(); size != 8 || err != nil {
				t.Error(size, err)
			}
			must(t, d.Rename(dir+"x/y/f", dir+"x/y/g"))
			list, err := d.ReadDir(dir + "x/y")
			if err != nil || len(list) != 1 || list[0].Name() != "g" {
				t.Error(list, err)
			}
			if info, err := d.Stat(dir + "x/y/g"); err != nil || info.Size() != 8 || info.IsDir() {
				t.Error(info, err)
			}
			must(t, f.Close())
			if err := f.Sync(); err == nil {
				t.Error("synced a closed file")
			}
		})
	}
}
