package storage_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/txn"
)

// goldens are data directories that Apache's servers left, see testdata/make.sh.
var goldens = []struct {
	dir      string
	digest   bool // of the tree, in snapshots
	lastZxid bool // in snapshots
}{
	{"apache-3.9.4", true, true},
	{"apache-3.9.4-gz", true, true},
	{"apache-3.9.4-snappy", true, true},
	{"apache-3.8.4", true, false},
	{"apache-3.5.10", false, false},
}

// goldenDisk is a simulated disk with the files of a golden directory.
func goldenDisk(t testing.TB, dir string) (*sim.Disk, storage.Options) {
	t.Helper()
	d := sim.NewDisk()
	opts := storage.Options{FS: d, Dirs: storage.Dirs{Data: "/data"}}
	if err := d.MkdirAll("/data/version-2", 0o755); err != nil {
		t.Fatal(err)
	}
	src := filepath.Join("testdata", dir, "version-2")
	files, err := os.ReadDir(src)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(src, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.SetContent("/data/version-2/"+f.Name(), b); err != nil {
			t.Fatal(err)
		}
	}
	return d, opts
}

// load loads a disk without anything else.
func load(opts storage.Options) (*model, storage.Loaded, error) {
	s, err := storage.Open(opts)
	if err != nil {
		return nil, storage.Loaded{}, err
	}
	m := &model{}
	l, err := s.Load(context.Background(), m, m.apply)
	return m, l, errors.Join(err, s.Close())
}

func TestApacheDirectoriesLoad(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.dir, func(t *testing.T) {
			_, opts := goldenDisk(t, g.dir)
			m, l, err := load(opts)
			if err != nil {
				t.Fatal(err)
			}
			// Between the snapshot and the end: the last client's session and node.
			if m.zxid != 0x4e || l.LastZxid != 0x50 || l.Replayed != 2 || len(l.BadSnapshots) != 0 || l.CutBytes != 0 {
				t.Errorf("%+v of snapshot %+v", l, m.info)
			}
			if len(m.nodes) != 42 || len(m.sessions) != 3 || m.info.Nodes != 42 || m.info.Sessions != 3 {
				t.Errorf("%d nodes, %d sessions", len(m.nodes), len(m.sessions))
			}
			if m.info.HasDigest != g.digest || m.info.HasLastZxid {
				t.Errorf("digest %v, last zxid %v", m.info.HasDigest, m.info.HasLastZxid)
			}
			if g.digest && (m.digest.Zxid != 0x4e || m.digest.Version != txn.DigestVersion) {
				t.Errorf("%+v", m.digest)
			}
			var tx txn.Txn
			for _, e := range m.entries {
				if err := txn.Decode([]byte(e), &tx); err != nil || tx.HasDigest != g.digest {
					t.Errorf("%+v, %v", tx, err)
				}
			}
		})
	}
}

// TestSnapshotsAreWrittenAsApacheDoes decodes Apache's snapshots, encodes what
// they hold and wants the same bytes.
func TestSnapshotsAreWrittenAsApacheDoes(t *testing.T) {
	for _, g := range goldens {
		for _, name := range []string{"snapshot.0", "snapshot.21", "snapshot.4e"} {
			d, opts := goldenDisk(t, g.dir)
			zxid, c, err := goldenSnapshot(d, name)
			if err != nil {
				continue // not in this directory
			}
			packed, err := d.Content("/data/version-2/" + storage.SnapshotName(zxid, c))
			if err != nil {
				t.Fatal(err)
			}
			m := &model{}
			info := storage.SnapshotInfo{Path: name, Zxid: zxid, Compression: c}
			if err := storage.DecodeSnapshot(context.Background(), bytes.NewReader(packed), &info, 1<<20, m); err != nil {
				t.Fatalf("%s %s: %v", g.dir, name, err)
			}
			if info.HasLastZxid != g.lastZxid || g.lastZxid && info.LastZxid != zxid {
				t.Errorf("%s %s says that its last zxid is 0x%x (%v)", g.dir, name, info.LastZxid, info.HasLastZxid)
			}
			want := expand(t, packed, c)
			var got bytes.Buffer
			plain := storage.SnapshotInfo{}
			if err := storage.EncodeSnapshot(&got, m, &plain, g.digest, g.lastZxid); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s %s: written again it has %d bytes, %d before", g.dir, name, got.Len(), len(want))
			}
			_ = opts
		}
	}
}

// TestASnapshotWrittenWhileTransactionsWereApplied: the logs after the zxid in
// its name complete it, although it says a later one itself.
func TestASnapshotWrittenWhileTransactionsWereApplied(t *testing.T) {
	_, opts := goldenDisk(t, "apache-3.9.4-fuzzy")
	m, l, err := load(opts)
	if err != nil {
		t.Fatal(err)
	}
	if m.zxid != 0x8e4 || m.info.HasLastZxid || m.digest.Zxid != 0x956 || l.LastZxid != 0x982 || storage.EntryZxid([]byte(m.entries[0])) != 0x8e5 {
		t.Fatalf("%+v of %+v", l, m.info)
	}
}

func goldenSnapshot(d *sim.Disk, name string) (int64, storage.Compression, error) {
	for _, c := range []storage.Compression{storage.None, storage.Gzip, storage.Snappy} {
		zxid, _, _ := storage.ParseSnapshotName(name)
		if _, err := d.Stat("/data/version-2/" + storage.SnapshotName(zxid, c)); err == nil {
			return zxid, c, nil
		}
	}
	return 0, "", os.ErrNotExist
}

func expand(t *testing.T, packed []byte, c storage.Compression) []byte {
	t.Helper()
	b, err := storage.Expand(packed, c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRecordsAreFramedAsApacheDoes frames the entries of Apache's logs again.
func TestRecordsAreFramedAsApacheDoes(t *testing.T) {
	for _, g := range goldens {
		d, _ := goldenDisk(t, g.dir)
		for _, name := range []string{"log.1", "log.22", "log.4f"} {
			file, err := d.Content("/data/version-2/" + name)
			if err != nil {
				continue // not in this directory
			}
			if len(recordsOf(file)) == 0 {
				t.Fatalf("%s %s has no records", g.dir, name)
			}
			var again []byte
			for _, r := range recordsOf(file) {
				again = frame(again, r.entry)
			}
			if !bytes.HasPrefix(file[16:], again) || len(bytes.Trim(file[16+len(again):], "\x00")) > 0 {
				t.Errorf("%s %s differs", g.dir, name)
			}
		}
	}
}

// record is where a record of a log lies.
type record struct {
	off, end int
	entry    []byte
}

// recordsOf is a second, dumb reader of logs.
func recordsOf(file []byte) []record {
	var list []record
	for off := 16; off+12 < len(file); {
		n := int(binary.BigEndian.Uint32(file[off+8:]))
		if n == 0 {
			break
		}
		end := off + 12 + n + 1
		list = append(list, record{off, end, file[off+12 : end-1]})
		off = end
	}
	return list
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"log.1": "log 1", "log.ffffffffff": "log ffffffffff", "log.": "", "log": "", "log.x": "", "log.1.gz": "", "log.-1": "",
		"snapshot.0": "snapshot 0 ", "snapshot.1a.gz": "snapshot 1a gz", "snapshot.1a.snappy": "snapshot 1a snappy",
		"snapshot.1a.tmp": "", "snapshot.1a.gz.tmp": "", "tmp.snapshot.1": "", "snapshot": "", "snapshots.1": "",
	} {
		got := ""
		if z, ok := storage.ParseLogName(name); ok {
			got = fmt.Sprintf("log %x", z)
		} else if z, c, ok := storage.ParseSnapshotName(name); ok {
			got = fmt.Sprintf("snapshot %x %s", z, c)
		}
		if strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
