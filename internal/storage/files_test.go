package storage_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
)

// history is a disk with transactions 1 to 30 in logs of ten, and snapshots at
// the given ones.
func history(t *testing.T, snapshots ...int64) (*sim.Disk, storage.Options) {
	t.Helper()
	d := sim.NewDisk()
	opts := storage.Options{FS: d, Dirs: storage.Dirs{Data: "/data"}, Preallocate: -1}
	s, _, _ := openLoaded(t, opts)
	for zxid := int64(0); zxid <= 30; zxid++ {
		if zxid > 0 {
			appendBatch(t, s.Log(), zxid, 50)
		}
		if zxid%10 == 0 {
			if err := s.Log().Roll(); err != nil {
				t.Fatal(err)
			}
		}
		if slices.Contains(snapshots, zxid) {
			if _, err := s.WriteSnapshot(context.Background(), newModel(zxid, 2)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return d, opts
}

func names(t *testing.T, d *sim.Disk) []string {
	t.Helper()
	entries, err := d.ReadDir("/data/version-2")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestPurgeKeepsWhatIsNeeded(t *testing.T) {
	for _, c := range []struct {
		keep int
		want []string
	}{
		{5, []string{"log.1", "log.15", "log.b", "snapshot.0", "snapshot.14", "snapshot.19", "snapshot.5"}},
		{3, []string{"log.1", "log.15", "log.b", "snapshot.14", "snapshot.19", "snapshot.5"}},
		{2, []string{"log.15", "log.b", "snapshot.14", "snapshot.19"}},
		{1, []string{"log.15", "snapshot.19"}},
	} {
		d, opts := history(t, 0, 5, 20, 25)
		s, _, before := openLoaded(t, opts)
		removed, err := s.Purge(context.Background(), c.keep)
		if err != nil {
			t.Fatal(err)
		}
		if got := names(t, d); !slices.Equal(got, c.want) || len(removed) != 7-len(c.want) {
			t.Errorf("keep %d: %v (removed %v), want %v", c.keep, got, removed, c.want)
		}
		if _, l, err := load(opts); err != nil || l.LastZxid != before.LastZxid {
			t.Errorf("keep %d: %+v, %v", c.keep, l, err)
		}
	}
}

func TestPurgeDoesNotCountWhatIsNoSnapshot(t *testing.T) {
	d, opts := history(t, 0, 5, 20)
	if err := d.SetContent("/data/version-2/snapshot.1e", []byte("not a snapshot at all")); err != nil {
		t.Fatal(err)
	}
	s, err := storage.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Purge(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, d), []string{"log.15", "log.b", "snapshot.14", "snapshot.1e"}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
}

func TestABadSnapshotFallsBackIfTheLogsReach(t *testing.T) {
	d, opts := history(t, 0, 20)
	if err := d.FlipBit("/data/version-2/snapshot.14", 50, 3); err != nil {
		t.Fatal(err)
	}
	m, l, err := load(opts)
	if err != nil || m.zxid != 0 || l.Replayed != 30 || len(l.BadSnapshots) != 1 {
		t.Fatalf("%+v, %v", l, err)
	}
	// Without the logs up to it, what it held is lost.
	for _, name := range []string{"log.15", "log.b"} {
		if err := d.Remove("/data/version-2/" + name); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = load(opts)
	var de *storage.DamageError
	if !errors.As(err, &de) || de.After != 10 || de.File != "/data/version-2/snapshot.14" {
		t.Fatal(err)
	}
}

func TestReadFromAZxid(t *testing.T) {
	_, opts := history(t, 0)
	s, _, _ := openLoaded(t, opts)
	defer s.Close()
	appendBatch(t, s.Log(), 31, 10, 20)
	for after := int64(0); after <= 32; after++ {
		r, err := s.Read(after)
		if err != nil {
			t.Fatal(err)
		}
		zxid := after
		for {
			e, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if zxid++; r.Zxid() != zxid || storage.EntryZxid(e) != zxid {
				t.Fatalf("after 0x%x: 0x%x, want 0x%x", after, r.Zxid(), zxid)
			}
		}
		if zxid != 32 {
			t.Fatalf("after 0x%x: ended at 0x%x", after, zxid)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReplayable(t *testing.T) {
	_, opts := history(t, 0)
	s, _, _ := openLoaded(t, opts)
	defer s.Close()
	appendBatch(t, s.Log(), 1<<32|1, 10, 20)
	for _, c := range []struct {
		zxid   int64
		factor float64
		want   bool
	}{
		{1, 1e6, true}, {15, 1e6, true}, {30, 1e6, true}, {1<<32 | 1, 1e6, true},
		{31, 1e6, false}, // of a history that was given up
		{1<<32 | 9, 1e6, false},
		{15, 1e-6, false}, // too much
	} {
		got, err := s.Replayable(c.zxid, c.factor)
		if err != nil || got != c.want {
			t.Errorf("0x%x, factor %v: %v, %v, want %v", c.zxid, c.factor, got, err, c.want)
		}
	}
}

// Zeros at the ends of logs are nothing that a member would be sent: those that a
// server left that was killed, and those that Apache's leaves.
func TestReplayableWithoutZeros(t *testing.T) {
	d, opts := history(t, 0)
	for _, name := range []string{"log.1", "log.b", "log.15"} {
		path := "/data/version-2/" + name
		b, err := d.Content(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.SetContent(path, append(b, make([]byte, 1<<20)...)); err != nil {
			t.Fatal(err)
		}
	}
	opts.Preallocate = 1 << 20
	s, _, _ := openLoaded(t, opts)
	defer s.Close()
	replayable := func() {
		t.Helper()
		for _, c := range []struct {
			zxid   int64
			factor float64
			want   bool
		}{
			{5, 10, true}, {5, 7, false}, // the snapshot has 434 bytes, each log about 1100
			{15, 7, true}, {15, 4, false},
			{25, 4, true}, {25, 2, false},
		} {
			got, err := s.Replayable(c.zxid, c.factor)
			if err != nil || got != c.want {
				t.Errorf("0x%x, factor %v: %v, %v, want %v", c.zxid, c.factor, got, err, c.want)
			}
		}
	}
	replayable()
	appendBatch(t, s.Log(), 31, 10) // ahead of which there are zeros, too
	replayable()
}

func TestReadOfWhatWasPurged(t *testing.T) {
	d, opts := history(t, 0, 25)
	s, _, _ := openLoaded(t, opts)
	defer s.Close()
	if err := d.Remove("/data/version-2/log.1"); err != nil {
		t.Fatal(err)
	}
	r, err := s.Read(3)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); !errors.Is(err, storage.ErrUnavailable) {
		t.Fatal(err)
	}
}

func TestTruncate(t *testing.T) {
	for zxid := int64(5); zxid <= 30; zxid++ {
		d, opts := history(t, 0, 5, 20, 25)
		s, _, _ := openLoaded(t, opts)
		if err := s.Truncate(zxid); err != nil {
			t.Fatal(err)
		}
		m := &model{}
		l, err := s.Load(context.Background(), m, m.apply)
		if err != nil || l.LastZxid != zxid || l.CutBytes != 0 {
			t.Fatalf("to 0x%x: %+v, %v (%v)", zxid, l, err, names(t, d))
		}
		appendBatch(t, s.Log(), zxid+1, 7, 8, 9)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, l, err = load(opts); err != nil || l.LastZxid != zxid+3 {
			t.Fatalf("to 0x%x and on: %+v, %v", zxid, l, err)
		}
	}
}

func TestTruncateToWhatIsNotThere(t *testing.T) {
	d, opts := history(t, 10, 20)
	before := names(t, d)
	s, _, _ := openLoaded(t, opts)
	for _, zxid := range []int64{3, 31, 1 << 32} {
		if err := s.Truncate(zxid); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("to 0x%x: %v", zxid, err)
		}
	}
	if got := names(t, d); !slices.Equal(got, before) {
		t.Fatalf("%v, before %v", got, before)
	}
}

func TestEpochs(t *testing.T) {
	_, opts := history(t, 0)
	s, err := storage.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadEpoch(storage.AcceptedEpoch); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, want := range []int64{0, 1, 1 << 40} {
		if err := s.WriteEpoch(storage.AcceptedEpoch, want); err != nil {
			t.Fatal(err)
		}
		if got, err := s.ReadEpoch(storage.AcceptedEpoch); err != nil || got != want {
			t.Fatalf("%d, %v, want %d", got, err, want)
		}
	}
}

func TestMixedDirectoriesAreRefused(t *testing.T) {
	d, opts := history(t, 0)
	if err := d.MkdirAll("/other/version-2", 0o755); err != nil {
		t.Fatal(err)
	}
	opts.Dirs.Log = "/other"
	if _, err := storage.Open(opts); !errors.Is(err, storage.ErrDirectory) {
		t.Fatal(err)
	}
	opts.Dirs = storage.Dirs{Data: "/other", Log: "/data"}
	if _, err := storage.Open(opts); !errors.Is(err, storage.ErrDirectory) {
		t.Fatal(err)
	}
	opts.Dirs = storage.Dirs{Data: "/none"}
	opts.NoDirCreate = true
	if _, err := storage.Open(opts); !errors.Is(err, storage.ErrDirectory) {
		t.Fatal(err)
	}
}

func TestAnEmptyDatabaseThatIsNotToBeMade(t *testing.T) {
	d := sim.NewDisk()
	opts := storage.Options{FS: d, Dirs: storage.Dirs{Data: "/data"}, NoDBCreate: true}
	if _, l, err := load(opts); err != nil || !l.Fresh || !l.Unknown {
		t.Fatalf("%+v, %v", l, err)
	}
	if err := d.SetContent("/data/initialize", nil); err != nil {
		t.Fatal(err)
	}
	if _, l, err := load(opts); err != nil || !l.Fresh || l.Unknown {
		t.Fatalf("%+v, %v", l, err)
	}
	if _, l, err := load(opts); err != nil || !l.Unknown {
		t.Fatalf("%+v, %v: the file is good for one start", l, err)
	}
}

func TestThePermissionForAnEmptyDatabaseIsTakenByAnyStart(t *testing.T) {
	d, opts := history(t, 3)
	if err := d.SetContent("/data/initialize", nil); err != nil {
		t.Fatal(err)
	}
	opts.NoDBCreate = true
	if _, l, err := load(opts); err != nil || l.Fresh || l.Unknown {
		t.Fatalf("%+v, %v", l, err)
	}
	if _, err := d.Stat("/data/initialize"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is left for the day when the data is lost: %v", err)
	}
}

func TestTheLogRefusesWhatDoesNotFollow(t *testing.T) {
	for _, c := range []struct{ first, last int64 }{{30, 30}, {32, 32}, {31, 30}, {1<<32 | 2, 1<<32 | 2}} {
		_, opts := history(t, 0)
		s, _, _ := openLoaded(t, opts)
		err := s.Log().Append(frame(nil, testEntry(c.first, 1)), c.first, c.last, 1)
		if !errors.Is(err, storage.ErrFinal) {
			t.Errorf("0x%x to 0x%x after 0x1e: %v", c.first, c.last, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	_, opts := history(t, 0)
	s, _, _ := openLoaded(t, opts)
	appendBatch(t, s.Log(), 1<<32|1, 1, 2) // a new epoch
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, l, err := load(opts); err != nil || l.LastZxid != 1<<32|2 {
		t.Fatalf("%+v, %v", l, err)
	}
}

// A record that only a raised jute.maxbuffer lets in is not taken for a torn
// one without it, tools read it, and the message says what to do.
func TestALongRecordNeedsItsLimit(t *testing.T) {
	dir := t.TempDir()
	opts := storage.Options{Dirs: storage.Dirs{Data: dir}, Preallocate: -1, NoSync: true, TrustEmpty: true, MaxEntry: 2 * storage.DefaultMaxEntry}
	s, _, _ := openLoaded(t, opts)
	appendBatch(t, s.Log(), 1, storage.DefaultMaxEntry)
	appendBatch(t, s.Log(), 2, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opts.MaxEntry = 0
	var damage *storage.DamageError
	if _, _, err := load(opts); !errors.As(err, &damage) || !strings.Contains(err.Error(), "more with the jute.maxbuffer that it was written with") {
		t.Errorf("read with the usual limit: %v", err)
	}
	sum, err := storage.ScanLog(context.Background(), storage.OS(), filepath.Join(dir, "version-2", "log.1"), nil)
	if err != nil || sum.Damage != nil || sum.Records != 2 || sum.Last != 2 {
		t.Errorf("a tool finds %+v, %v", sum, err)
	}
	opts.MaxEntry = 2 * storage.DefaultMaxEntry
	if m, l, err := load(opts); err != nil || l.LastZxid != 2 || len(m.entries) != 2 {
		t.Errorf("read with its own limit: %+v, %v", l, err)
	}
}

func TestLogSizeLimit(t *testing.T) {
	d, opts := history(t, 0)
	opts.LogSizeLimit = 1000
	s, _, _ := openLoaded(t, opts)
	for zxid := int64(31); zxid < 40; zxid++ {
		appendBatch(t, s.Log(), zxid, 900)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.Log().Files(); got != 5 {
		t.Errorf("%d files: %v", got, names(t, d))
	}
	if _, l, err := load(opts); err != nil || l.LastZxid != 39 {
		t.Fatalf("%+v, %v", l, err)
	}
}
