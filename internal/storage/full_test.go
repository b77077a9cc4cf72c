package storage_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
)

// TestNoRoomAhead has a log on a disk without room for what shall be allocated:
// it is written all the same, and says so once.
func TestNoRoomAhead(t *testing.T) {
	disk := sim.NewDisk()
	disk.SetCapacity(8 << 20)
	var out bytes.Buffer // of the log's goroutine, until the store is closed
	opts := storage.Options{FS: disk, Dirs: diskDirs, Preallocate: 64 << 20, Logger: slog.New(slog.NewTextHandler(&out, nil))}
	s, _, _ := openLoaded(t, opts)
	if _, err := s.WriteSnapshot(context.Background(), newModel(0, 0)); err != nil {
		t.Fatal(err)
	}
	const records = 2000
	for zxid := int64(1); zxid <= records; zxid++ {
		appendBatch(t, s.Log(), zxid, 100)
	}
	s.Close()
	if n := strings.Count(out.String(), "level=WARN"); n != 1 || !strings.Contains(out.String(), "no room for a log of 67108864 bytes") {
		t.Errorf("%d warnings: %.1000s", n, out.String())
	}
	s, m, _ := openLoaded(t, opts)
	defer s.Close()
	if len(m.entries) != records {
		t.Errorf("%d of %d records are there", len(m.entries), records)
	}
}
