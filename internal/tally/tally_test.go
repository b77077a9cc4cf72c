package tally

import (
	"math"
	"sync"
	"testing"
	"time"
)

func TestAges(t *testing.T) {
	var l Latency
	a := AgesTo(&l, 1000)
	for _, at := range []int64{990, 990, 1000, 700, 990, 1001} { // the last one by a clock that is ahead
		a.Add(at, 1)
	}
	a.Flush()
	a.Flush()
	v := l.View()
	if v.Count != 5 || v.Sum != 330*time.Millisecond || v.Min != 0 || v.Max != 300*time.Millisecond {
		t.Errorf("%d ages of %v together, from %v to %v", v.Count, v.Sum, v.Min, v.Max)
	}
	if v.Buckets[0] != 1 || v.Buckets[14] != 3 || v.Buckets[19] != 1 {
		t.Errorf("they are in %v", v.Buckets)
	}
	none := AgesTo(&l, 1000)
	none.Flush()
	if l.View() != v {
		t.Error("nothing was added to something")
	}
}

func TestSizes(t *testing.T) {
	var s Sizes
	if v := s.View(); v != (SizesView{}) {
		t.Errorf("nothing is %+v", v)
	}
	s.Add(0)
	s.AddAll(SizesView{})
	var v SizesView
	for _, n := range []int64{7, 3, 5} {
		v.Add(n)
	}
	s.AddAll(v)
	if v := s.View(); v != (SizesView{Count: 4, Sum: 15, Max: 7}) {
		t.Errorf("%+v", v)
	}
	s.Reset()
	s.Add(9)
	if v := s.View(); v != (SizesView{Count: 1, Sum: 9, Min: 9, Max: 9}) {
		t.Errorf("after a reset: %+v", v)
	}
}

// Many goroutines that add lose nothing.
func TestTogether(t *testing.T) {
	var l Latency
	var s Sizes
	var all sync.WaitGroup
	const each, goroutines = 1000, 4
	for g := range int64(goroutines) {
		all.Go(func() {
			for i := range int64(each) {
				l.Add(2, time.Duration(g*each+i))
				s.Add(g*each + i)
			}
		})
	}
	all.Wait()
	if v := l.View(); v.Count != 2*each*goroutines || v.Min != 0 || v.Max != each*goroutines-1 {
		t.Errorf("%+v", v)
	}
	if v := s.View(); v.Count != each*goroutines || v.Min != 0 || v.Max != each*goroutines-1 {
		t.Errorf("%+v", v)
	}
}

func TestLongDurations(t *testing.T) {
	var l Latency
	l.Add(1, math.MaxInt64)
	if v := l.View(); v.Buckets[latencyBuckets-1] != 1 || v.Plus(LatencyView{}) != v || (LatencyView{}).Plus(v) != v {
		t.Errorf("%+v", v)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	var l Latency
	var s Sizes
	if n := testing.AllocsPerRun(100, func() {
		a := AgesTo(&l, 10)
		a.Add(1, 1)
		a.Flush()
		s.Add(1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
