package storage_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
)

var corruptionStep = flag.Int("corruption.step", 13, "every how many bytes a snapshot is damaged")

// truth is what a directory holds before it is damaged: the nodes of every
// snapshot, and the entry of every zxid in its logs.
type truth struct {
	nodes   map[int64]string
	entries map[int64]string
	last    int64
}

func readTruth(t *testing.T, d *sim.Disk) truth {
	t.Helper()
	tr := truth{nodes: map[int64]string{}, entries: map[int64]string{}}
	files, err := d.ReadDir("/data/version-2")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := d.Content("/data/version-2/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if zxid, c, ok := storage.ParseSnapshotName(f.Name()); ok {
			m := &model{}
			if err := storage.DecodeSnapshot(context.Background(), bytes.NewReader(b), &storage.SnapshotInfo{Compression: c}, 1<<20, m); err != nil {
				t.Fatal(err)
			}
			tr.nodes[zxid] = m.content()
			tr.last = max(tr.last, zxid)
			continue
		}
		for _, r := range recordsOf(b) {
			zxid := storage.EntryZxid(r.entry)
			tr.entries[zxid] = string(r.entry)
			tr.last = max(tr.last, zxid)
		}
	}
	return tr
}

// content is everything that the snapshot held.
func (m *model) content() string {
	b := []byte(fmt.Sprint(m.sessions, m.acls))
	for i := range m.nodes {
		n := &m.nodes[i]
		b = jute.AppendString(b, n.path)
		b = jute.AppendBuffer(b, n.data)
		b = jute.AppendLong(b, n.acl)
		b = n.stat.Append(b)
	}
	return string(b)
}

// outcome is what became of a damaged directory.
type outcome int

const (
	refused outcome = iota
	intact          // everything was served
	shorter         // a last part was cut off, and the rest served
)

// serve loads a damaged directory and makes sure that nothing but the truth is served.
func (tr *truth) serve(t *testing.T, opts storage.Options) (outcome, error) {
	t.Helper()
	m, l, err := load(opts)
	if err != nil {
		return refused, err
	}
	if m.info != nil && m.content() != tr.nodes[m.zxid] {
		t.Fatalf("served another snapshot 0x%x", m.zxid)
	}
	for i, e := range m.entries {
		if e != tr.entries[m.zxid+int64(i)+1] {
			t.Fatalf("served another transaction 0x%x", m.zxid+int64(i)+1)
		}
	}
	if l.LastZxid == tr.last {
		return intact, nil
	}
	return shorter, nil
}

// damage is one way to change a file.
type damage struct {
	what string
	data []byte
}

// damagesOf changes the record at [off, end) in every way that the test knows.
func damagesOf(file []byte, r record) []damage {
	var list []damage
	change := func(what string, f func(b []byte) []byte) {
		list = append(list, damage{fmt.Sprintf("%s of the record at %d", what, r.off), f(bytes.Clone(file))})
	}
	for _, at := range []int{r.off + 4, r.off + 7, r.off + 8, r.off + 9, r.off + 10, r.off + 11, r.off + 12, r.off + 20, r.off + 31, (r.off + r.end) / 2, r.end - 2, r.end - 1} {
		for _, bit := range []int{0, 3, 7} {
			change(fmt.Sprintf("bit %d of byte %d", bit, at-r.off), func(b []byte) []byte { b[at] ^= 1 << bit; return b })
		}
	}
	change("zeros instead", func(b []byte) []byte { clear(b[r.off:r.end]); return b })
	change("zeros in the head", func(b []byte) []byte { clear(b[r.off : r.off+12]); return b })
	change("zeros in the middle", func(b []byte) []byte { clear(b[r.off+14 : (r.off+r.end)/2]); return b })
	change("zeros at the end", func(b []byte) []byte { clear(b[(r.off+r.end)/2 : r.end]); return b })
	for _, n := range []int{0, 1, 7, 8, 11, 12, 13, 40, r.end - r.off - 1} {
		change(fmt.Sprintf("cut after %d bytes", n), func(b []byte) []byte { return b[:r.off+n] })
	}
	change("removal", func(b []byte) []byte { return append(b[:r.off], b[r.end:]...) })
	change("repetition", func(b []byte) []byte {
		return append(append(bytes.Clone(b[:r.end]), b[r.off:r.end]...), b[r.end:]...)
	})
	return list
}

// TestDamagedLogsAreNeverServed changes every record of every log. What was
// cut or zeroed at the very end may be taken for an interrupted write;
// everything else must be refused, unless a snapshot makes the record needless.
func TestDamagedLogsAreNeverServed(t *testing.T) {
	for _, dir := range []string{"apache-3.9.4", "apache-3.5.10", "quoll", "quoll batches"} {
		t.Run(dir, func(t *testing.T) {
			d, opts := diskNamed(t, dir)
			tr := readTruth(t, d)
			files, err := d.ReadDir("/data/version-2")
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if _, ok := storage.ParseLogName(f.Name()); !ok {
					continue
				}
				damageLog(t, d, opts, tr, "/data/version-2/"+f.Name(), strings.HasPrefix(dir, "quoll"))
			}
		})
	}
}

func damageLog(t *testing.T, d *sim.Disk, opts storage.Options, tr truth, path string, marked bool) {
	t.Helper()
	file, err := d.Content(path)
	if err != nil {
		t.Fatal(err)
	}
	records := recordsOf(file)
	for i, r := range records {
		for _, dmg := range damagesOf(file, r) {
			c := d.Clone()
			opts.FS = c
			if err := c.SetContent(path, dmg.data); err != nil {
				t.Fatal(err)
			}
			got, err := tr.serve(t, opts)
			var de *storage.DamageError
			if got == refused && (!errors.As(err, &de) || de.File == "" || de.Reason == "" || de.Cure == "") {
				t.Errorf("%s, %s: refused without saying what and why: %v", path, dmg.what, err)
			}
			// What is left of the last record, or a file that ends, looks like an interrupted write.
			last := i == len(records)-1
			cut := len(dmg.data) < len(file) && (last || !strings.HasPrefix(dmg.what, "removal"))
			zeroed := last && !marked && strings.HasPrefix(dmg.what, "zeros")
			if got == shorter && !cut && !zeroed {
				t.Errorf("%s, %s (record %d of %d): cut off silently", path, dmg.what, i+1, len(records))
			}
			if got == intact && needed(tr, r) {
				t.Errorf("%s, %s: served as if nothing was", path, dmg.what)
			}
		}
	}
}

// needed tells whether a record lies behind the newest snapshot.
func needed(tr truth, r record) bool {
	newest := int64(0)
	for z := range tr.nodes {
		newest = max(newest, z)
	}
	return storage.EntryZxid(r.entry) > newest
}

// diskNamed is a golden disk, or one that quoll wrote: record by record, or in
// batches of several.
func diskNamed(t *testing.T, name string) (*sim.Disk, storage.Options) {
	t.Helper()
	if !strings.HasPrefix(name, "quoll") {
		return goldenDisk(t, name)
	}
	d := sim.NewDisk()
	opts := storage.Options{FS: d, Dirs: storage.Dirs{Data: "/data"}, Preallocate: 8 << 10}
	s, _, _ := openLoaded(t, opts)
	if _, err := s.WriteSnapshot(context.Background(), newModel(0, 3)); err != nil {
		t.Fatal(err)
	}
	zxid := int64(1)
	for i := range 24 {
		sizes := []int{i * 77 % 900}
		if strings.HasSuffix(name, "batches") {
			sizes = append(sizes, 10, 600)
		}
		if i == 14 {
			if err := s.Log().Roll(); err != nil {
				t.Fatal(err)
			}
		}
		appendBatch(t, s.Log(), zxid, sizes...)
		zxid += int64(len(sizes))
	}
	// As a process that was killed: the store is not closed.
	c := d.Clone()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opts.FS = c
	return c, opts
}

// TestDamagedSnapshotsAreNeverServed flips a bit of every byte, cuts and
// zeroes at every place: another snapshot is taken, with the logs after it, or
// nothing.
func TestDamagedSnapshotsAreNeverServed(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.dir, func(t *testing.T) {
			d, opts := goldenDisk(t, g.dir)
			tr := readTruth(t, d)
			_, c, err := goldenSnapshot(d, "snapshot.4e")
			if err != nil {
				t.Fatal(err)
			}
			path := "/data/version-2/" + storage.SnapshotName(0x4e, c)
			file, err := d.Content(path)
			if err != nil {
				t.Fatal(err)
			}
			for at := 0; at < len(file); at += *corruptionStep {
				for _, dmg := range []damage{
					{"bit flipped", flipped(file, at, at%8)},
					{"cut", file[:at]},
					{"zeros from there", append(bytes.Clone(file[:at]), make([]byte, len(file)-at)...)},
				} {
					cl := d.Clone()
					opts.FS = cl
					if err := cl.SetContent(path, dmg.data); err != nil {
						t.Fatal(err)
					}
					if got, err := tr.serve(t, opts); got != intact {
						t.Fatalf("byte %d, %s: outcome %d, %v", at, dmg.what, got, err)
					}
				}
			}
		})
	}
}

func flipped(b []byte, at, bit int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1 << bit
	return b
}

func TestWithoutAnyValidSnapshotNothingIsServed(t *testing.T) {
	d, opts := goldenDisk(t, "apache-3.9.4")
	for _, name := range []string{"snapshot.0", "snapshot.21", "snapshot.4e"} {
		if err := d.FlipBit("/data/version-2/"+name, 100, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := load(opts); !errors.Is(err, storage.ErrNoValidSnapshot) || !errors.Is(err, storage.ErrDamaged) {
		t.Fatal(err)
	}
}

func TestLogsWithoutASnapshot(t *testing.T) {
	d, opts := goldenDisk(t, "apache-3.9.4")
	for _, name := range []string{"snapshot.0", "snapshot.21", "snapshot.4e"} {
		if err := d.Remove("/data/version-2/" + name); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := load(opts); !errors.Is(err, storage.ErrNoSnapshot) {
		t.Fatal(err)
	}
	opts.TrustEmpty = true
	m, l, err := load(opts)
	if err != nil || l.Replayed != 0x50 || len(m.entries) != 0x50 || l.Fresh {
		t.Fatalf("%+v, %v", l, err)
	}
}

func TestAMissingLogIsRefused(t *testing.T) {
	d, opts := goldenDisk(t, "apache-3.9.4")
	for _, name := range []string{"snapshot.4e", "log.22"} {
		if err := d.Remove("/data/version-2/" + name); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := load(opts)
	var de *storage.DamageError
	if !errors.As(err, &de) || de.After != 0x21 || de.Before != 0x4f {
		t.Fatal(err)
	}
}

func TestEmptyLastLogIsRemoved(t *testing.T) {
	for what, content := range map[string][]byte{
		"empty": {}, "zeros": make([]byte, 5000), "half a header": []byte("ZKLG\x00\x00"),
		"header":           []byte("ZKLG\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00"),
		"header and zeros": append([]byte("ZKLG\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 700)...),
	} {
		d, opts := goldenDisk(t, "apache-3.9.4")
		if err := d.SetContent("/data/version-2/log.51", content); err != nil {
			t.Fatal(err)
		}
		_, l, err := load(opts)
		if err != nil || l.LastZxid != 0x50 {
			t.Fatalf("%s: %+v, %v", what, l, err)
		}
		if _, err := d.Stat("/data/version-2/log.51"); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s: still there: %v", what, err)
		}
	}
}
