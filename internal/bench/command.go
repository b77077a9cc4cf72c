package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// NewCommand is `quoll bench`.
func NewCommand() *cobra.Command { return NewCommandFor(DefaultOptions()) }

// NewCommandFor makes the command with o as its defaults.
func NewCommandFor(o Options) *cobra.Command {
	var out output
	var files tlsFiles
	cmd := &cobra.Command{
		Use:   "bench [flags] WORKLOAD...",
		Short: "Measure how fast a ZooKeeper server is, and what an operation costs it",
		Long: `Measures a ZooKeeper server, quoll's or Apache's: operations per second, latency
percentiles, stalls, and the CPU time and memory that the server uses if it
runs on this machine.

Workloads:
  get, set, exists     on --keys znodes that are made first
  create, delete       of new znodes
  children             of the --parents znodes
  mixed                as --mix says
  multi                of --multi-size operations each
  fill                 create --keys znodes as fast as the server takes them
  session              open and close sessions
  idle                 open --connections sessions and hold them for --hold
  watch                every session watches --keys znodes; one is changed, then all

Without --rate each of the --connections sessions keeps --depth requests in
flight (closed loop). With --rate requests are sent when they are due, however
slowly the server answers, and latency counts from when a request was due.

Everything is made below one new znode and removed at the end.`,
		Example: `  quoll bench get set create
  quoll bench --depth 1 --connections 10 get
  quoll bench --rate 20000 --duration 30s mixed --mix get=90,set=10
  quoll bench --keys 1000000 --parents 1000 --root /data --keep fill
  quoll bench --connections 10000 --keys 1 watch
  quoll bench -o json set | jq .latency.set.p99_us`,
		Args:      cobra.MatchAll(cobra.MinimumNArgs(1), allKnown),
		ValidArgs: Workloads,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			cmd.SilenceUsage = true
			profiled, err := out.profile()
			if err != nil {
				return err
			}
			defer profiled()
			if given, err := files.config(); err != nil {
				return err
			} else if given != nil {
				o.TLS = given
			}
			r := &Runner{Options: o, Progress: progressOn(cmd.ErrOrStderr())}
			for _, w := range args {
				res, err := r.Run(ctx, w)
				if res != nil {
					err = errors.Join(err, out.print(cmd.OutOrStdout(), res))
				}
				if err != nil {
					return fmt.Errorf("%s: %w", w, err)
				}
			}
			return nil
		},
	}
	o.addFlags(cmd)
	files.addFlags(cmd)
	out.addFlags(cmd)
	cmd.AddCommand(newLeastServerCommand())
	return cmd
}

func allKnown(_ *cobra.Command, workloads []string) error {
	for _, w := range workloads {
		if err := known(w); err != nil {
			return err
		}
	}
	return nil
}

// addFlags binds the options to flags, with their present values as defaults.
func (o *Options) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVarP(&o.Servers, "server", "s", o.Servers, "`host:port` of the servers, separated by commas")
	f.IntVarP(&o.Connections, "connections", "c", o.Connections, "sessions")
	f.IntVarP(&o.Depth, "depth", "d", o.Depth, "requests that each session keeps in flight")
	f.Float64VarP(&o.Rate, "rate", "r", o.Rate, "open loop: operations per second in all, sent when they are due")
	f.BoolVar(&o.Poisson, "poisson", o.Poisson, "open loop: random times between operations instead of even ones")
	f.DurationVarP(&o.Duration, "duration", "t", o.Duration, "length of the measured part (0: until --ops are done)")
	f.Int64VarP(&o.Ops, "ops", "n", o.Ops, "stop after so many operations (0: no limit; no warm-up otherwise)")
	f.DurationVar(&o.Warmup, "warmup", o.Warmup, "load before the measured part")
	f.DurationVar(&o.Patience, "patience", o.Patience, "how long replies are awaited after the end")
	f.IntVar(&o.ValueSize, "size", o.ValueSize, "bytes of data of a znode")
	f.Int64VarP(&o.Keys, "keys", "k", o.Keys, "znodes to read, write or watch")
	f.IntVar(&o.Parents, "parents", o.Parents, "parents that the znodes are spread over")
	f.StringVar(&o.Pick, "pick", o.Pick, "how znodes are chosen: uniform, sequential or zipf")
	f.StringVar(&o.Mix, "mix", o.Mix, "operations of the mixed workload and their shares")
	f.IntVar(&o.MultiSize, "multi-size", o.MultiSize, "operations of a multi")
	f.StringVar(&o.MultiOp, "multi-op", o.MultiOp, "what a multi is made of: set, create or exists (a check)")
	f.StringVar(&o.Watch, "watch", o.Watch, "how watches are set: exists, data, children, persistent or recursive")
	f.BoolVar(&o.TellAll, "tell-all", o.TellAll, "watch: change all watched znodes in the end, not only one")
	f.StringVar(&o.Root, "root", o.Root, "`znode` that everything is made below (default: a new one)")
	f.BoolVar(&o.Keep, "keep", o.Keep, "leave the znodes there")
	f.BoolVar(&o.Existing, "existing", o.Existing, "use the znodes that an earlier run with the same --root, --keys and --parents kept")
	f.DurationVar(&o.SessionTimeout, "session-timeout", o.SessionTimeout, "session timeout to ask for")
	f.DurationVar(&o.Hold, "hold", o.Hold, "how long idle sessions are held")
	f.StringArrayVar(&o.Auth, "auth", o.Auth, "identity `scheme:data` of every session; may be repeated")
	f.StringVar(&o.Driver, "driver", o.Driver, "how sockets are moved: epoll or conn (default: epoll where it works)")
	f.IntVar(&o.Lanes, "lanes", o.Lanes, "threads that make the load (default: half the processors)")
	f.IntSliceVar(&o.ServerPIDs, "server-pid", o.ServerPIDs, "processes whose CPU and memory are read (default: who listens on the servers' ports here)")
	f.BoolVar(&o.Histograms, "histograms", o.Histograms, "with -o json: add whole histograms, in HdrHistogram's own encoding")
}

// output says where results go and how they look.
type output struct {
	format  string
	cpuFile string
}

func (o *output) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "table or json")
	cmd.Flags().StringVar(&o.cpuFile, "cpuprofile", "", "write a CPU profile of the load generator to this `file`")
}

func (o *output) print(w io.Writer, r *Result) error {
	switch o.format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	case "table":
		return r.WriteTable(w)
	}
	return fmt.Errorf("unknown output %q (table or json)", o.format)
}

// profile starts a CPU profile if one is wanted.
func (o *output) profile() (stop func(), err error) {
	if !strings.Contains("json table", o.format) {
		return nil, fmt.Errorf("unknown output %q (table or json)", o.format)
	}
	if o.cpuFile == "" {
		return func() {}, nil
	}
	f, err := os.Create(o.cpuFile)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, nil
}
