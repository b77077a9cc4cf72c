package server

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tally"
)

// snapshots writes snapshots, one at a time: in the background when they are
// due, and when somebody asks.
type snapshots struct {
	store  *storage.Store
	log    *slog.Logger
	digest bool
	failed func(error) // is told why one could not be written; nil for nobody
	size   atomic.Int64
	times  tally.Latency // of those that succeeded

	busy chan struct{} // holds a token while one is being written, and once closed
	ctx  context.Context
	stop context.CancelFunc

	mu   sync.Mutex
	last *storage.SnapshotInfo // the newest, nil if there is none
	err  error                 // why the last one failed
}

func newSnapshots(ctx context.Context, store *storage.Store, log *slog.Logger, digest bool) *snapshots {
	ctx, stop := context.WithCancel(ctx)
	return &snapshots{store: store, log: log, digest: digest, ctx: ctx, stop: stop, busy: make(chan struct{}, 1)}
}

// Due starts a snapshot, unless freeze gives none, or the server ends. It is false if one is being
// written.
func (s *snapshots) Due(freeze func() (request.Frozen, bool)) bool {
	select {
	case s.busy <- struct{}{}:
	default:
		return s.ctx.Err() != nil
	}
	if s.ctx.Err() != nil {
		s.end()
		return true
	}
	f, ok := freeze()
	if !ok {
		s.end()
		return true
	}
	go func() {
		defer s.end()
		if _, err := s.write(f); err != nil {
			s.log.Error("snapshot failed; the transaction logs still hold everything", "error", err)
		}
	}()
	return true
}

// Take writes a snapshot of the state as of now, after one that is being
// written. Ctx bounds only the waiting for that.
func (s *snapshots) Take(ctx context.Context, freeze func() request.Frozen) (storage.SnapshotInfo, error) {
	if err := s.begin(ctx); err != nil {
		return storage.SnapshotInfo{}, err
	}
	defer s.end()
	return s.write(freeze())
}

// begin keeps snapshots from being started until end.
func (s *snapshots) begin(ctx context.Context) error {
	select {
	case s.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

func (s *snapshots) end() { <-s.busy }

// Size is the length of the last snapshot.
func (s *snapshots) Size() int64 { return s.size.Load() }

// write writes a frozen state, which it closes.
func (s *snapshots) write(f request.Frozen) (storage.SnapshotInfo, error) {
	defer f.View.Close()
	start := time.Now()
	info, err := s.store.WriteSnapshot(s.ctx, &frozenSource{f, s.digest})
	took := time.Since(start)
	if err != nil && s.failed != nil {
		s.failed(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err = err; err != nil {
		return info, err
	}
	s.times.Add(1, took)
	s.size.Store(info.Size)
	s.last = &info
	s.log.Info("snapshot written", "file", info.Path, "znodes", info.Nodes, "bytes", info.Size, "took", took)
	return info, nil
}

// loaded notes the snapshot that the server started with.
func (s *snapshots) loaded(info *storage.SnapshotInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = info
	if info != nil {
		s.size.Store(info.Size)
	}
}

// newest is the last snapshot, nil if there is none, and why the last try to
// write one failed.
func (s *snapshots) newest() (*storage.SnapshotInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.err
}

// close waits for a snapshot under way, which is given up.
func (s *snapshots) close() {
	s.stop()
	s.busy <- struct{}{}
}
