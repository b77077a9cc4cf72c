package bench

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/quollhq/quoll/internal/proto"
)

const (
	// longestLatency bounds what a histogram tells apart, in nanoseconds;
	// what took longer counts as that.
	longestLatency = int64(10 * time.Minute)
	// significantDigits of every latency are kept.
	significantDigits = 3
	// windowLen is how finely completions are counted over time.
	windowLen = int64(100 * time.Millisecond)
	// maxWindows bounds the memory of a long run: 4 MB, 29 hours.
	maxWindows = 1 << 20
)

// span is the measured part of a run, in nanoseconds of the run's clock:
// what starts before from is warm-up, nothing new starts after to.
type span struct{ from, to int64 }

const forever = int64(math.MaxInt64)

// pulse finds the longest time without a completed operation over all lanes.
type pulse struct {
	last atomic.Int64
	_    [56]byte // lanes write last; nothing else shares its cache line
}

// beat notes a completion and returns the time since the one before.
func (p *pulse) beat(now int64) int64 { return now - p.last.Swap(now) }

// recorder is what one lane measures. One goroutine at a time uses it.
type recorder struct {
	span   span
	all    *pulse        // completions of any operation
	writes *pulse        // completions of writes
	shown  *atomic.Int64 // counts completions for who looks on; nil if nobody does
	hist   [kinds]*hdrhistogram.Histogram
	late   *hdrhistogram.Histogram // open loop: from when an operation was due to when it was sent
	ops    [kinds]int64            // completed within span
	errs   map[proto.Code]int64
	badLen int64 // replies of another length than they should have
	// lost counts sessions that broke, unanswered requests that were given up.
	lost       int
	unanswered int

	windows []uint32
	first   int64 // earliest and latest completion, 0 = none
	last    int64
	maxGap  int64
	maxWGap int64
}

func newRecorder(s span, all, writes *pulse) *recorder {
	return &recorder{span: s, all: all, writes: writes, errs: make(map[proto.Code]int64)}
}

// done records n operations of kind k that began (or were due) at start and
// ended now.
func (r *recorder) done(k kind, start, now int64, n int32) {
	if start >= r.span.from {
		record(&r.hist[k], now-start, int64(n))
	}
	if r.shown != nil {
		r.shown.Add(int64(n))
	}
	if now < r.span.from || now > r.span.to {
		return
	}
	r.ops[k] += int64(n)
	r.count(now, n)
	r.maxGap = max(r.maxGap, r.all.beat(now))
	if k.isWrite() {
		r.maxWGap = max(r.maxWGap, r.writes.beat(now))
	}
}

// sent records when an operation of an open loop was sent that was due at due.
func (r *recorder) sent(due, now int64) {
	if due >= r.span.from {
		record(&r.late, now-due, 1)
	}
}

// record adds n times d nanoseconds to a histogram.
func record(h **hdrhistogram.Histogram, d, n int64) {
	// The value is within bounds, so that recording cannot fail.
	_ = made(h).RecordValues(min(max(d, 1), longestLatency), n)
}

// mergeHistogram adds what o holds to h.
func mergeHistogram(h **hdrhistogram.Histogram, o *hdrhistogram.Histogram) {
	if o != nil {
		made(h).Merge(o)
	}
}

// made is a histogram, which is made if it is not there so far.
func made(h **hdrhistogram.Histogram) *hdrhistogram.Histogram {
	if *h == nil {
		*h = hdrhistogram.New(1, longestLatency, significantDigits)
	}
	return *h
}

// count notes n completions at now.
func (r *recorder) count(now int64, n int32) {
	if r.first == 0 {
		r.first = now
	}
	r.last = now
	w := int(min((now-r.span.from)/windowLen, maxWindows-1))
	for w >= len(r.windows) {
		r.windows = append(r.windows, make([]uint32, w+1-len(r.windows))...)
	}
	r.windows[w] += uint32(n)
}

func (r *recorder) refused(c proto.Code) { r.errs[c]++ }

// merge adds what o measured to r.
func (r *recorder) merge(o *recorder) {
	for k, h := range o.hist {
		mergeHistogram(&r.hist[k], h)
	}
	mergeHistogram(&r.late, o.late)
	for k, n := range o.ops {
		r.ops[k] += n
	}
	for c, n := range o.errs {
		r.errs[c] += n
	}
	r.badLen += o.badLen
	r.mergeTimes(o)
}

func (r *recorder) mergeTimes(o *recorder) {
	if d := len(o.windows) - len(r.windows); d > 0 {
		r.windows = append(r.windows, make([]uint32, d)...)
	}
	for i, n := range o.windows {
		r.windows[i] += n
	}
	if r.first == 0 || o.first != 0 && o.first < r.first {
		r.first = o.first
	}
	r.last = max(r.last, o.last)
	r.maxGap = max(r.maxGap, o.maxGap)
	r.maxWGap = max(r.maxWGap, o.maxWGap)
}

// total is the number of operations completed within the span.
func (r *recorder) total() (n int64) {
	for _, k := range r.ops {
		n += k
	}
	return n
}
