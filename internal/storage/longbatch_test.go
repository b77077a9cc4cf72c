package storage_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
)

// TestPowerLossDuringALongBatch interrupts a batch that is longer than what a
// start looks for behind a broken record: that is no damage.
func TestPowerLossDuringALongBatch(t *testing.T) {
	// Among these seeds is one whose power loss spares the end and not the begin.
	const records, size = 36, 1 << 19 // 18 MiB
	for seed := uint64(14); seed < 18; seed++ {
		disk := sim.NewDisk()
		opts := storage.Options{FS: disk, Dirs: diskDirs, Preallocate: -1}
		st, _, _ := openLoaded(t, opts)
		if _, err := st.WriteSnapshot(context.Background(), newModel(0, 0)); err != nil {
			t.Fatal(err)
		}
		appendBatch(t, st.Log(), 1, 100)
		var batch []byte
		for zxid := range int64(records) {
			batch = frame(batch, testEntry(2+zxid, size))
		}
		if err := st.Log().Append(batch, 2, 1+records, records); err != nil {
			t.Fatal(err)
		}
		disk.SetFault(powerOffAt(disk.Ops()))
		if err := st.Log().Sync(); !errors.Is(err, sim.ErrPower) {
			t.Fatalf("sync without power: %v", err)
		}
		st.Close()
		disk.Crash(rand.New(rand.NewPCG(seed, 1)))

		st, err := storage.Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		m := &model{}
		l, err := st.Load(context.Background(), m, m.apply)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		} else if l.LastZxid < 1 || l.LastZxid > 1+records || int64(len(m.entries)) != l.LastZxid {
			t.Errorf("seed %d: loaded %d transactions up to 0x%x", seed, len(m.entries), l.LastZxid)
		}
		st.Close()
	}
}
