package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is one figure. What was not measured is negative.
type row struct {
	name, unit             string
	original, compat, ours float64
	target                 string
	met                    bool
}

type table struct{ rows []row }

// none is a figure that does not apply.
const none = -1

func (t *table) add(r row) { t.rows = append(t.rows, r) }

func (t *table) print(w io.Writer, command string) {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	fmt.Fprintf(w, "%d x %s, %s, %s, `%s`\n\n", runtime.NumCPU(), model, runtime.Version(), time.Now().UTC().Format("2006-01-02 15:04 MST"), strings.TrimSpace(command))
	fmt.Fprintf(w, "| | go-zookeeper/zk | compat/zk | client | target | |\n|---|--:|--:|--:|--:|---|\n")
	for _, r := range t.rows {
		verdict := "**miss**"
		if r.met {
			verdict = "pass"
		}
		if r.target == "" {
			verdict = ""
		}
		fmt.Fprintf(w, "| %s, %s | %s | %s | %s | %s | %s |\n", r.name, r.unit, number(r.original), number(r.compat), number(r.ours), r.target, verdict)
	}
}

// number writes three significant digits.
func number(v float64) string {
	switch {
	case v < 0:
		return ""
	case v >= 1000:
		s := fmt.Sprintf("%.0f", v)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
