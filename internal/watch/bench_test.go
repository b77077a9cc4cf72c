package watch

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// heap is the memory in use after a collection: of objects, and of the spans
// that they lie in.
func heap() (objects, spans uint64) {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc, s.HeapInuse
}

// shapes are the ways in which a million watches may lie.
var shapes = []struct {
	name            string
	watchers, paths int // each watcher waits on so many
	own             bool
}{
	{"1000x1000-own-paths", 1000, 1000, true},
	{"1000x1000-same-paths", 1000, 1000, false},
	{"1000000x1-same-path", 1_000_000, 1, false},
	{"1000000x1-own-path", 1_000_000, 1, true},
	{"10000x100-own-paths", 10_000, 100, true},
}

func fill(m *Manager, watchers, paths int, own bool) {
	ids := make([]ID, watchers)
	for i := range ids {
		ids[i] = m.Attach()
	}
	buf := make([]byte, 0, 64)
	for p := range paths {
		for i, id := range ids {
			n := p
			if own {
				n = i*paths + p
			}
			buf = fmt.Appendf(buf[:0], "/services/n-%08d", n) // 20 bytes
			m.Add(id, string(buf), Data)
		}
	}
}

// bytesPerWatch is what a shape costs, in Go's heap and outside. Spans are what the process pays for, but what other tests
// left behind lies in them, too.
func bytesPerWatch(t testing.TB, watchers, paths int, own bool) (objects, spans float64) {
	objects0, spans0 := heap()
	m := poisoned(t)
	fill(m, watchers, paths, own)
	objects1, spans1 := heap()
	n, used := float64(m.Len()), m.mem.slab.Usage()
	runtime.KeepAlive(m)
	return float64(objects1-objects0+uint64(used.Used)) / n, float64(spans1-spans0+uint64(used.Mapped)) / n
}

func TestMemoryPerWatch(t *testing.T) {
	for _, s := range shapes {
		if got, _ := bytesPerWatch(t, max(s.watchers/20, 50), s.paths, s.own); got > 100 {
			t.Errorf("%s: %.1f bytes per watch", s.name, got)
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				_, spans := bytesPerWatch(b, s.watchers, s.paths, s.own)
				b.ReportMetric(spans, "B/watch")
			}
		})
	}
}

func BenchmarkFire(b *testing.B) {
	const path = "/services/n-00000042/config"
	tell := func(ID) {}
	change := func(b *testing.B, m *Manager) {
		b.ReportAllocs()
		for b.Loop() {
			m.Fire(path, proto.EventNodeDataChanged, tell)
		}
	}
	b.Run("nothing-watched", func(b *testing.B) { change(b, poisoned(b)) })
	b.Run("million-elsewhere", func(b *testing.B) {
		m := poisoned(b)
		fill(m, 1000, 1000, true)
		change(b, m)
	})
	b.Run("recursive-at-root", func(b *testing.B) {
		m := poisoned(b)
		m.Add(m.Attach(), "/", PersistentRecursive)
		change(b, m)
	})
	b.Run("persistent-10000", func(b *testing.B) {
		m := poisoned(b)
		for range 10_000 {
			m.Add(m.Attach(), path, Persistent)
		}
		change(b, m)
	})
}

// BenchmarkOneShot10000 is one event that uses up the watches of 10,000, among
// a million others.
func BenchmarkOneShot10000(b *testing.B) {
	const path = "/config"
	m := poisoned(b)
	fill(m, 10_000, 100, true)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for id := ID(1); id <= 10_000; id++ {
			m.Add(id, path, Data)
		}
		b.StartTimer()
		if n, _ := m.Fire(path, proto.EventNodeDataChanged, func(ID) {}); n != 10_000 {
			b.Fatalf("told %d", n)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	b.Run("again", func(b *testing.B) {
		m := poisoned(b)
		id := m.Attach()
		b.ReportAllocs()
		for b.Loop() {
			m.Add(id, "/services/n-00000042", Data)
		}
	})
	b.Run("and-fire", func(b *testing.B) {
		m := poisoned(b)
		id := m.Attach()
		b.ReportAllocs()
		for b.Loop() {
			m.Add(id, "/services/n-00000042", Data)
			m.Fire("/services/n-00000042", proto.EventNodeDataChanged, func(ID) {})
		}
	})
	b.Run("million-and-fire", func(b *testing.B) { // one watcher's watches are used up, and set again
		m := poisoned(b)
		fill(m, 1, 1_000_000, true)
		var longest time.Duration
		path := []byte("/services/n-00000000")
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			for j, n := len(path)-1, i%1_000_000; j > 12; j, n = j-1, n/10 {
				path[j] = byte('0' + n%10)
			}
			m.Fire(string(path), proto.EventNodeDataChanged, func(ID) {})
			begin := time.Now()
			m.Add(1, string(path), Data)
			longest = max(longest, time.Since(begin))
		}
		b.ReportMetric(float64(longest.Microseconds()), "us-longest")
		b.ReportMetric(float64(m.mem.slab.Usage().Mapped)/float64(m.Len()), "B/watch")
	})
	b.Run("parallel", func(b *testing.B) {
		m := poisoned(b)
		fill(m, 1000, 1000, true)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			id := m.Attach()
			path := []byte("/services/n-00000000")
			for i := 0; pb.Next(); i++ {
				for j, n := len(path)-1, i%1_000_000; j > 12; j, n = j-1, n/10 {
					path[j] = byte('0' + n%10)
				}
				m.Add(id, string(path), Data)
			}
		})
	})
}

func TestFireDoesNotAllocate(t *testing.T) {
	m := poisoned(t)
	fill(m, 100, 100, false)
	for id := ID(1); id <= 100; id++ {
		m.Add(id, "/", PersistentRecursive)
		m.Add(id, "/services", PersistentRecursive)
		m.Add(id, "/services/x", Persistent)
	}
	n := 0
	tell := func(ID) { n++ }
	if a := testing.AllocsPerRun(100, func() { m.Fire("/services/x", proto.EventNodeDeleted, tell) }); a != 0 {
		t.Errorf("an event allocates %v times", a)
	}
	if want := 101 * 100; n != want {
		t.Errorf("told %d times, want %d", n, want)
	}
}
