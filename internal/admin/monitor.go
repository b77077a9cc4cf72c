package admin

import "fmt"

// monitor gives the metrics as mntr and the command monitor show them.
func (a *Admin) monitor(n *Node, yield func(key string, value any)) {
	yield("version", a.Version)
	if n != nil {
		yield("server_state", n.Mode())
	}
	s := a.scrape(n)
	if s.seat != nil {
		yield("peer_state", s.seat.peerState())
	}
	if a.Config.Metrics.Prometheus {
		monitorPrometheus(s, yield)
		return
	}
	if n != nil {
		for _, m := range s.gauges() {
			yield(m.name, m.native(s))
		}
	}
	for _, m := range counters() {
		yield(m.name, m.native(s))
	}
	for _, m := range summaries() {
		monitorSummary(m.name, &m, s, yield)
	}
	for _, set := range s.sets() {
		for _, key := range set.keys() {
			m := set.of[key]
			monitorSummary(key+"_"+m.name, &m, s, yield)
		}
	}
	for label, v := range a.quota.values() {
		yield(label+"_quota_exceeded_error_per_namespace", v)
	}
}

// native is the value as a whole number or as one with a fraction.
func (m *metric) native(s *scrape) any {
	v, whole := m.number(s)
	if whole {
		return int64(v)
	}
	return v
}

func monitorSummary(name string, m *metric, s *scrape, yield func(string, any)) {
	v := m.summary(s)
	yield("avg_"+name, v.average())
	yield("min_"+name, int64(v.min))
	yield("max_"+name, int64(v.max))
	yield("cnt_"+name, v.count)
	yield("sum_"+name, int64(v.sum))
	if m.kind != advanced {
		return
	}
	for _, p := range []struct {
		name string
		q    float64
	}{{"p50_", 0.5}, {"p95_", 0.95}, {"p99_", 0.99}, {"p999_", 0.999}} {
		at := int64(0)
		if v.count > 0 && v.quantile != nil {
			at = int64(v.quantile(p.q))
		}
		yield(p.name+name, at)
	}
}

// monitorPrometheus has the names that Apache's server shows when its metrics
// provider is Prometheus's.
func monitorPrometheus(s *scrape, yield func(string, any)) {
	if s.n != nil {
		for _, m := range s.gauges() {
			v, _ := m.number(s)
			yield(m.name, v)
		}
	}
	for _, m := range counters() {
		v, _ := m.number(s)
		yield(m.name, v)
	}
	for _, m := range summaries() {
		v := m.summary(s)
		for _, q := range m.quantiles() {
			yield(fmt.Sprintf("%s{quantile=\"%v\"}", m.name, q), v.at(q))
		}
		yield(m.name+"_count", float64(v.count))
		yield(m.name+"_sum", v.sum)
	}
	for _, set := range s.sets() {
		for _, key := range set.keys() {
			m := set.of[key]
			v := m.summary(s)
			for _, q := range m.quantiles() {
				yield(fmt.Sprintf("%s{key=\"%s\",quantile=\"%v\"}", m.name, key, q), v.at(q))
			}
			yield(fmt.Sprintf("%s_count{key=\"%s\"}", m.name, key), float64(v.count))
			yield(fmt.Sprintf("%s_sum{key=\"%s\"}", m.name, key), v.sum)
		}
	}
}

// quantiles are those that Prometheus gets.
func (m *metric) quantiles() []float64 {
	if m.kind == advanced {
		return []float64{0.5, 0.9, 0.99}
	}
	return []float64{0.5}
}

func wordMntr(a *Admin, b []byte, n *Node, _ []byte) []byte {
	a.monitor(n, func(key string, value any) {
		b = append(append(append(b, "zk_"...), key...), '\t')
		if f, ok := value.(float64); ok {
			b = append(b, javaDouble(f)...)
		} else {
			b = fmt.Append(b, value)
		}
		b = append(b, '\n')
	})
	return b
}
