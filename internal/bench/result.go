package bench

import (
	"maps"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what one run measured. Its JSON form is what -o json prints.
type Result struct {
	Workload string    `json:"workload"`
	Time     time.Time `json:"time"`
	Load     Load      `json:"load"`
	// Seconds is the length of the measured part.
	Seconds   float64 `json:"seconds"`
	Ops       int64   `json:"ops"`
	OpsPerSec float64 `json:"ops_per_second"`
	// Latency of every kind of operation in the run; in an open loop from
	// when an operation was due.
	Latency map[string]Latency `json:"latency"`
	// Late is, in an open loop, how long after they were due operations were sent: the part of
	// the latencies that is the load's and the machine's own.
	Late *Latency `json:"late,omitempty"`
	// Errors counts refusals by their ZooKeeper code, and other failures.
	Errors map[string]int64 `json:"errors,omitempty"`
	Stalls Stalls           `json:"stalls"`
	Server *Server          `json:"server,omitempty"`
	Client Client           `json:"client"`
	// Phases are the parts of workloads that are not one steady stream.
	Phases []Phase `json:"phases,omitempty"`
}

// Load is what was asked of the server.
type Load struct {
	Servers     []string `json:"servers"`
	Connections int      `json:"connections"`
	Depth       int      `json:"depth,omitempty"`
	Rate        float64  `json:"rate,omitempty"`
	ValueSize   int      `json:"value_size"`
	Keys        int64    `json:"keys"`
	Parents     int      `json:"parents"`
	Mix         string   `json:"mix,omitempty"`
	Driver      string   `json:"driver"`
	Lanes       int      `json:"lanes"`
}

// Latency is a distribution in microseconds.
type Latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean_us"`
	Min   float64 `json:"min_us"`
	P50   float64 `json:"p50_us"`
	P90   float64 `json:"p90_us"`
	P99   float64 `json:"p99_us"`
	P999  float64 `json:"p999_us"`
	P9999 float64 `json:"p9999_us"`
	Max   float64 `json:"max_us"`
	// HDR is the whole histogram, in nanoseconds, in HdrHistogram's own
	// compressed encoding (version 2, base64), if it was asked for.
	HDR string `json:"hdr,omitempty"`
}

// Stalls tells of times in which nothing was completed.
type Stalls struct {
	// LongestGap is the longest time without a completed operation, and
	// without a completed write if there were writes, in milliseconds.
	LongestGap      float64 `json:"longest_gap_ms"`
	LongestWriteGap float64 `json:"longest_write_gap_ms,omitempty"`
	// Empty100ms and Empty1s count windows without a completed operation.
	Empty100ms int `json:"empty_100ms"`
	Empty1s    int `json:"empty_1s"`
	// SlowestSecond is the fewest operations that a full second saw, 0 for
	// runs shorter than that.
	SlowestSecond int64 `json:"slowest_second_ops"`
}

// Memory is what a process holds, in bytes; what could not be read is 0.
type Memory struct {
	RSS  int64 `json:"rss"`
	PSS  int64 `json:"pss,omitempty"`
	Peak int64 `json:"peak_rss,omitempty"`
}

// Server is what the servers' processes used, together.
type Server struct {
	PIDs []int `json:"pids"`
	// CPUSeconds is user and system time during the measured part.
	CPUSeconds float64 `json:"cpu_seconds"`
	CPUPerOp   float64 `json:"cpu_us_per_op"`
	Before     Memory  `json:"memory_before"`
	After      Memory  `json:"memory_after"`
}

// Client is what the load generator itself used, over the same time.
type Client struct {
	CPUSeconds float64 `json:"cpu_seconds"`
	CPUPerOp   float64 `json:"cpu_us_per_op"`
}

// Phase is one part of a workload such as watch or idle.
type Phase struct {
	Name string `json:"name"`
	// Count is how many things the phase was about, Seconds how long it took.
	Count   int64   `json:"count"`
	Seconds float64 `json:"seconds"`
	// ServerBytes is how much the server's resident memory grew, BytesEach
	// that divided by Count.
	ServerBytes int64   `json:"server_bytes,omitempty"`
	BytesEach   float64 `json:"bytes_each,omitempty"`
}

// fill sets the fields of r that come from the recorder; seconds is the
// length of the measured part.
func (r *Result) fill(rec *recorder, seconds float64, histograms bool) {
	r.Seconds = seconds
	r.Ops = rec.total()
	if seconds > 0 {
		r.OpsPerSec = float64(r.Ops) / seconds
	}
	r.Latency = make(map[string]Latency)
	for k, h := range rec.hist {
		if h == nil || h.TotalCount() == 0 {
			continue
		}
		r.Latency[kind(k).String()] = latency(h)
	}
	if rec.late != nil {
		l := latency(rec.late)
		r.Late = &l
	}
	if histograms {
		r.encode(rec)
	}
	r.Errors = rec.failures()
	r.Stalls = rec.stalls(seconds)
}

// latency is what a histogram tells.
func latency(h *hdrhistogram.Histogram) Latency {
	q := func(p float64) float64 { return float64(h.ValueAtQuantile(p)) / 1e3 }
	return Latency{
		Count: h.TotalCount(), Mean: h.Mean() / 1e3, Min: float64(h.Min()) / 1e3,
		P50: q(50), P90: q(90), P99: q(99), P999: q(99.9), P9999: q(99.99), Max: float64(h.Max()) / 1e3,
	}
}

// encode adds whole histograms to the latencies.
func (r *Result) encode(rec *recorder) {
	for name, l := range r.Latency {
		for k, h := range rec.hist {
			if h == nil || kind(k).String() != name {
				continue
			}
			// It cannot fail: the histogram is one of ours and is encoded in memory.
			b, _ := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
			l.HDR = string(b)
		}
		r.Latency[name] = l
	}
}

// failures names and counts what went wrong.
func (r *recorder) failures() map[string]int64 {
	m := make(map[string]int64)
	for code, n := range r.errs {
		m[code.Error()] += n
	}
	for name, n := range map[string]int64{
		"reply of an unexpected length": r.badLen,
		"session lost":                  int64(r.lost),
		"request not answered":          int64(r.unanswered),
	} {
		if n > 0 {
			m[name] = n
		}
	}
	return m
}

// stalls looks for windows without completions in the given seconds.
func (r *recorder) stalls(seconds float64) Stalls {
	s := Stalls{LongestGap: float64(r.maxGap) / 1e6, LongestWriteGap: float64(r.maxWGap) / 1e6}
	full := int(seconds * 1e9 / float64(windowLen))
	perSecond := int(time.Second) / int(windowLen)
	var second int64
	s.SlowestSecond = -1
	for w := range full {
		var n int64
		if w < len(r.windows) {
			n = int64(r.windows[w])
		}
		if n == 0 {
			s.Empty100ms++
		}
		if second += n; (w+1)%perSecond == 0 {
			if second == 0 {
				s.Empty1s++
			}
			if s.SlowestSecond < 0 || second < s.SlowestSecond {
				s.SlowestSecond = second
			}
			second = 0
		}
	}
	s.SlowestSecond = max(s.SlowestSecond, 0)
	return s
}

// kindsOf lists the operations of r by name, in order.
func (r *Result) kindsOf() []string { return slices.Sorted(maps.Keys(r.Latency)) }
