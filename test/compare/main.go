// Compare measures quoll and Apache ZooKeeper alternately on one machine, with equal durability, and prints every
// figure beside its target. compare.sh installs what it needs and calls it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/quollhq/quoll/test/harness"
)

// settings are the flags.
type settings struct {
	rounds  int
	seconds float64
	warmup  float64
	znodes  int64
	big     int64
	heap    int
	least   bool
	json    string
	binary  string
	apache  string
	work    string
	keep    bool
	only    string
	suites  []string
	args    []string // as given
}

// suite is one group of figures.
type suite struct {
	name string
	what string
	run  func(context.Context, *comparison) error
}

var suites = []suite{
	{"throughput", "operations per second and server CPU, closed loop; latency at 20,000 operations per second", throughput},
	{"ensemble", "three members each: operations per second and CPU of all three", ensemble},
	{"failover", "three members: time without writes when the leader is killed, stands still, is told to stop", failover},
	{"sync", "three members: time until one that was away serves, and what is left of the writes meanwhile", syncLearner},
	{"idle-ensemble", "three members: CPU with 10,000 idle sessions", idleEnsemble},
	{"memory", "bytes per znode; one parent with all children; with -big, pauses and cost of garbage collection", memory},
	{"snapshot", "latency of writes while snapshots are written", snapshot},
	{"start", "time and memory of an empty start; time to the first read of a full one", startUp},
	{"watch", "bytes per watch; time until 10,000 sessions are told of a change", watch},
	{"idle", "bytes per idle session", idle},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "compare:", err)
		}
		stop()
		os.Exit(1)
	}
}

// run is the program. It fails if something could not be measured; a target that was missed is a result.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	s, err := parse(args, progress)
	if err != nil {
		return err
	}
	c, err := newComparison(ctx, s, progress)
	if err != nil {
		return err
	}
	defer c.close()
	var failed []error
	for _, suite := range suites {
		if !slices.Contains(s.suites, suite.name) {
			continue
		}
		c.say("== %s: %s", suite.name, suite.what)
		if err := suite.run(ctx, c); err != nil {
			c.say("%s: %v", suite.name, err)
			failed = append(failed, fmt.Errorf("%s could not be measured in full", suite.name))
		}
		if ctx.Err() != nil {
			break
		}
	}
	c.report.finish()
	failed = append(failed, c.report.writeMarkdown(out))
	if s.json != "" {
		failed = append(failed, c.report.writeJSON(s.json))
	}
	return errors.Join(failed...)
}

func parse(args []string, usage io.Writer) (*settings, error) {
	s := &settings{args: args}
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.SetOutput(usage)
	f.IntVar(&s.rounds, "rounds", 5, "rounds of the throughput suite; each starts both servers afresh, medians are shown")
	f.Float64Var(&s.seconds, "seconds", 5, "measured part of every run")
	f.Float64Var(&s.warmup, "warmup", 4, "load before the measured part of every run; Java compiles in it")
	f.Int64Var(&s.znodes, "znodes", 1_000_000, "znodes of 100 bytes in the suites that need many")
	f.Int64Var(&s.big, "big", 0, "also fill quoll with so many znodes and watch its garbage collection, such as 10000000")
	f.IntVar(&s.heap, "heap", 4096, "heap of Apache's server in MB")
	f.BoolVar(&s.least, "least", true, "measure the least server, too: the limit of the machine")
	f.StringVar(&s.json, "json", "", "write all figures and raw results to this `file`")
	f.StringVar(&s.binary, "quoll", "", "`path` of a quoll that is built already")
	f.StringVar(&s.apache, "apache", "", "`directory` of Apache ZooKeeper (default: .cache/peers/zookeeper-3.9.4)")
	f.StringVar(&s.work, "dir", "", "`directory` for data; it should be on a real disk (default: .cache/compare)")
	f.BoolVar(&s.keep, "keep", false, "keep the servers' data and logs")
	f.StringVar(&s.only, "only", "", "measure this server alone: quoll or apache")
	f.Usage = func() {
		fmt.Fprintf(usage, "usage: compare [flags] [suite...]\n\nSuites (all by default):\n")
		for _, suite := range suites {
			fmt.Fprintf(usage, "  %-13s %s\n", suite.name, suite.what)
		}
		fmt.Fprintf(usage, "\nFlags:\n")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	s.suites = f.Args()
	if len(s.suites) == 0 {
		for _, suite := range suites {
			s.suites = append(s.suites, suite.name)
		}
	}
	for _, name := range s.suites {
		if !slices.ContainsFunc(suites, func(x suite) bool { return x.name == name }) {
			return nil, fmt.Errorf("unknown suite %q; -h lists them", name)
		}
	}
	if s.rounds < 1 || s.seconds <= 0 || s.warmup < 0 || s.znodes < 1000 || s.only != "" && s.only != "quoll" && s.only != "apache" {
		return nil, errors.New("a flag is out of range; -h tells what they mean")
	}
	return s, nil
}

// comparison is what the suites share.
type comparison struct {
	*settings
	progress io.Writer
	subjects []subject // Apache's server and quoll, or one of them
	report   *report
	built    string // directory of a binary that was built here
}

func newComparison(ctx context.Context, s *settings, progress io.Writer) (*comparison, error) {
	root, err := harness.Root()
	if err != nil {
		return nil, err
	}
	cache, err := harness.Cache()
	if err != nil {
		return nil, err
	}
	c := &comparison{settings: s, progress: progress}
	if s.work == "" {
		s.work = filepath.Join(cache, "compare")
	}
	if s.apache == "" {
		s.apache = filepath.Join(cache, "peers", "zookeeper-3.9.4")
	}
	if err := os.MkdirAll(s.work, 0o755); err != nil {
		return nil, err
	}
	if s.binary == "" {
		if err := c.build(ctx, root); err != nil {
			return nil, err
		}
	}
	for _, sub := range []subject{apache{home: s.apache, heap: s.heap}, quoll{binary: s.binary}} {
		if s.only == "" || s.only == sub.name() {
			c.subjects = append(c.subjects, sub)
		}
	}
	if s.only != "quoll" {
		if _, err := os.Stat(filepath.Join(s.apache, "lib")); err != nil {
			return nil, fmt.Errorf("no Apache ZooKeeper (run scripts/install-peers.sh zookeeper 3.9.4): %w", err)
		}
	}
	c.report = newReport(s)
	return c, nil
}

// build builds quoll without anything that slows it down.
func (c *comparison) build(ctx context.Context, root string) error {
	dir, err := os.MkdirTemp("", "quoll-compare-")
	if err != nil {
		return err
	}
	c.built = dir
	c.binary = filepath.Join(dir, "quoll")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", c.binary, "./cmd/quoll")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		c.close()
		return fmt.Errorf("go build ./cmd/quoll: %w\n%s", err, out)
	}
	return nil
}

func (c *comparison) close() {
	if c.built != "" {
		os.RemoveAll(c.built)
	}
}

// each does something with every server; one that fails does not stop the others.
func (c *comparison) each(ctx context.Context, do func(subject) error) error {
	var errs []error
	for _, s := range c.subjects {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := do(s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name(), err))
		}
	}
	return errors.Join(errs...)
}

// show adds the figures that were measured, of one server at least.
func (c *comparison) show(figures ...figure) {
	for _, f := range figures {
		if f.Apache != nil || f.Quoll != nil {
			c.report.add(f)
		}
	}
}

func (c *comparison) say(format string, args ...any) {
	fmt.Fprintf(c.progress, "%s "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}

// machine tells what was measured on.
func machine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d x %s, Linux %s, %s", runtime.NumCPU(), model, strings.TrimSpace(string(kernel)), runtime.Version())
}
