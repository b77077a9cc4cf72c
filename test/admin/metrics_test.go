package admin_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

// family is what /metrics says of one metric.
type family struct {
	kind   string
	series []string // names with labels, without values
}

func parseMetrics(text string) map[string]*family {
	families := make(map[string]*family)
	of := func(name string) *family {
		if families[name] == nil {
			families[name] = &family{}
		}
		return families[name]
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			of(name).kind = kind
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		series := strings.ReplaceAll(line[:strings.LastIndexByte(line, ' ')], ",}", "}")
		name, _, _ := strings.Cut(series, "{")
		for _, suffix := range []string{"_count", "_sum"} {
			if base := strings.TrimSuffix(name, suffix); base != name && families[base] != nil && families[base].kind == "summary" {
				name = base
			}
		}
		of(name).series = append(of(name).series, series)
	}
	return families
}

func scrape(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", url, res.StatusCode, err)
	}
	return string(b)
}

// What a dashboard asks Apache's Prometheus provider for is there, on the same
// port, with the same types, labels and quantiles.
func TestPrometheusNames(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	texts := make(map[string]string)
	for _, subject := range []harness.Subject{harness.Apache, harness.Quoll} {
		keys, port := prometheusKeys(), harness.FreePort(t)
		delete(keys, "metricsProvider.exportJvmInfo")
		keys["metricsProvider.httpPort"] = fmt.Sprint(port)
		s := newScene(t, subject, keys)
		if _, err := s.client.Create(s.ctx(), "/zookeeper/quota/a", nil); err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string]string{"zookeeper_limits": "count=10,bytes=1000=;byteHardLimit=2000", "zookeeper_stats": "count=0,bytes=0"} {
			if _, err := s.client.Create(s.ctx(), "/zookeeper/quota/a/"+name, []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		texts[subject.Name()] = scrape(t, fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
		if subject == harness.Quoll {
			if admin := parseMetrics(s.get("/metrics").body); len(admin) < 100 {
				t.Errorf("the admin server has %d metrics", len(admin))
			}
		}
	}
	quoll := parseMetrics(texts["quoll"])
	for name, want := range parseMetrics(texts["apache"]) {
		if jvmAlone(name) {
			continue
		}
		got := quoll[name]
		if got == nil {
			if len(want.series) > 0 {
				t.Errorf("%s is missing", name)
			}
			continue
		}
		if got.kind != want.kind {
			t.Errorf("%s is a %s, with Apache a %s", name, got.kind, want.kind)
		}
		if strings.HasPrefix(name, "jvm_") && name != "jvm_pause_time_ms" {
			if got, want := labels(got.series), labels(want.series); got != want {
				t.Errorf("%s has the labels %s, with Apache %s", name, got, want)
			}
			continue
		}
		slices.Sort(got.series)
		slices.Sort(want.series)
		if !slices.Equal(got.series, want.series) {
			t.Errorf("%s: Apache has %v, quoll %v", name, want.series, got.series)
		}
	}
	for _, name := range []string{"go_gc_duration_seconds", "process_resident_memory_bytes", "quoll_build_info", "op_count_create"} {
		if quoll[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	same(t, "values of quotas", grep(texts["apache"], "quota_"), grep(texts["quoll"], "quota_"))
}

// jvmAlone tells metrics of what there is only in a JVM.
func jvmAlone(name string) bool {
	for _, prefix := range []string{"jvm_buffer_pool_", "jvm_classes_", "jvm_memory_pool_allocated_", "jvm_threads_"} {
		if strings.HasPrefix(name, prefix) && name != "jvm_threads_current" {
			return true
		}
	}
	return strings.HasPrefix(name, "jvm_memory") && strings.HasSuffix(name, "_init")
}

// labels are the names of the labels that series have, whose values differ.
func labels(series []string) string {
	all := make(map[string]bool)
	for _, s := range series {
		for _, m := range labelName.FindAllStringSubmatch(s, -1) {
			all[m[1]] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(all)), ",")
}

var labelName = regexp.MustCompile(`[{,](\w+)="`)

// grep gives the sorted samples whose names begin so.
func grep(text, prefix string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			line = strings.ReplaceAll(strings.TrimSpace(line), ",}", "}")
			lines = append(lines, strings.TrimSuffix(line, ".0"))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestHealth(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	s := newScene(t, harness.Quoll, nil)
	for _, path := range []string{"/livez", "/readyz", "/readyz?verbose"} {
		got := s.get(path)
		if got.status != http.StatusOK || !strings.HasSuffix(got.body, "ok\n") {
			t.Errorf("%s: %d %q", path, got.status, got.body)
		}
	}
	if got := s.get("/readyz?verbose").body; !strings.Contains(got, "[+] serving: ok\n") || !strings.Contains(got, "[+] disk: ok\n") {
		t.Errorf("%q", got)
	}
	page := s.get("/")
	if page.status != http.StatusOK || !strings.Contains(page.body, "<h2>Now</h2>") || !strings.Contains(page.body, `href="/commands/monitor"`) {
		t.Errorf("%d %s", page.status, page.body)
	}
	if got := s.get("/debug/pprof/cmdline"); got.status != http.StatusOK {
		t.Errorf("pprof from this machine: %d", got.status)
	}
	if got := s.get("/nothing"); got.status != http.StatusNotFound {
		t.Errorf("/nothing: %d", got.status)
	}
}
