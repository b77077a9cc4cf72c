package peer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/peertest"
	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
)

// TestPowerLoss lets a learner lose power at each operation of its disk while it is brought in line, and come back with what
// is left. It must end up with what the leader has.
func TestPowerLoss(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(e *ensemble, late *peertest.Member)
		window  int
	}{
		"state": {func(e *ensemble, late *peertest.Member) {
			e.start(1, 2)
			e.propose(e.leader(), 50)
		}, 10},
		"difference": {func(e *ensemble, late *peertest.Member) {
			e.start(1, 2, 3)
			e.propose(e.leader(), 20)
			late.Stop()
			e.propose(e.leader(), 20)
		}, 500},
		"cut": {func(e *ensemble, late *peertest.Member) {
			e.start(1, 2, 3)
			leader := e.leader()
			e.propose(leader, 20)
			last := leader.Zxid
			for _, m := range e.members {
				m.Stop()
			}
			appendToLog(t, storage.Options{FS: late.FS, Dirs: storage.Dirs{Data: late.Dir}, Preallocate: -1}, peertest.Creates(last+1, 3, []byte("lost")))
			e.start(1, 2)
			e.propose(e.leader(), 20)
		}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnsemble(t, 3, 0)
			for _, m := range e.members {
				m.Configure = func(cfg *peer.Config) { cfg.CommitLog, cfg.ReplayFactor = c.window, -1 }
			}
			late := e.members[2]
			disk := sim.NewDisk()
			late.FS, late.Dir = disk, "/data"
			c.prepare(e, late)
			for k := 0; ; k++ {
				d := disk.Clone()
				late.FS = d
				if !loses(t, e, late, d, k) {
					return // it was in line before
				}
			}
		})
	}
}

// loses runs the member until the k-th operation of its disk, and then again without a fault. It tells whether it came
// so far the first time.
func loses(t *testing.T, e *ensemble, late *peertest.Member, d *sim.Disk, k int) (lost bool) {
	t.Helper()
	first := d.Ops()
	d.SetFault(func(op sim.Op) error {
		if op.N >= first+k {
			return sim.ErrPower
		}
		return nil
	})
	err := late.TryStart(t, e.Watched, e.config)
	if err == nil {
		e.Await("its end, or that it serves", func() bool { return late.Ended || late.Role.Serving() })
		if late.Ended {
			err = late.Wait()
		} else {
			late.Stop()
		}
	}
	if err != nil && !errors.Is(err, sim.ErrPower) {
		t.Fatalf("operation %d: %v", k, err)
	}
	d.SetFault(nil)
	d.Crash(rand.New(rand.NewPCG(uint64(k), 1)))
	late.Start(t, e.Watched, e.config)
	e.leader()
	e.agree()
	late.Stop()
	if t.Failed() {
		t.Fatalf("operation %d", k)
	}
	return err != nil
}

// appendToLog puts transactions behind the log of a member that does not run.
func appendToLog(t testing.TB, opts storage.Options, b peer.Batch) {
	t.Helper()
	store, err := storage.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	state := (&peertest.Machine{}).NewState()
	defer state.Close()
	loaded, err := store.Load(context.Background(), state, state.Apply)
	if err != nil {
		t.Fatal(err)
	}
	entries := b.Entries(nil)
	if err := store.Log().Append(b.Records, loaded.LastZxid+1, entries[len(entries)-1].Zxid, len(entries)); err != nil {
		t.Fatal(fmt.Errorf("append: %w", err))
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
