package admin

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"

	"github.com/prometheus/client_golang/prometheus"
)

// runtimeMetrics are figures of this process under the names that Apache's
// provider has for those of a JVM, so that the panels and alerts on memory,
// collections and threads go on. What only a JVM has (classes, buffer pools,
// states of threads) is missing.
type runtimeMetrics struct{ a *Admin }

// Describe is prometheus.Collector's.
func (r runtimeMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect is prometheus.Collector's.
func (r runtimeMetrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(name, help string, v float64, labels ...label) {
		out <- constant(name, help, prometheus.GaugeValue, v, labels...)
	}
	gauge("jvm_info", "Always 1; what the process runs on is in the labels.", 1,
		label{"version", runtime.Version()}, label{"vendor", "quoll " + r.a.Version}, label{"runtime", "Go"})
	gauge("jvm_threads_current", "Goroutines.", float64(runtime.NumGoroutine()))
	for _, area := range r.memory() {
		for _, f := range []struct {
			what, help string
			v          float64
		}{
			{"used", "Bytes in use.", area.used},
			{"committed", "Bytes taken from the system.", area.committed},
			{"max", "Bytes at most, -1 without a limit.", area.most},
		} {
			if area.pool == "" {
				gauge("jvm_memory_bytes_"+f.what, f.help, f.v, label{"area", area.area})
			} else {
				gauge("jvm_memory_pool_bytes_"+f.what, f.help, f.v, label{"pool", area.pool})
			}
		}
	}
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	desc := prometheus.NewDesc("jvm_gc_collection_seconds", "Collections, and the seconds that all goroutines stood still for them.", []string{"gc"}, nil)
	out <- prometheus.MustNewConstSummary(desc, uint64(gc.NumGC), gc.PauseTotal.Seconds(), nil, "Go")
}

// memoryArea is one area as a whole, or one pool in it, in bytes.
type memoryArea struct {
	area, pool            string
	used, committed, most float64
}

// memory has Go's heap, and beside it the tree and what the runtime needs.
func (r runtimeMetrics) memory() []memoryArea {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/total:bytes"},
	}
	metrics.Read(samples)
	v := make([]float64, len(samples))
	for i := range samples {
		v[i] = float64(samples[i].Value.Uint64())
	}
	objects, heap, released, total := v[0], v[0]+v[1]+v[2], v[3], v[4]
	most := -1.0
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		most = float64(limit)
	}
	var tree treeView
	if n := r.a.node.Load(); n != nil {
		tree = treeFigures(n)
	}
	own := total - released - heap
	return []memoryArea{
		{area: "heap", used: objects, committed: heap, most: most},
		{area: "nonheap", used: own + float64(tree.used), committed: own + float64(tree.mapped), most: -1},
		{pool: "heap", used: objects, committed: heap, most: most},
		{pool: "znodes", used: float64(tree.used), committed: float64(tree.mapped), most: -1},
		{pool: "runtime", used: own, committed: own, most: -1},
	}
}
