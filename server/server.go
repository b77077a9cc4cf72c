// Package server is a quoll server to be embedded: a configuration in, Run.
//
//	s, err := server.New(server.Options{File: "zoo.cfg"})
//	if err != nil { ... }
//	err = s.Run(ctx)
//
// It wires the rooms of the server together; what they do is theirs.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/audit"
	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/listener"
	"github.com/quollhq/quoll/internal/logline"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/watch"
)

// A server that is told to stop may take so long to answer what its clients have
// asked for, and to end their connections, with that.
const (
	answerTime = 400 * time.Millisecond
	drainTime  = 700 * time.Millisecond
)

// maxOutbox is how many bytes of watch events may wait for a client that does
// not read them, until its connection is closed.
const maxOutbox = 64 << 20

// Options say how a server is configured. The zero value is a server with data
// in ./quoll-data, clients on port 2181 and the admin server on port 8080.
type Options struct {
	// File is the path of a zoo.cfg, empty for none.
	File string
	// Settings override the file, by the names of zoo.cfg.
	Settings map[string]string
	// Env is the environment to read QUOLL_*, SERVER_JVMFLAGS and JVMFLAGS
	// from, as os.Environ gives it; nil for none.
	Env []string
	// Logger gets the server's log; nil makes one from the settings that
	// writes to Output.
	Logger *slog.Logger
	// Ready is called once the server serves; it may be nil.
	Ready func()
	// Output is where the log goes without a Logger; nil is standard error.
	Output io.Writer
}

// Server is one quoll server.
type Server struct {
	cfg   config.Config
	log   *slog.Logger
	begin time.Time
	ready func() // may be nil
	clock clock
	audit *audit.Logger // nil if it is off

	store     *storage.Store
	loaded    storage.Loaded
	sessions  *session.Tracker
	watches   *watch.Manager
	auth      *auth.Registry
	sasl      func(auth.Peer) auth.Exchange // nil without SASL
	engine    *request.Engine
	listener  *listener.Listener
	snapshots *snapshots
	member    *member // nil if the server runs alone
	ops       operations

	sockets sockets
	tasks   sync.WaitGroup
	stop    context.CancelFunc
	once    sync.Once   // Close
	ran     atomic.Bool // it has served
}

// New reads and checks the configuration. It touches neither disk nor network
// beyond that. The error joins all that is wrong; what only deserves a warning
// is in the log then, too.
func New(o Options) (*Server, error) {
	cfg, warnings, err := config.Load(config.Sources{File: o.File, Env: o.Env, Flags: o.Settings})
	log := o.Logger
	if log == nil {
		out := o.Output
		if out == nil {
			out = os.Stderr
		}
		log = newLogger(cfg.Log, out)
	}
	for _, w := range warnings {
		log.Warn(w.String())
	}
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: log, begin: time.Now(), clock: clock{time.Now()}, ready: o.Ready}
	s.sockets.client = cfg.Listen.Client
	return s, nil
}

func newLogger(c config.Log, out io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: readable}))
	}
	return logline.New(out, level)
}

// readable writes durations as the text format does, with their unit.
func readable(groups []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return logline.Attr(groups, a)
}

// announce logs what is about to start.
func (s *Server) announce() {
	file := s.cfg.File
	if file == "" {
		file = "none"
	}
	what := []any{"version", Version(), "speaks", ZooKeeperVersion, "file", file}
	if s.cfg.Distributed() {
		var members []string
		for _, m := range s.cfg.Ensemble.Membership.Members {
			members = append(members, fmt.Sprintf("server.%d=%s", m.ID, m))
		}
		what = append(what, "myid", s.cfg.MyID, "members", members)
	}
	s.log.Info("starting", what...)
}

// Distributed tells whether the server is a member of an ensemble, and not alone.
func (s *Server) Distributed() bool { return s.cfg.Distributed() }

// Run serves until ctx is done, then ends in an orderly way. The error says
// why it could not start, or what ended it before; it is in the log, too.
func (s *Server) Run(ctx context.Context) error {
	err := s.Start(ctx)
	if err != nil {
		if asked := ctx.Err(); asked != nil && errors.Is(err, asked) {
			return nil
		}
		return err
	}
	select {
	case <-ctx.Done():
		s.log.Info("stopping", "reason", context.Cause(ctx))
	case err = <-s.Failed():
		s.log.Error("stopping: "+s.failure()+"; what was acknowledged is safe", "error", err)
	}
	s.Close()
	return err
}

// ErrStarted is what a Server that was started before answers to Start: each
// serves once.
var ErrStarted = errors.New("server was started before")

// Start loads the data and serves in the background, until Close or until ctx
// is done; Close is due in both cases. After an error nothing is left running.
func (s *Server) Start(ctx context.Context) error {
	if s.stop != nil {
		return ErrStarted
	}
	outer := ctx
	ctx, s.stop = context.WithCancel(ctx)
	s.announce()
	if err := s.start(ctx); err != nil {
		if asked := outer.Err(); asked != nil && errors.Is(err, asked) {
			s.log.Info("stopping before anybody was served", "reason", context.Cause(outer))
		} else {
			s.log.Error("the server cannot start", "error", err)
		}
		s.Close()
		return err
	}
	return nil
}

// Failed yields why a server that was started can go on no longer: its log
// could not be written, or the member of an ensemble has ended. Close is due
// then. It is nil before Start; Run looks at it by itself.
func (s *Server) Failed() <-chan error {
	switch {
	case s.engine == nil:
		return nil
	case s.member != nil:
		return s.member.ends
	}
	return s.engine.Failed()
}

// failure says what Failed is about.
func (s *Server) failure() string {
	if s.member != nil {
		return "this member of the ensemble cannot go on"
	}
	return "the transaction log cannot be written"
}

func (s *Server) start(ctx context.Context) error {
	if err := s.startAdmin(ctx); err != nil {
		return err
	}
	if err := s.setupAuth(); err != nil {
		return err
	}
	if err := s.setupSASL(); err != nil {
		return err
	}
	if err := s.checkDirs(); err != nil { // rather than with the first write
		return err
	}
	prepare := s.standAlone
	if s.cfg.Distributed() {
		prepare = s.joinEnsemble
	}
	if err := prepare(ctx); err != nil {
		return err
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	znodes := s.znodes() // before anybody changes it
	s.serve(ctx)
	s.ran.Store(true)
	s.audit.ServerStart(audit.Success)
	ready := "ready"
	if s.member != nil { // clients are served under a leader
		ready = "ready to take part in the ensemble"
	}
	s.log.Info(ready, "took", time.Since(s.begin).Round(time.Millisecond), "zxid", fmt.Sprintf("0x%x", s.engine.Zxid()),
		"znodes", znodes, "clients", s.addresses())
	if s.ready != nil {
		s.ready()
	}
	return nil
}

// standAlone makes a server without others.
func (s *Server) standAlone(ctx context.Context) error {
	loaded, err := s.load(ctx)
	if err != nil {
		return err
	}
	s.assemble(ctx, loaded, nil)
	if s.loaded.Fresh {
		if _, err := s.snapshots.write(s.engine.Freeze()); err != nil {
			return fmt.Errorf("first snapshot: %w", err)
		}
	}
	return nil
}

func (s *Server) znodes() int {
	s.engine.Tree.RLock(0)
	defer s.engine.Tree.RUnlock(0)
	return s.engine.Tree.NodeCount()
}

// load opens the disk and rebuilds the state.
func (s *Server) load(ctx context.Context) (*state, error) {
	store, err := storage.Open(s.storageOptions())
	if err != nil {
		return nil, err
	}
	s.store = store
	st := newState(s.treeOptions(), s.log)
	start := time.Now()
	loaded, err := store.Load(ctx, st, st.apply)
	if err != nil {
		return nil, err
	}
	if st.tree == nil {
		st.tree = tree.New(st.opts)
	}
	s.noteLoaded(loaded, st.tree.NodeCount(), time.Since(start))
	return st, nil
}

// noteLoaded tells operators what was found on the disk.
func (s *Server) noteLoaded(l storage.Loaded, znodes int, took time.Duration) {
	s.loaded = l
	s.log.Info("data loaded", "dir", s.cfg.Data.Dir, "snapshot", l.SnapshotPath(), "replayed", l.Replayed,
		"znodes", znodes, "took", took.Round(time.Millisecond))
}

func (s *Server) storageOptions() storage.Options {
	c := &s.cfg
	pre := c.Storage.PreAlloc
	if pre <= 0 {
		pre = -1
	}
	return storage.Options{
		Dirs:   storage.Dirs{Data: c.Data.Dir, Log: c.Data.LogDir},
		Logger: s.log, Preallocate: pre, LogSizeLimit: c.Storage.LogSizeLimit,
		NoSync: !c.Storage.ForceSync, SlowSync: c.Storage.FsyncWarning, OnSync: s.noteSync,
		Compression: storage.Compression(c.Storage.Compression), NoDigest: !c.Storage.Digest,
		NoLastZxid: !c.Storage.LastProcessedZxid, NoDirCreate: !c.Data.AutoCreate,
		NoDBCreate: !c.Data.DBAutoCreate, TrustEmpty: c.Storage.TrustEmpty,
		MaxEntry: s.maxEntry(),
	}
}

// maxEntry is the longest transaction, in bytes, that is written and read.
func (s *Server) maxEntry() int {
	return max(int(s.cfg.Storage.JuteMaxBuffer+s.cfg.Storage.JuteExtra), storage.DefaultMaxEntry)
}

// assemble builds the engine over the loaded state.
// ensemble is nil for a server that is alone.
func (s *Server) assemble(ctx context.Context, st *state, ensemble request.Ensemble) {
	c := &s.cfg
	now := s.clock.Now()
	s.audit = s.newAudit()
	s.sessions = session.NewTracker(int32(c.TickTime.Milliseconds()), now)
	for id, timeout := range st.sessions {
		s.sessions.Commit(id, timeout, now)
	}
	s.watches = watch.New()
	s.snapshots = newSnapshots(ctx, s.store, s.log, c.Storage.Digest)
	s.snapshots.loaded(s.loaded.Snapshot)
	s.engine = request.New(request.Options{
		Tree: st.tree, Watches: s.watches, Sessions: s.sessions, Auth: s.auth,
		Log: s.store.Log(), Logger: s.log, Now: time.Now,
		Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), Live: st.sessions,
		DigestEnabled: c.Storage.Digest, ExtendedTypes: c.Tree.ExtendedTypes,
		ReconfigEnabled: c.Ensemble.Reconfig, LeaderRefuses: !c.Ensemble.Leader.Serves, EnforceQuota: c.Limits.EnforceQuota,
		CloseSessionTxn: c.Session.CloseTxn, OutstandingLimit: c.Limits.Outstanding,
		MaxInFlight: 64 << 20, MaxEntry: min(s.maxEntry(), 1<<30),
		SnapCount: c.Storage.SnapCount, SnapSize: c.Storage.SnapSizeLimit, Snapshots: s.snapshots, Logged: int(s.loaded.Replayed),
		Audit: s.audit, AuditClient: s.auditClient,
		LocalSessions: request.LocalSessions{Enabled: c.Session.Local, Upgrading: c.Session.LocalUpgrading, Server: c.MyID},
		QuotaExceeded: s.ops.QuotaExceeded, Ensemble: ensemble, Clock: s.clock.Now,
		Differs:       s.differs,
		SessionClosed: func(id int64) { s.listener.CloseSession(id, "session expired") },
	})
	s.listener = listener.New(s.listenerOptions())
}

// differs tells whether a difference from the ensemble's state is acted upon.
func (s *Server) differs(*request.Difference) bool {
	return s.member != nil && s.member.machine.resyncDue()
}

func (s *Server) listenerOptions() listener.Options {
	c := &s.cfg
	return listener.Options{
		Engine: s.engine, Sessions: s.sessions, Auth: s.auth, Policy: s.auth.Policy(),
		IDs:  session.NewIDs(c.SessionServerID(), time.Now().UnixMilli()),
		Gate: s.newGate(), Throttle: s.newThrottle(), Clock: s.clock.Now, Logger: s.log, SASL: s.sasl,
		MaxFrame: int(c.Storage.JuteMaxBuffer), Linearizable: c.Ensemble.LinearizableReads,
		MinTimeout: int32(c.Session.MinTimeout.Milliseconds()), MaxTimeout: int32(c.Session.MaxTimeout.Milliseconds()),
		FourLetter:       s.ops.FourLetter,
		HandshakeTimeout: c.Listen.SessionlessTimeout, X509Scheme: c.Auth.X509Provider,
		HandshakeLimit: max(c.Listen.HandshakeLimit, 0), MaxOutbox: maxOutbox, KeepAlive: c.Listen.KeepAlive,
	}
}

// serve starts everything that runs in the background.
func (s *Server) serve(ctx context.Context) {
	s.engine.Start()
	if s.member == nil {
		s.buryOrphans()
	}
	s.task(func() { s.engine.RunExpiry(ctx, s.clock.Now) })
	s.task(func() {
		s.engine.RunReaper(ctx, request.ReaperOptions{
			Interval: s.cfg.Containers.CheckInterval, MaxPerMinute: s.cfg.Containers.MaxPerMinute,
			MaxNeverUsed: s.cfg.Containers.MaxNeverUsed,
		})
	})
	s.task(func() { s.engine.RunQuiet(ctx, time.Second) })
	s.task(func() { s.runPurge(ctx) })
	s.showNode()
	s.acceptAll()
}

// buryOrphans removes ephemerals whose session is gone: a server that was
// stopped between the two leaves such.
func (s *Server) buryOrphans() {
	var orphans []int64
	t := s.engine.Tree
	t.RLock(0)
	t.EphemeralOwners(func(id int64, _ int) bool {
		if s.sessions.Get(id) == nil {
			orphans = append(orphans, id)
		}
		return true
	})
	t.RUnlock(0)
	for _, id := range orphans {
		sess, _ := s.sessions.Track(id, int32(s.cfg.Session.MinTimeout.Milliseconds()), s.clock.Now())
		if err := s.engine.CloseSession(sess); err != nil {
			return
		}
	}
}

func (s *Server) task(f func()) {
	s.tasks.Add(1)
	go func() {
		defer s.tasks.Done()
		f()
	}()
}

// Close ends the server in the order in which nothing is lost: no new
// requests, then those in flight, then the disk. Further calls wait for the
// first and do nothing.
func (s *Server) Close() { s.once.Do(s.close) }

// drain lets clients have the answers that they are due.
func (s *Server) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	s.listener.Drain(ctx)
}

func (s *Server) close() {
	if s.ran.Load() {
		s.audit.ServerStop()
	}
	s.stopAdmin()
	if s.stop != nil {
		s.stop()
	}
	if s.member != nil && s.ran.Load() {
		s.member.handOver(true)
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if s.listener != nil {
		s.drain(ctx)
		if err := s.listener.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			s.log.Warn("closing connections", "error", err)
		}
	}
	s.sockets.close()
	if s.member != nil {
		if s.snapshots != nil {
			s.snapshots.close() // the peer closes the store
		}
		s.member.leave()
	}
	if s.engine != nil && s.ran.Load() {
		s.engine.Close()
	}
	s.tasks.Wait()
	if s.member == nil && s.snapshots != nil {
		s.snapshots.close()
	}
	if s.store != nil && (s.member == nil || !s.member.runs()) { // a peer closes it itself
		if err := s.store.Close(); err != nil {
			s.log.Warn("closing the data directory", "error", err)
		}
	}
	if s.engine != nil {
		// The collector does not see the memory of the tree and of the watches. It goes
		// with the last who could use it: a request to the admin server may still be
		// under way.
		runtime.AddCleanup(s.engine, func(t *tree.Tree) { t.Close() }, s.engine.Tree)
		runtime.AddCleanup(s.engine, (*watch.Manager).Close, s.engine.Watches)
	}
	s.log.Info("stopped", "ran", time.Since(s.begin).Round(time.Millisecond))
}
