package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/admin"
	"github.com/quollhq/quoll/internal/listener"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tally"
	"github.com/quollhq/quoll/internal/zab"
)

// adminDrain is how long requests to the admin server may take to finish when
// the server stops.
const adminDrain = 200 * time.Millisecond

// operations is the operators' side of a server.
type operations struct {
	*admin.Admin
	slowSyncs atomic.Int64
}

// startAdmin opens the admin server, before there is anything to show, so that
// probes see the server load its data.
func (s *Server) startAdmin(ctx context.Context) error {
	s.ops.Admin = admin.New(admin.Options{Config: &s.cfg, Logger: s.log, Version: versionLine(), Began: s.begin})
	return s.ops.Start(ctx)
}

// showNode lets operators see the server that now serves.
func (s *Server) showNode() {
	s.ops.SetNode(&admin.Node{Engine: s.engine, Listener: s.listener, Host: host{s}, Mode: s.mode})
}

// mode is the server's role.
func (s *Server) mode() string {
	if s.member == nil {
		return "standalone"
	}
	return s.member.machine.mode()
}

// stopAdmin ends the admin server first: what it does needs the others.
func (s *Server) stopAdmin() {
	if s.ops.Admin == nil {
		return
	}
	s.ops.SetNode(nil)
	ctx, cancel := context.WithTimeout(context.Background(), adminDrain)
	defer cancel()
	s.ops.Close(ctx)
}

// AdminAddr is the address of the admin server, nil before Start or without one.
func (s *Server) AdminAddr() net.Addr {
	if s.ops.Admin == nil {
		return nil
	}
	return s.ops.Addr()
}

// noteSync counts syncs of the log, and those that took too long. There are none
// before there is an engine.
func (s *Server) noteSync(took time.Duration) {
	s.engine.Metrics.SyncTime.Add(1, took)
	if took > s.cfg.Storage.FsyncWarning {
		s.ops.slowSyncs.Add(1)
	}
}

// versionLine is the version as Apache's tools look for it: the version whose
// behaviour this is, up to the first dash, then what this is, and its date.
func versionLine() string {
	var revision, date string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = "-" + s.Value[:min(len(s.Value), 12)]
			case "vcs.time":
				if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
					date = javaMinute(t)
				}
			}
		}
	}
	if date == "" {
		date = programDate()
	}
	return fmt.Sprintf("%s-quoll-%s%s, built on %s", ZooKeeperVersion, Version(), revision, date)
}

// programDate is when the program's file was written.
func programDate() string {
	path, err := os.Executable()
	if err != nil {
		return javaMinute(time.Unix(0, 0))
	}
	info, err := os.Stat(path)
	if err != nil {
		return javaMinute(time.Unix(0, 0))
	}
	return javaMinute(info.ModTime())
}

func javaMinute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// host is the server as the admin room sees it.
type host struct{ s *Server }

// errNotInForce is for a member whose state may hold what was never committed.
var errNotInForce = errors.New("this member of the ensemble has no leader: its state is not in force")

// Snapshot is admin.Host's.
func (h host) Snapshot(ctx context.Context) (admin.Snapshot, error) {
	if e := h.s.engine; !e.Serving() || e.ReadsOnly() {
		return admin.Snapshot{}, errNotInForce
	}
	info, err := h.s.snapshots.Take(ctx, h.s.engine.Freeze)
	return snapshotOf(&info), err
}

func snapshotOf(info *storage.SnapshotInfo) admin.Snapshot {
	return admin.Snapshot{Path: info.Path, Zxid: info.Zxid, Time: info.ModTime, Size: info.Size}
}

// LastSnapshot is admin.Host's.
func (h host) LastSnapshot() (admin.Snapshot, bool) {
	last, _ := h.s.snapshots.newest()
	if last == nil {
		return admin.Snapshot{}, false
	}
	return snapshotOf(last), true
}

// SnapshotError is admin.Host's.
func (h host) SnapshotError() error {
	_, err := h.s.snapshots.newest()
	return err
}

// SnapshotTime is admin.Host's.
func (h host) SnapshotTime() tally.LatencyView { return h.s.snapshots.times.View() }

// Restore is admin.Host's.
func (h host) Restore(ctx context.Context, r io.Reader) (int64, error) { return h.s.restore(ctx, r) }

// HandOver is admin.Host's.
func (h host) HandOver(ctx context.Context) (int64, error) {
	if h.s.member == nil {
		return 0, errAlone
	}
	m := h.s.member.machine
	leader, err := m.handOver(ctx)
	if errors.Is(err, zab.ErrNotLeading) {
		if seat, ok := m.seat(); ok && seat.Leader != seat.ID {
			other, _ := seat.Membership.Find(seat.Leader)
			err = fmt.Errorf("%w; ask the one that does: server.%d=%s", err, seat.Leader, other)
		}
	}
	return leader, err
}

// Feed is admin.Host's.
func (h host) Feed(ctx context.Context) admin.Feed {
	if h.s.member == nil {
		return admin.Feed{}
	}
	return h.s.member.machine.feed(ctx)
}

// Seat is admin.Host's.
func (h host) Seat() (admin.Seat, bool) {
	if h.s.member == nil {
		return admin.Seat{}, false
	}
	return h.s.member.machine.seat()
}

// Ensemble is admin.Host's.
func (h host) Ensemble() *peer.Metrics {
	if h.s.member == nil {
		return nil
	}
	return &h.s.member.machine.peer.Metrics
}

// Recount is admin.Host's.
func (h host) Recount(ctx context.Context) error {
	if h.s.member == nil {
		return nil
	}
	return h.s.member.machine.peer.Recount(ctx)
}

// Ports is admin.Host's.
func (h host) Ports() (client, secure int) {
	client, secure = -1, -1
	for _, sock := range h.s.sockets.all() {
		addr, ok := sock.Addr().(*net.TCPAddr)
		switch {
		case !ok:
		case sock.mode == listener.Secure:
			secure = addr.Port
		default:
			client = addr.Port
		}
	}
	return client, secure
}

// Dirs is admin.Host's.
func (h host) Dirs() (snapshots, logs string) { return h.s.store.SnapshotDir(), h.s.store.LogDir() }

// Startup is admin.Host's.
func (h host) Startup() admin.Startup {
	l := &h.s.loaded
	st := admin.Startup{LogTime: l.ReplayTime, Transactions: l.Replayed}
	if l.Snapshot != nil {
		st.SnapshotTime = l.Snapshot.Elapsed
	}
	return st
}

// SlowSyncs is admin.Host's.
func (h host) SlowSyncs() int64 { return h.s.ops.slowSyncs.Load() }
