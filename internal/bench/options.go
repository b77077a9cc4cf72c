package bench

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options says what to do to which servers. DefaultOptions is the place to start.
type Options struct {
	// Servers are host:port; sessions go to them in turn.
	Servers []string
	// Connections is the number of sessions, Depth how many requests each
	// keeps in flight in a closed loop.
	Connections int
	Depth       int
	// Rate is the operations per second of an open loop; 0 is a closed loop.
	Rate float64
	// Poisson draws the times between operations of an open loop at random;
	// otherwise they are even.
	Poisson bool
	// Duration bounds the measured part, Ops the operations begun; either
	// may be 0. Warmup comes before and is not counted.
	Duration time.Duration
	Ops      int64
	Warmup   time.Duration
	// Patience is how long replies are awaited after the end.
	Patience time.Duration
	// ValueSize is the bytes of data of a znode, Keys how many znodes there
	// are to read and write, Parents how many znodes they lie under.
	ValueSize int
	Keys      int64
	Parents   int
	// Pick is how znodes are chosen: uniform, sequential or zipf.
	Pick string
	// Mix is the shares of a mixed workload, such as get=80,set=20.
	Mix string
	// MultiSize is the operations of a multi, MultiOp their kind: set,
	// create, or exists for a check.
	MultiSize int
	MultiOp   string
	// Watch is how watches are set: exists, data, children, persistent or recursive.
	Watch string
	// TellAll changes all watched znodes in the end, not only one.
	TellAll bool
	// Root is the znode that everything lies under. Empty: a new one.
	Root string
	// Keep leaves the znodes there at the end; Existing expects them there
	// and creates none.
	Keep     bool
	Existing bool
	// SessionTimeout is asked for.
	SessionTimeout time.Duration
	// Auth are identities, scheme:data, that every session takes on.
	Auth []string
	// TLS makes sessions use TLS; nil is plain.
	TLS *tls.Config
	// Driver is epoll (Linux, plain connections) or conn; empty chooses.
	Driver string
	// Lanes is the number of threads that make the load; 0 chooses.
	Lanes int
	// ServerPIDs are the processes whose CPU and memory are read, together; none
	// looks for those that listen on the servers' ports on this machine.
	ServerPIDs []int
	// Histograms adds whole histograms to results.
	Histograms bool
	// Hold is how long idle sessions are held.
	Hold time.Duration
}

// DefaultOptions are those of `quoll bench` without flags.
func DefaultOptions() Options {
	return Options{
		Servers: []string{"127.0.0.1:2181"}, Connections: 50, Depth: 20, Duration: 10 * time.Second,
		Warmup: 2 * time.Second, Patience: 10 * time.Second, ValueSize: 100, Keys: 10_000, Parents: 1,
		Pick: "uniform", Mix: "get=80,set=20", MultiSize: 10, MultiOp: "set", Watch: "exists", TellAll: true,
		SessionTimeout: 30 * time.Second, Hold: 10 * time.Second,
	}
}

// maxValue bounds a value; the server's own limit is usually lower.
const maxValue = 64 << 20

// validate refuses what makes no sense, naming the option.
func (o *Options) validate() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(len(o.Servers) == 0, "no server given")
	for _, s := range o.Servers {
		_, _, err := net.SplitHostPort(s)
		bad(err != nil, "server %q is not host:port", s)
	}
	bad(o.Connections < 1, "connections %d: there must be one at least", o.Connections)
	bad(o.Depth < 1 || o.Depth > maxBacklog, "depth %d is not within 1..%d", o.Depth, maxBacklog)
	bad(o.Rate < 0 || o.Rate > 1e8, "rate %g is not within 0..1e8 per second", o.Rate)
	bad(o.ValueSize < 0 || o.ValueSize > maxValue, "value size %d is not within 0..%d bytes", o.ValueSize, maxValue)
	bad(o.Keys < 0 || o.Keys > maxKeys, "keys %d is not within 0..%d", o.Keys, maxKeys)
	bad(o.Parents < 1 || o.Parents > maxParents, "parents %d is not within 1..%d", o.Parents, maxParents)
	bad(o.MultiSize < 1 || o.MultiSize > 10_000, "multi size %d is not within 1..10000", o.MultiSize)
	bad(o.Duration < 0 || o.Warmup < 0 || o.Ops < 0, "duration, warm-up and operations must not be negative")
	bad(o.Existing && o.Root == "", "--existing needs --root, the place of what exists")
	bad(o.Root != "" && (!strings.HasPrefix(o.Root, "/") || strings.HasSuffix(o.Root, "/")), "root %q is not the path of a znode other than /", o.Root)
	bad(!slices.Contains([]string{"", "epoll", "conn"}, o.Driver), "unknown driver %q (epoll or conn)", o.Driver)
	bad(o.Driver == "epoll" && (o.TLS != nil || runtime.GOOS != "linux"), "the epoll driver is for plain connections on Linux; use --driver conn")
	for _, a := range o.Auth {
		_, _, ok := strings.Cut(a, ":")
		bad(!ok, "identity %q is not scheme:data", a)
	}
	for _, err := range []error{second(parsePick(o.Pick)), second(parseMix(o.Mix)), second(parseWatch(o.Watch)), second(parseMultiOp(o.MultiOp))} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func second[T any](_ T, err error) error { return err }

// polled tells whether the epoll driver is used.
func (o *Options) polled() bool {
	return o.Driver == "epoll" || o.Driver == "" && o.TLS == nil && runtime.GOOS == "linux"
}

func (o *Options) dialer() *dialer {
	d := &dialer{servers: o.Servers, timeout: o.SessionTimeout, tls: o.TLS}
	for _, a := range o.Auth {
		scheme, data, _ := strings.Cut(a, ":")
		d.auth = append(d.auth, authEntry{scheme, data})
	}
	return d
}

// maxShares bounds the length of a parsed mix.
const maxShares = 10_000

// parseMix turns get=80,set=20 into a list that is drawn from evenly.
func parseMix(s string) ([]kind, error) {
	var mix []kind
	for part := range strings.SplitSeq(s, ",") {
		name, share, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return nil, fmt.Errorf("mix %q: %q is not operation=share", s, part)
		}
		k, err := parseKind(name)
		if err != nil {
			return nil, fmt.Errorf("mix %q: %w", s, err)
		}
		n, err := strconv.Atoi(share)
		if err != nil || n < 0 || n+len(mix) > maxShares {
			return nil, fmt.Errorf("mix %q: share %q is not a whole number, or the shares add up to more than %d", s, share, maxShares)
		}
		mix = append(mix, slices.Repeat([]kind{k}, n)...)
	}
	if len(mix) == 0 {
		return nil, fmt.Errorf("mix %q is empty", s)
	}
	if slices.Contains(mix, kindDelete) {
		return nil, fmt.Errorf("mix %q: deletes use their znodes up; measure them alone", s)
	}
	return mix, nil
}

var watchNames = map[string]watchMode{
	"exists": watchExists, "data": watchData, "children": watchChildren,
	"persistent": watchPersistent, "recursive": watchRecursive,
}

func parseWatch(s string) (watchMode, error) {
	m, ok := watchNames[s]
	if !ok {
		return 0, fmt.Errorf("unknown watch %q (exists, data, children, persistent or recursive)", s)
	}
	return m, nil
}

func parseMultiOp(s string) (kind, error) {
	k, err := parseKind(s)
	if err == nil && k != kindSet && k != kindCreate && k != kindExists {
		err = fmt.Errorf("a multi cannot be made of %v (set, create or exists)", k)
	}
	return k, err
}
