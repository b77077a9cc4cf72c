package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/listener"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/tally"
	"github.com/quollhq/quoll/internal/throttle"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/internal/watch"
)

// memLog is a log without a disk that can be made to fail.
type memLog struct{ fail error }

func (l *memLog) Append([]byte, int64, int64, int) error { return l.fail }
func (l *memLog) Sync() error                            { return l.fail }
func (l *memLog) Roll() error                            { return nil }

// fakeHost is a server that does what the test says.
type fakeHost struct {
	dir      string
	snap     Snapshot
	err      error
	restored []byte
	badSnap  error
	feed     Feed
	seat     *Seat
	ensemble *peer.Metrics
}

func (h *fakeHost) Ensemble() *peer.Metrics { return h.ensemble }

func (h *fakeHost) Seat() (Seat, bool) {
	if h.seat == nil {
		return Seat{}, false
	}
	return *h.seat, true
}

func (h *fakeHost) Feed(context.Context) Feed { return h.feed }
func (h *fakeHost) Recount(context.Context) error {
	for i := range h.feed.Learners {
		h.feed.Learners[i].Sent = 0
	}
	return nil
}

func (h *fakeHost) Snapshot(context.Context) (Snapshot, error) { return h.snap, h.err }
func (h *fakeHost) HandOver(context.Context) (int64, error) {
	if h.err != nil {
		return 0, h.err
	}
	return 2, nil
}
func (h *fakeHost) LastSnapshot() (Snapshot, bool) { return h.snap, h.snap.Path != "" }
func (h *fakeHost) Restore(_ context.Context, r io.Reader) (int64, error) {
	var err error
	h.restored, err = io.ReadAll(r)
	return 7, errors.Join(err, h.err)
}
func (h *fakeHost) Ports() (client, secure int)     { return 2181, -1 }
func (h *fakeHost) Dirs() (string, string)          { return h.dir, h.dir }
func (h *fakeHost) Startup() Startup                { return Startup{Transactions: 3, LogTime: time.Second} }
func (h *fakeHost) SnapshotTime() tally.LatencyView { return tally.LatencyView{} }
func (h *fakeHost) SnapshotError() error            { return h.badSnap }
func (h *fakeHost) SlowSyncs() int64                { return 2 }

// world is an Admin of a server without sockets.
type world struct {
	*Admin
	t    *testing.T
	host *fakeHost
	log  *memLog
	n    *Node
	http *httptest.Server
}

type fixedClock struct{}

func (fixedClock) Now() int64                      { return 1000 }
func (fixedClock) After(ms int64) <-chan time.Time { return time.After(time.Duration(ms)) }

func newWorld(t *testing.T, settings map[string]string) *world {
	t.Helper()
	cfg, _, err := config.Load(config.Sources{Flags: settings})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	reg, err := auth.New(auth.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, host: &fakeHost{dir: t.TempDir()}, log: &memLog{}}
	tr := tree.New(tree.Options{ExtendedTypes: true})
	engine := request.New(request.Options{
		Tree: tr, Watches: watch.New(), Sessions: session.NewTracker(1000, 0), Auth: reg, Log: w.log, Logger: quiet,
		Now: time.Now, Rand: rand.New(rand.NewPCG(1, 2)), DigestEnabled: true, ExtendedTypes: true,
		OutstandingLimit: 1000, MaxInFlight: 1 << 20, SnapCount: 1 << 30,
	})
	engine.Start()
	t.Cleanup(func() { engine.Close(); engine.Watches.Close(); tr.Close() })
	clock := fixedClock{}
	l := listener.New(listener.Options{
		Engine: engine, Sessions: engine.Sessions, IDs: session.NewIDs(1, 1), Auth: reg, Policy: reg.Policy(), Logger: quiet,
		Gate: throttle.NewGate(throttle.Options{Now: clock.Now}), Throttle: throttle.NewRequests(throttle.RequestOptions{}, clock), Clock: clock.Now,
	})
	w.Admin = New(Options{Config: &cfg, Logger: quiet, Version: "3.9.4-test, built on 2026-01-01 00:00 UTC", Began: time.Now()})
	w.n = &Node{Engine: engine, Listener: l, Host: w.host, Mode: func() string { return "standalone" }}
	w.SetNode(w.n)
	w.http = httptest.NewServer(w.routes())
	t.Cleanup(w.http.Close)
	return w
}

// apply changes the tree as the writer would.
func (w *world) apply(body txn.Body) {
	tr := w.n.Engine.Tree
	tr.Lock()
	defer tr.Unlock()
	tx := txn.Txn{Header: txn.Header{Zxid: tr.Zxid() + 1, Time: 1, Type: body.Type}, Body: body}
	var r tree.Result
	tr.Apply(&tx, &r)
	if r.Code != proto.OK {
		w.t.Fatalf("%+v: %v", body, r.Code)
	}
}

func (w *world) create(path, data string) {
	w.apply(txn.Body{
		Type: proto.OpCreate, Path: path, Data: []byte(data), ACL: proto.AppendACLs(nil, proto.OpenACL()), ParentCversion: -1,
	})
}

func (w *world) word(name string) string {
	var b strings.Builder
	if !w.FourLetter(name, nil, &b) {
		w.t.Errorf("there is no word %s", name)
	}
	return b.String()
}

func (w *world) get(path string, header ...string) (int, string) {
	w.t.Helper()
	return w.do(http.MethodGet, path, "", header...)
}

// do sends a request; header are pairs of names and values.
func (w *world) do(method, path, body string, header ...string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// snapshotFile puts a file where the host's snapshots are.
func (w *world) snapshotFile(content string) {
	path := filepath.Join(w.host.dir, "snapshot.5")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.host.snap = Snapshot{Path: path, Zxid: 5, Time: time.Unix(1000, 0), Size: int64(len(content))}
}
