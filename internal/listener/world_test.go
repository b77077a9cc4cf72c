package listener

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/throttle"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/watch"
)

// patience is how long a test waits for what has to come; it is not what is
// being tested.
const patience = 20 * time.Second

// memLog is a log without a disk.
type memLog struct {
	gate chan struct{} // if not nil, each sync takes one until release
	open sync.Once
	last atomic.Int64
}

// release lets all syncs pass.
func (l *memLog) release() {
	if l.gate != nil {
		l.open.Do(func() { close(l.gate) })
	}
}

func (l *memLog) Append(_ []byte, first, last int64, _ int) error {
	if before := l.last.Swap(last); first <= before {
		return fmt.Errorf("zxid 0x%x after 0x%x", first, before)
	}
	return nil
}

func (l *memLog) Sync() error {
	if l.gate != nil {
		<-l.gate
	}
	return nil
}

func (*memLog) Roll() error { return nil }

// logText collects what was logged.
type logText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is a listener with an engine behind it and one plain socket.
type world struct {
	*Listener
	t    testing.TB
	log  *logText
	disk *memLog
	sock net.Listener
	now  atomic.Int64 // the sessions' clock, ms
	reg  *auth.Registry
	gate *throttle.Gate
	tree *tree.Tree
}

// setup changes what a world is made of.
type setup struct {
	engine   request.Options
	listener Options
	auth     auth.Options
	gate     throttle.Options
	requests throttle.RequestOptions
	socket   Socket
	disk     *memLog
}

func newWorld(t testing.TB, edit func(*setup)) *world {
	t.Helper()
	before := ours()
	w := &world{t: t, log: &logText{}}
	w.now.Store(1000)
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := &setup{
		disk: &memLog{},
		engine: request.Options{
			DigestEnabled: true, ExtendedTypes: true, CloseSessionTxn: true, EnforceQuota: true,
			OutstandingLimit: 1000, MaxInFlight: 8 << 20, SnapCount: 1 << 30,
		},
		listener: Options{
			MaxFrame: 1 << 20, MinTimeout: 4000, MaxTimeout: 40000, HandshakeTimeout: time.Minute,
			MaxOutbox: 64 << 20, X509Scheme: "x509",
		},
		gate: throttle.Options{
			Large: throttle.LargeOptions{Threshold: -1},
			Now:   w.now.Load, Chance: func() float64 { return 1 },
		},
	}
	if edit != nil {
		edit(s)
	}
	w.disk = s.disk
	s.auth.Logger = log
	var err error
	if w.reg, err = auth.New(s.auth); err != nil {
		t.Fatal(err)
	}
	w.tree = tree.New(tree.Options{ExtendedTypes: true})
	e := &s.engine
	e.Tree, e.Watches, e.Sessions = w.tree, watch.New(), session.NewTracker(1000, w.now.Load())
	e.Auth, e.Log, e.Logger, e.Now, e.Rand = w.reg, s.disk, log, time.Now, rand.New(rand.NewPCG(1, 2))
	e.SessionClosed = func(id int64) { w.CloseSession(id, "session expired") }
	o := &s.listener
	o.Engine, o.Sessions, o.IDs = request.New(*e), e.Sessions, session.NewIDs(1, 1_000_000)
	o.Auth, o.Policy, o.Clock, o.Logger = w.reg, w.reg.Policy(), w.now.Load, log
	w.gate = throttle.NewGate(s.gate)
	o.Gate = w.gate
	o.Throttle = throttle.NewRequests(s.requests, testClock{w})
	w.Listener = New(*o)
	w.Engine.Start()
	if w.sock, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if s.socket.Connections == nil {
		s.socket.Connections = throttle.NewConnections(throttle.ConnectionOptions{})
	}
	go w.Serve(w.sock, s.socket)
	t.Cleanup(func() { w.finish(before) })
	return w
}

type testClock struct{ w *world }

func (c testClock) Now() int64                   { return c.w.now.Load() }
func (c testClock) After(int64) <-chan time.Time { return time.After(time.Millisecond) }

// finish closes everything and looks for what stays behind.
func (w *world) finish(before int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w.disk.release()
	if err := w.Close(ctx); err != nil {
		w.t.Error(err)
	}
	w.Engine.Close()
	await(w.t, "goroutines to end", func() bool { return ours() <= before })
	if n := w.gate.LargeBytes(); n != 0 {
		w.t.Errorf("%d bytes of large requests are still counted", n)
	}
	if n := w.Engine.InFlight(); n != 0 {
		w.t.Errorf("%d writes are still counted as in flight", n)
	}
	if n := w.Throttle.Inside(); n != 0 {
		w.t.Errorf("%d requests still count against the request throttle", n)
	}
	if n := w.Engine.Metrics.DigestMismatches.Load(); n != 0 {
		w.t.Errorf("%d transactions whose predicted digest differs from the tree's", n)
	}
	if err := w.tree.Check(); err != nil {
		w.t.Error(err)
	}
	w.tree.Close()
	w.Engine.Watches.Close()
}

// ours is the number of goroutines that run code of listeners and engines.
func ours() int {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	count := 0
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(g, "listener.(*conn)") || strings.Contains(g, "listener.(*Listener)") ||
			strings.Contains(g, "listener.(*hangups)") || strings.Contains(g, "listener.(*sender)") || strings.Contains(g, "request.(*pipeline)") {
			count++
		}
	}
	return count
}

// await waits until cond is true.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("waited in vain for %s\n%s", what, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
}
