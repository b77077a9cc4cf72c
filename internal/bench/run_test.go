package bench

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/bench/leastserver"
	"github.com/quollhq/quoll/internal/proto"
)

// serveLeast runs a least server for a test and returns its address.
func startLeast(t *testing.T, valueSize int) string {
	t.Helper()
	s, err := leastserver.New(leastserver.Config{Dir: t.TempDir(), ValueSize: valueSize})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			t.Errorf("least server: %v", err)
		}
	})
	return ln.Addr().String()
}

// drivers are the ways to move sockets that work here.
func drivers() []string {
	if runtime.GOOS == "linux" {
		return []string{"epoll", "conn"}
	}
	return []string{"conn"}
}

func testOptions(addr string) Options {
	o := DefaultOptions()
	o.Servers = []string{addr}
	o.Connections, o.Keys, o.Ops, o.Duration = 4, 50, 500, 0
	return o
}

func TestSteadyWorkloads(t *testing.T) {
	addr := startLeast(t, 100)
	for _, driver := range drivers() {
		for _, w := range []string{"get", "set", "create", "delete", "exists", "mixed", "fill"} {
			t.Run(driver+"/"+w, func(t *testing.T) {
				o := testOptions(addr)
				o.Driver, o.Lanes = driver, 2
				res, err := (&Runner{Options: o}).Run(t.Context(), w)
				if err != nil {
					t.Fatal(err)
				}
				want := o.Ops
				if w == "fill" {
					want = o.Keys
				}
				if res.Ops != want || len(res.Errors) > 0 {
					t.Errorf("%d operations, want %d; errors %v", res.Ops, want, res.Errors)
				}
				var counted int64
				for _, l := range res.Latency {
					counted += l.Count
					if l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max {
						t.Errorf("latency %+v", l)
					}
				}
				if counted != want {
					t.Errorf("%d latencies, want %d", counted, want)
				}
			})
		}
	}
}

func TestOpenLoopSendsEverything(t *testing.T) {
	addr := startLeast(t, 100)
	for _, driver := range drivers() {
		for _, poisson := range []bool{false, true} {
			o := testOptions(addr)
			o.Driver, o.Rate, o.Poisson = driver, 5000, poisson
			res, err := (&Runner{Options: o}).Run(t.Context(), "set")
			if err != nil {
				t.Fatal(err)
			}
			if res.Ops != o.Ops {
				t.Errorf("%s: %d operations, want %d", driver, res.Ops, o.Ops)
			}
			if l := res.Latency["set"]; res.Late == nil || res.Late.Count != l.Count || res.Late.Max > l.Max {
				t.Errorf("%s: sent %+v after they were due, and answered after %+v", driver, res.Late, l)
			}
		}
	}
}

func TestDurationEndsARun(t *testing.T) {
	o := testOptions(startLeast(t, 100))
	o.Ops, o.Warmup, o.Duration = 0, 10*time.Millisecond, 50*time.Millisecond
	res, err := (&Runner{Options: o}).Run(t.Context(), "get")
	for errors.Is(err, errNothing) && o.Duration < time.Minute { // the machine is busy with something else
		o.Duration *= 4
		res, err = (&Runner{Options: o}).Run(t.Context(), "get")
	}
	if err != nil {
		t.Fatal(err)
	}
	if res.Seconds != o.Duration.Seconds() || res.Ops == 0 {
		t.Errorf("%d operations in %g s", res.Ops, res.Seconds)
	}
	if runtime.GOOS == "linux" && (res.Server == nil || res.Server.Before.RSS == 0) {
		t.Errorf("server on this machine: %+v", res.Server)
	}
}

func TestSessionWorkloads(t *testing.T) {
	addr := startLeast(t, 100)
	for _, driver := range drivers() {
		o := testOptions(addr)
		o.Driver, o.Ops, o.Connections, o.Hold = driver, 40, 20, 10*time.Millisecond
		res, err := (&Runner{Options: o}).Run(t.Context(), "session")
		if err != nil {
			t.Fatal(err)
		}
		if res.Latency["connect"].Count != 40 || res.Latency["close"].Count != 40 {
			t.Errorf("latencies %+v", res.Latency)
		}
		res, err = (&Runner{Options: o}).Run(t.Context(), "idle")
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Phases) != 3 || res.Phases[0].Count != 20 {
			t.Errorf("phases %+v", res.Phases)
		}
	}
}

func TestCancelEndsARun(t *testing.T) {
	addr := startLeast(t, 100)
	for _, driver := range drivers() {
		o := testOptions(addr)
		o.Driver, o.Ops, o.Duration, o.Warmup = driver, 0, time.Hour, 0
		ctx, cancel := context.WithCancel(t.Context())
		seen := make(chan struct{})
		r := &Runner{Options: o, Progress: func(stage string, done, _ int64) {
			if stage == "get" && done > 0 {
				select {
				case <-seen:
				default:
					close(seen)
				}
			}
		}}
		go func() { <-seen; cancel() }()
		res, err := r.Run(ctx, "get")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want that it was cancelled", driver, err)
		}
		if res == nil || res.Ops == 0 {
			t.Errorf("%s: what was measured until then is lost: %+v", driver, res)
		}
	}
}

// A server that hangs up is reported, not waited for.
func TestLostSessionsEndARun(t *testing.T) {
	for _, driver := range drivers() {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go hangUp(ln)
		d := &dialer{servers: []string{ln.Addr().String()}, timeout: time.Second}
		f, err := openFleet(t.Context(), d, 3, 5, driver == "epoll")
		if err != nil {
			t.Fatal(err)
		}
		l, _ := testLane(5)
		rec, err := f.run(t.Context(), l.load, nil)
		f.close()
		if err == nil || rec.lost != 3 {
			t.Errorf("%s: error %v, %d sessions lost", driver, err, rec.lost)
		}
	}
}

// hangUp accepts sessions and closes them at the first request.
func hangUp(ln net.Listener) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer nc.Close()
			buf := make([]byte, 1024)
			if _, err := nc.Read(buf); err != nil {
				return
			}
			resp := proto.ConnectResponse{TimeOut: 1000, SessionID: 1, Passwd: make([]byte, 16), HasReadOnly: true}
			_, _ = nc.Write(seal(resp.Append(make([]byte, lengthLen))))
			_, _ = nc.Read(buf)
		}()
	}
}

func TestRefusalsAreCounted(t *testing.T) {
	o := testOptions(startLeast(t, 100))
	res, err := (&Runner{Options: o}).Run(t.Context(), "multi")
	if !errors.Is(err, errNothing) {
		t.Errorf("error %v", err)
	}
	if res == nil || res.Errors[proto.Unimplemented.Error()] != 500 {
		t.Errorf("result %+v", res)
	}
}

// The values that are read have the length that was written; one that has
// not is an error.
func TestValuesOfAnotherLengthAreErrors(t *testing.T) {
	o := testOptions(startLeast(t, 99))
	res, _ := (&Runner{Options: o}).Run(t.Context(), "get")
	if res == nil || res.Ops != 0 || res.Errors["reply of an unexpected length"] != 500 {
		t.Errorf("result %+v", res)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*Options)
		want string
	}{
		"server":  {func(o *Options) { o.Servers = []string{"localhost"} }, "localhost"},
		"none":    {func(o *Options) { o.Servers = nil }, "no server"},
		"depth":   {func(o *Options) { o.Depth = 0 }, "depth"},
		"rate":    {func(o *Options) { o.Rate = -1 }, "rate"},
		"size":    {func(o *Options) { o.ValueSize = -1 }, "value size"},
		"parents": {func(o *Options) { o.Parents = 1 << 20 }, "parents"},
		"root":    {func(o *Options) { o.Root = "x" }, "root"},
		"pick":    {func(o *Options) { o.Pick = "some" }, "pick"},
		"mix":     {func(o *Options) { o.Mix = "get" }, "mix"},
		"deletes": {func(o *Options) { o.Mix = "get=1,delete=1" }, "delete"},
		"watch":   {func(o *Options) { o.Watch = "all" }, "watch"},
		"multi":   {func(o *Options) { o.MultiOp = "get" }, "multi"},
		"auth":    {func(o *Options) { o.Auth = []string{"me"} }, "identity"},
		"driver":  {func(o *Options) { o.Driver = "magic" }, "driver"},
		"where":   {func(o *Options) { o.Existing = true }, "--root"},
	} {
		o := DefaultOptions()
		c.set(&o)
		if err := o.validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v does not name %q", name, err, c.want)
		}
	}
	o := DefaultOptions()
	if err := o.validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	if _, err := (&Runner{Options: o}).Run(t.Context(), "dance"); err == nil || !strings.Contains(err.Error(), "dance") {
		t.Errorf("unknown workload: %v", err)
	}
}

func TestParseMix(t *testing.T) {
	mix, err := parseMix("get=3, set=1")
	if err != nil || len(mix) != 4 || mix[0] != kindGet || mix[3] != kindSet {
		t.Errorf("%v, %v", mix, err)
	}
	for _, bad := range []string{"", "get=x", "get=-1", "jump=1", "get=0", "get=99999999999"} {
		if _, err := parseMix(bad); err == nil {
			t.Errorf("mix %q is taken", bad)
		}
	}
}
