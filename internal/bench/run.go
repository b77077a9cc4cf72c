package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// Workloads that Run knows.
var Workloads = []string{
	"get", "set", "create", "delete", "exists", "children", "mixed", "multi",
	"fill", "session", "idle", "watch",
}

// Runner runs workloads.
type Runner struct {
	Options
	// Progress is told now and then how far a run is; nil is fine.
	Progress func(stage string, done, of int64)
}

// Run runs one workload and returns what it measured. On an error the result,
// if there is one, holds what was measured until then.
func (r *Runner) Run(ctx context.Context, workload string) (*Result, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	if err := known(workload); err != nil {
		return nil, err
	}
	e := &experiment{Runner: r, workload: workload, dialer: r.dialer()}
	if err := e.begin(ctx); err != nil {
		return nil, err
	}
	res, err := e.run(ctx)
	return res, errors.Join(err, e.end(ctx))
}

func known(workload string) error {
	if !slices.Contains(Workloads, workload) {
		return fmt.Errorf("unknown workload %q (one of %s)", workload, strings.Join(Workloads, ", "))
	}
	return nil
}

// experiment is one workload being run.
type experiment struct {
	*Runner
	workload string
	dialer   *dialer
	root     string
	shape    shape
	filled   int64 // znodes that exist, numbered from 0
	created  int64 // znodes that may exist, numbered from 0
	pids     []int
	lanes    int
}

// begin makes the place for the run's znodes.
func (e *experiment) begin(ctx context.Context) error {
	multi, _ := parseMultiOp(e.MultiOp)
	watch, _ := parseWatch(e.Watch)
	e.root = e.Root
	if e.root == "" {
		e.root = "/quoll-bench-" + strconv.FormatUint(rand.Uint64(), 36)
	}
	e.shape = shape{
		keys: keyspace{root: e.root, parents: e.Parents}, size: e.ValueSize, known: !e.Existing,
		multiSize: e.MultiSize, multiKind: multi, watch: watch,
	}
	if e.lanes = e.Lanes; e.lanes == 0 {
		e.lanes = defaultLanes()
	}
	e.pids = e.serverPIDs()
	return e.withSession(ctx, e.makeParents)
}

// withSession opens a session for a few requests and closes it. None is held
// during a run: it would count as load, and expire if nobody pings.
func (e *experiment) withSession(ctx context.Context, do func(*wire) error) error {
	w, err := e.dialer.open(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	return do(w)
}

// defaultLanes leaves at least half of the machine to a server beside.
func defaultLanes() int { return max(1, min(runtime.GOMAXPROCS(0)/2, 8)) }

// makeParents creates the root and the parents of the run's znodes; they may
// be there already.
func (e *experiment) makeParents(w *wire) error {
	if err := create(w, e.root); err != nil || e.Parents <= 1 {
		return err
	}
	for p := range int64(e.Parents) {
		if err := create(w, e.shape.keys.parent(p)); err != nil {
			return err
		}
	}
	return nil
}

// create makes a znode and those above it, if they are not there.
func create(w *wire, path string) error {
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		b := jute.AppendString(nil, path[:i])
		b = jute.AppendBuffer(b, nil)
		b = proto.AppendACLs(b, proto.OpenACL())
		_, err := w.call(proto.OpCreate, jute.AppendInt(b, proto.FlagPersistent))
		if err != nil && !errors.Is(err, proto.NodeExists) {
			return fmt.Errorf("create %s: %w", path[:i], err)
		}
	}
	return nil
}

// run does what the workload is about.
func (e *experiment) run(ctx context.Context) (*Result, error) {
	switch e.workload {
	case "session":
		return e.runSessions(ctx)
	case "idle":
		return e.runIdle(ctx)
	case "watch":
		return e.runWatch(ctx)
	case "fill":
		return e.runFill(ctx)
	}
	return e.runSteady(ctx)
}

// mix is the operations of a steady workload.
func (e *experiment) mix() []kind {
	if e.workload == "mixed" {
		mix, _ := parseMix(e.Mix)
		return mix
	}
	k, _ := parseKind(e.workload)
	return []kind{k}
}

// newLoad is a load of the given operations over the znodes that exist.
func (e *experiment) newLoad(mix []kind) *load {
	pick, _ := parsePick(e.Pick)
	l := &load{
		base: time.Now(), depth: e.Depth, mix: mix, templates: e.shape.templates(), keys: e.shape.keys,
		pick: pick, existing: e.filled, lanes: e.lanes, multiCreates: e.shape.multiKind == kindCreate,
	}
	l.created.Store(e.created)
	l.window(0, forever, e.Patience)
	return l
}

// window sets the measured part of a load.
func (l *load) window(from, to int64, patience time.Duration) {
	l.span = span{from, to}
	l.patience = forever
	if to < forever {
		l.patience = to + int64(patience)
	}
	l.all.last.Store(from)
	l.writes.last.Store(from)
}

// limit bounds how many operations may begin.
func (l *load) limit(n int64) {
	l.limited = true
	l.tickets.Store(n)
}

// runSteady measures one stream of operations.
func (e *experiment) runSteady(ctx context.Context) (*Result, error) {
	f, err := e.openFleet(ctx, e.Connections, e.Depth)
	if err != nil {
		return nil, err
	}
	defer f.closeSessions()
	mix := e.mix()
	if err := e.prepare(ctx, mix); err != nil {
		return nil, err
	}
	l := e.newLoad(mix)
	l.rate, l.poisson = e.Rate, e.Poisson
	warm := e.Warmup
	if e.Ops > 0 || slices.Contains(mix, kindDelete) {
		warm = 0
	}
	from, to := int64(warm), forever
	if e.Duration > 0 {
		to = from + int64(e.Duration)
	}
	if e.Ops > 0 {
		l.limit(e.Ops)
	} else if slices.Contains(mix, kindDelete) {
		l.limit(e.filled)
	}
	if !l.limited && to == forever {
		return nil, errors.New("neither a duration nor a number of operations is given")
	}
	l.window(from, to, e.Patience)
	done := e.report(l, e.workload, e.Ops)
	res, err := e.measure(ctx, f, l)
	done()
	e.created = max(e.created, l.created.Load())
	return res, err
}

func (e *experiment) openFleet(ctx context.Context, n, depth int) (*fleet, error) {
	return openFleet(ctx, e.dialer, n, depth, e.polled())
}

// prepare creates the znodes that the operations are about.
func (e *experiment) prepare(ctx context.Context, mix []kind) error {
	onlyNew := !slices.ContainsFunc(mix, func(k kind) bool {
		return k != kindCreate && !(k == kindMulti && e.shape.multiKind == kindCreate)
	})
	if onlyNew {
		return nil
	}
	n := e.Keys
	if slices.Contains(mix, kindDelete) && e.Ops > 0 {
		n = e.Ops
	}
	_, err := e.fillOrExpect(ctx, n)
	return err
}

// fillOrExpect sees to it that n znodes exist, or believes that they do.
func (e *experiment) fillOrExpect(ctx context.Context, n int64) (*Result, error) {
	if !e.Existing {
		return e.fillTo(ctx, n)
	}
	e.filled, e.created = n, n
	return nil, nil
}

var errNothing = errors.New("no operation was completed")

// measure runs the load and puts what came out of it together.
func (e *experiment) measure(ctx context.Context, f *fleet, l *load) (*Result, error) {
	res := e.newResult(l)
	l.base = time.Now()
	m := e.meterServer(l)
	defer m.stop()
	rec, err := f.run(ctx, l, nil)
	m.stop()
	end := l.span.to
	if l.exhausted() || end == forever || l.stop.Load() {
		end = max(rec.last, l.span.from)
	} else {
		rec.maxGap = max(rec.maxGap, end-l.all.last.Load())
		if slices.ContainsFunc(l.mix, kind.isWrite) {
			rec.maxWGap = max(rec.maxWGap, end-l.writes.last.Load())
		}
	}
	res.fill(rec, float64(end-l.span.from)/1e9, e.Histograms)
	m.fill(res)
	if err == nil && res.Ops == 0 {
		err = errNothing
	}
	return res, err
}

func (e *experiment) newResult(l *load) *Result {
	driver := "conn"
	if e.polled() {
		driver = "epoll"
	}
	res := &Result{
		Workload: e.workload, Time: time.Now().UTC().Truncate(time.Second),
		Load: Load{
			Servers: e.Servers, Connections: e.Connections, Depth: e.Depth, Rate: e.Rate, ValueSize: e.ValueSize,
			Keys: e.Keys, Parents: e.Parents, Driver: driver, Lanes: e.lanes,
		},
	}
	if e.Rate > 0 {
		res.Load.Depth = 0
	}
	if e.workload == "mixed" {
		res.Load.Mix = e.Mix
	}
	return res
}

// end removes what the run made, unless it is to be kept.
func (e *experiment) end(ctx context.Context) error {
	if e.Keep || e.Existing {
		return nil
	}
	// Cleaning up is due after an interrupted run, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupWait)
	defer cancel()
	if err := e.removeAll(ctx); err != nil {
		return fmt.Errorf("remove the znodes of the run below %s: %w", e.root, err)
	}
	return nil
}

// cleanupWait bounds the removal of a run's znodes.
const cleanupWait = 2 * time.Minute
