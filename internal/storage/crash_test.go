package storage_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
)

// server is a store under a script of appends, snapshots and purges, which
// knows what it may have written and what it was told is durable.
type server struct {
	disk      *sim.Disk
	opts      storage.Options
	store     *storage.Store
	attempted int64 // the last zxid given to Append
	acked     int64 // the last zxid whose Sync succeeded
	epoch     int64 // the last epoch that was written
	tried     int64 // the last epoch that was to be written
}

var crashSeeds = flag.Int("crash.seeds", 1, "how many seeds the power loss tests run with")

var diskDirs = storage.Dirs{Data: "/srv/data", Log: "/srv/log"}

// crashEntry is the same transaction for a zxid in every run.
func crashEntry(zxid int64) []byte {
	sizes := []int{0, 30, 100, 700, 5000, 12, 450}
	e := testEntry(zxid, sizes[zxid%int64(len(sizes))])
	if zxid%3 == 0 { // data that looks like what was never written
		clear(e[60:max(60, len(e)-4)])
	}
	return e
}

func (s *server) open() (storage.Loaded, error) {
	opts := s.opts
	opts.FS, opts.Dirs = s.disk, diskDirs
	st, err := storage.Open(opts)
	if err != nil {
		return storage.Loaded{}, err
	}
	m := &model{}
	l, err := st.Load(context.Background(), m, m.apply)
	if err != nil {
		return l, err
	}
	s.store = st
	return l, s.check(m, l)
}

// check compares what was loaded with what may have been written.
func (s *server) check(m *model, l storage.Loaded) error {
	if l.LastZxid < s.acked || l.LastZxid > s.attempted {
		return fmt.Errorf("loaded up to 0x%x; acknowledged was 0x%x, attempted 0x%x", l.LastZxid, s.acked, s.attempted)
	}
	if l.Fresh != (m.info == nil) {
		return fmt.Errorf("fresh is %v, snapshot %v", l.Fresh, m.info)
	}
	for i, e := range m.entries {
		if want := crashEntry(m.zxid + int64(i) + 1); e != string(want) {
			return fmt.Errorf("entry %d after snapshot 0x%x differs", i+1, m.zxid)
		}
	}
	if m.zxid+int64(len(m.entries)) != l.LastZxid {
		return fmt.Errorf("snapshot 0x%x and %d entries, but last is 0x%x", m.zxid, len(m.entries), l.LastZxid)
	}
	return nil
}

func (s *server) append(n int) error {
	var b []byte
	first := s.attempted + 1
	for range n {
		s.attempted++
		b = frame(b, crashEntry(s.attempted))
	}
	if err := s.store.Log().Append(b, first, s.attempted, n); err != nil {
		return err
	}
	if err := s.store.Log().Sync(); err != nil {
		return err
	}
	s.acked = s.attempted
	return nil
}

func (s *server) snapshot() error {
	_, err := s.store.WriteSnapshot(context.Background(), newModel(s.acked, int(s.acked)))
	return err
}

func (s *server) writeEpoch() error {
	s.tried++
	if err := s.store.WriteEpoch(storage.CurrentEpoch, s.tried); err != nil {
		return err
	}
	s.epoch = s.tried
	return nil
}

func (s *server) checkEpoch() error {
	e, err := s.store.ReadEpoch(storage.CurrentEpoch)
	if s.epoch == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || e < s.epoch || e > s.tried {
		return fmt.Errorf("epoch %d (%v), written was %d, tried %d", e, err, s.epoch, s.tried)
	}
	return nil
}

// script is what a server does from start to end.
func (s *server) script() error {
	l, err := s.open()
	if err != nil {
		return err
	}
	// What was loaded is served from now on.
	s.acked, s.attempted = l.LastZxid, l.LastZxid
	if err := s.checkEpoch(); err != nil {
		return err
	}
	if l.Fresh {
		if err := s.snapshot(); err != nil {
			return err
		}
	}
	for round := range 4 {
		for _, n := range []int{1, 3, 1, 7, 2} {
			if err := s.append(n); err != nil {
				return err
			}
		}
		if err := s.writeEpoch(); err != nil {
			return err
		}
		if err := s.store.Log().Roll(); err != nil {
			return err
		}
		if round == 2 {
			continue
		}
		if err := s.append(2); err != nil {
			return err
		}
		if err := s.snapshot(); err != nil {
			return err
		}
		if _, err := s.store.Purge(context.Background(), 2); err != nil {
			return err
		}
	}
	return nil
}

// shutDown ends the store as a process does that goes on after a failure.
func (s *server) shutDown() {
	if s.store != nil {
		_ = s.store.Close() // the failure was seen before
		s.store = nil
	}
}

// TestPowerLossAtEveryOperation loses power at the k-th operation on the disk,
// for every k, starts again from what may be left, loses power again at a
// random place, and looks what is there.
func TestPowerLossAtEveryOperation(t *testing.T) {
	for _, c := range []struct {
		name string
		opts storage.Options
	}{
		{"no preallocation", storage.Options{Preallocate: -1}},
		{"preallocation", storage.Options{Preallocate: 24 << 10}},
		{"little preallocation", storage.Options{Preallocate: 2 << 10}},
		{"gz", storage.Options{Preallocate: 24 << 10, Compression: storage.Gzip}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range *crashSeeds {
				for k := 0; ; k++ {
					done, err := powerLossAt(c.opts, k, uint64(seed))
					if err != nil {
						t.Fatalf("power loss at operation %d, seed %d: %v", k, seed, err)
					}
					if done {
						break
					}
				}
			}
		})
	}
}

func powerLossAt(opts storage.Options, k int, seed uint64) (done bool, err error) {
	rng := rand.New(rand.NewPCG(seed, uint64(k)))
	s := &server{disk: sim.NewDisk(), opts: opts}
	for range 3 { // the power may be lost while the loss before is mended
		s.disk.SetFault(powerOffAt(s.disk.Ops() + k))
		err := s.script()
		s.shutDown()
		if err != nil && !errors.Is(err, sim.ErrPower) {
			return false, err
		}
		done = err == nil
		s.disk.Crash(rng)
		if k > 0 {
			k = rng.IntN(k + 1)
		}
	}
	if _, err := s.open(); err != nil {
		return false, err
	}
	s.shutDown()
	return done, nil
}

func powerOffAt(k int) sim.Fault {
	return func(op sim.Op) error {
		if op.N >= k {
			return sim.ErrPower
		}
		return nil
	}
}

// TestAFailureIsFinal lets the k-th operation fail: what was acknowledged is
// there after the next start, and the log takes nothing after its failure.
func TestAFailureIsFinal(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		for k := 0; ; k++ {
			rng := rand.New(rand.NewPCG(3, uint64(k)))
			s := &server{disk: sim.NewDisk(), opts: storage.Options{Preallocate: -1}}
			s.disk.SetFault(func(op sim.Op) error {
				if op.N == k {
					return cause
				}
				return nil
			})
			err := s.script()
			if err == nil {
				break
			}
			if !errors.Is(err, cause) {
				t.Fatalf("operation %d: %v, want %v", k, err, cause)
			}
			if s.store != nil && errors.Is(err, storage.ErrFinal) {
				log := s.store.Log()
				for i, again := range []error{log.Sync(), log.Roll(), s.append(1)} {
					if !errors.Is(again, storage.ErrFinal) || again.Error() != err.Error() {
						t.Fatalf("operation %d, call %d after the failure: %v, want %v", k, i, again, err)
					}
				}
			}
			s.shutDown()
			if k%2 == 0 {
				s.disk.Crash(rng)
			}
			s.disk.SetFault(nil)
			if _, err := s.open(); err != nil {
				t.Fatalf("start after a failure of operation %d: %v", k, err)
			}
			s.shutDown()
		}
	}
}

// TestAFullDiskLosesNothing fills the disk to every level.
func TestAFullDiskLosesNothing(t *testing.T) {
	for capacity := int64(100); ; capacity += 1777 {
		s := &server{disk: sim.NewDisk(), opts: storage.Options{Preallocate: 16 << 10}}
		s.disk.SetCapacity(capacity)
		err := s.script()
		s.shutDown()
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("capacity %d: %v", capacity, err)
		}
		s.disk.SetCapacity(0)
		if _, err := s.open(); err != nil {
			t.Fatalf("start after the disk of %d bytes was full: %v", capacity, err)
		}
		s.shutDown()
	}
}

// TestPowerLossWhileTruncating loses power at every operation of a truncation:
// what is left loads, and the truncation can be done again.
func TestPowerLossWhileTruncating(t *testing.T) {
	for _, zxid := range []int64{5, 10, 13, 22} {
		for k := 0; ; k++ {
			d, opts := history(t, 0, 5, 20, 25)
			s, _, _ := openLoaded(t, opts)
			d.SetFault(powerOffAt(d.Ops() + k))
			err := s.Truncate(zxid)
			if err != nil && !errors.Is(err, sim.ErrPower) {
				t.Fatal(err)
			}
			d.Crash(rand.New(rand.NewPCG(uint64(k), 9)))
			s, _, l := openLoaded(t, opts)
			if l.LastZxid < zxid || l.LastZxid > 30 || err == nil && l.LastZxid != zxid {
				t.Fatalf("to 0x%x, power loss at operation %d: 0x%x is left", zxid, k, l.LastZxid)
			}
			if err := s.Truncate(zxid); err != nil {
				t.Fatalf("to 0x%x again, after power loss at operation %d: %v", zxid, k, err)
			}
			if _, l, err := load(opts); err != nil || l.LastZxid != zxid {
				t.Fatalf("to 0x%x again: %+v, %v", zxid, l, err)
			}
			if err == nil {
				break
			}
		}
	}
}
