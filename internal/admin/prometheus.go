package admin

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// serveMetrics answers a scrape. What it needs is made by the first one: most
// servers of a laptop never see any.
func (a *Admin) serveMetrics(w http.ResponseWriter, r *http.Request) {
	a.http.metrics.Do(func() { a.http.handler = a.metricsHandler() })
	a.http.handler.ServeHTTP(w, r)
}

func (a *Admin) metricsHandler() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		&collector{a: a},
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		// Pauses and costs of the collector, and how long goroutines wait for a processor.
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(
			collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/(gc|cpu/classes/gc|sched/pauses|sched/latencies)`)})),
	)
	if a.Config.Metrics.Runtime {
		reg.MustRegister(runtimeMetrics{a})
	}
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(a.Logger.Handler(), slog.LevelWarn),
	})
}

// collector hands the catalogue to Prometheus. It describes nothing ahead, so
// that gauges may be missing while nobody serves.
type collector struct{ a *Admin }

// Describe is prometheus.Collector's.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect is prometheus.Collector's.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	n := c.a.node.Load()
	s := c.a.scrape(n)
	out <- constant("quoll_build_info", "Always 1; the version is a label.", prometheus.GaugeValue, 1,
		label{"version", c.a.Version}, label{"go_version", runtime.Version()})
	if n != nil {
		for _, m := range s.gauges() {
			out <- m.sample(s, prometheus.GaugeValue)
		}
		for _, m := range ownMetrics() {
			out <- m.sample(s, m.valueType())
		}
		for _, set := range quotaSets(n) {
			set.collect(out, prometheus.GaugeValue)
		}
	}
	for _, m := range counters() {
		out <- m.sample(s, prometheus.CounterValue)
	}
	exceeded := labelled{"quota_exceeded_error_per_namespace", "Requests refused by hard quotas.", c.a.quota.values()}
	exceeded.collect(out, prometheus.CounterValue)
	for _, m := range summaries() {
		out <- m.summarySample(s)
	}
	for _, set := range s.sets() {
		for key, m := range set.of {
			out <- m.summarySample(s, label{"key", key})
		}
	}
}

func (m *metric) valueType() prometheus.ValueType {
	if m.kind == counter {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

func (m *metric) sample(s *scrape, t prometheus.ValueType) prometheus.Metric {
	v, _ := m.number(s)
	return constant(m.name, m.help, t, v)
}

// summarySample has the quantiles of the last minutes.
func (m *metric) summarySample(s *scrape, labels ...label) prometheus.Metric {
	v := m.summary(s)
	late := v
	if m.view != nil && s.n != nil {
		late = latencySummary(s.a.windows.recent(fmt.Sprint(m.name, labels), m.view(s), s.now))
	}
	quantiles := make(map[float64]float64)
	for _, q := range m.quantiles() {
		quantiles[q] = late.at(q)
	}
	desc, values := describe(m.name, m.help, labels)
	return prometheus.MustNewConstSummary(desc, uint64(v.count), v.sum, quantiles, values...)
}

type label struct{ name, value string }

func constant(name, help string, t prometheus.ValueType, v float64, labels ...label) prometheus.Metric {
	desc, values := describe(name, help, labels)
	return prometheus.MustNewConstMetric(desc, t, v, values...)
}

func describe(name, help string, labels []label) (desc *prometheus.Desc, values []string) {
	names := make([]string, len(labels))
	values = make([]string, len(labels))
	for i, l := range labels {
		names[i], values[i] = l.name, l.value
	}
	return prometheus.NewDesc(name, help, names, nil), values
}

// labelled is a metric with a value per top-level znode.
type labelled struct {
	name, help string
	values     map[string]int64
}

func (l labelled) collect(out chan<- prometheus.Metric, t prometheus.ValueType) {
	for key, v := range l.values {
		out <- constant(l.name, l.help, t, float64(v), label{"key", key})
	}
}
