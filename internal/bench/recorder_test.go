package bench

import (
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/quollhq/quoll/internal/proto"
)

func testRecorder(from, to int64) *recorder {
	all, writes := &pulse{}, &pulse{}
	all.last.Store(from)
	writes.last.Store(from)
	return newRecorder(span{from, to}, all, writes)
}

const ms = int64(time.Millisecond)

func TestRecorderPercentiles(t *testing.T) {
	a, b := testRecorder(0, forever), testRecorder(0, forever)
	for i := int64(1); i <= 1000; i++ {
		r := a
		if i%2 == 0 {
			r = b
		}
		r.done(kindGet, 0, i*1000, 1)
	}
	a.merge(b)
	var res Result
	res.fill(a, 1, true)
	l := res.Latency["get"]
	h, err := hdrhistogram.Decode([]byte(l.HDR))
	if err != nil || h.TotalCount() != 1000 || float64(h.ValueAtQuantile(50))/1e3 != l.P50 {
		t.Errorf("the encoded histogram does not decode to itself: %v", err)
	}
	if l.Count != 1000 || res.Ops != 1000 {
		t.Fatalf("%d latencies of %d operations", l.Count, res.Ops)
	}
	for name, v := range map[string][2]float64{
		"p50": {l.P50, 500}, "p90": {l.P90, 900}, "p99": {l.P99, 990}, "p99.9": {l.P999, 999}, "max": {l.Max, 1000},
		"mean": {l.Mean, 500.5},
	} {
		if diff := v[0] - v[1]; diff < -0.002*v[1] || diff > 0.002*v[1] {
			t.Errorf("%s is %g us, want %g", name, v[0], v[1])
		}
	}
}

func TestRecorderCountsBatches(t *testing.T) {
	r := testRecorder(0, forever)
	r.done(kindSet, 0, 5*ms, 20)
	r.done(kindSet, 0, 7*ms, 1)
	if n := r.hist[kindSet].TotalCount(); n != 21 || r.ops[kindSet] != 21 {
		t.Errorf("%d latencies, %d operations", n, r.ops[kindSet])
	}
}

func TestRecorderLeavesWarmUpOut(t *testing.T) {
	r := testRecorder(100*ms, 200*ms)
	r.done(kindGet, 50*ms, 60*ms, 1)   // warm-up
	r.done(kindGet, 90*ms, 110*ms, 1)  // completed within, but begun before
	r.done(kindGet, 120*ms, 130*ms, 1) // within
	r.done(kindGet, 190*ms, 250*ms, 1) // begun within, completed after
	if r.ops[kindGet] != 2 {
		t.Errorf("%d operations, want 2", r.ops[kindGet])
	}
	if n := r.hist[kindGet].TotalCount(); n != 2 {
		t.Errorf("%d latencies, want 2", n)
	}
	if hi := r.hist[kindGet].Max(); hi < 59*ms || hi > 61*ms {
		t.Errorf("slowest %d ns: the one that ended late is missing", hi)
	}
}

func TestRecorderStalls(t *testing.T) {
	r := testRecorder(0, 4000*ms)
	for at := int64(0); at < 4000; at += 10 {
		if at >= 500 && at < 2500 {
			continue
		}
		k := kindGet
		if at < 500 {
			k = kindSet
		}
		r.done(k, at*ms, at*ms+1, 1)
	}
	s := r.stalls(4)
	if s.Empty100ms != 20 || s.Empty1s != 1 {
		t.Errorf("%d windows of 100 ms and %d of 1 s, want 20 and 1", s.Empty100ms, s.Empty1s)
	}
	if s.LongestGap < 2009 || s.LongestGap > 2011 {
		t.Errorf("longest gap %g ms, want 2010", s.LongestGap)
	}
	if s.SlowestSecond != 0 {
		t.Errorf("slowest second saw %d operations", s.SlowestSecond)
	}
	if s.LongestWriteGap > 11 {
		t.Errorf("longest gap between writes %g ms, want 10", s.LongestWriteGap)
	}
}

func TestGapSpansLanes(t *testing.T) {
	a := testRecorder(0, forever)
	b := newRecorder(a.span, a.all, a.writes)
	a.done(kindGet, 0, 10*ms, 1)
	b.done(kindGet, 0, 15*ms, 1)
	a.done(kindGet, 0, 20*ms, 1)
	a.merge(b)
	if a.maxGap != 10*ms {
		t.Errorf("longest gap %d ns, want the first 10 ms", a.maxGap)
	}
}

func TestFailuresAreNamed(t *testing.T) {
	r := testRecorder(0, forever)
	r.refused(proto.NoNode)
	r.refused(proto.NoNode)
	r.badLen, r.lost, r.unanswered = 1, 2, 3
	m := r.failures()
	if m[proto.NoNode.Error()] != 2 || m["session lost"] != 2 || m["request not answered"] != 3 || len(m) != 4 {
		t.Errorf("%v", m)
	}
}
