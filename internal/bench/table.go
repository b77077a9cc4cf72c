package bench

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
)

// WriteTable writes the result for people.
func (r *Result) WriteTable(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  (%s)\n", r.Workload, r.Load.String())
	if r.Ops > 0 {
		fmt.Fprintf(&b, "  %s operations in %.2f s: %s/s\n", grouped(r.Ops), r.Seconds, grouped(int64(r.OpsPerSec)))
	}
	r.writeLatency(&b)
	r.writePhases(&b)
	if r.Server != nil && r.Ops > 0 {
		fmt.Fprintf(&b, "  server  %.2f us CPU per operation, memory %s before, %s after\n",
			r.Server.CPUPerOp, bytesText(r.Server.Before.RSS), bytesText(r.Server.After.RSS))
	}
	if r.Ops > 0 {
		fmt.Fprintf(&b, "  load    %.2f us CPU per operation\n", r.Client.CPUPerOp)
		fmt.Fprintf(&b, "  stalls  longest %.1f ms; windows without completions: %d of 100 ms, %d of 1 s\n",
			r.Stalls.LongestGap, r.Stalls.Empty100ms, r.Stalls.Empty1s)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(&b, "  ERRORS  %s: %s\n", name, grouped(r.Errors[name]))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Result) writeLatency(b *strings.Builder) {
	if len(r.Latency) == 0 {
		return
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "latency (us)\tmean\tp50\tp90\tp99\tp99.9\tp99.99\tmax\t")
	row := func(name string, l Latency) {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t\n", name, l.Mean, l.P50, l.P90, l.P99, l.P999, l.P9999, l.Max)
	}
	for _, k := range r.kindsOf() {
		row(k, r.Latency[k])
	}
	if r.Late != nil {
		row("of that until sent", *r.Late)
	}
	t.Flush()
}

func (r *Result) writePhases(b *strings.Builder) {
	if len(r.Phases) == 0 {
		return
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "phase\tcount\tms\tserver memory\tbytes each\t")
	for _, p := range r.Phases {
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%s\t%.0f\t\n", p.Name, grouped(p.Count), p.Seconds*1e3, bytesText(p.ServerBytes), p.BytesEach)
	}
	t.Flush()
}

// String tells the load in a few words.
func (l Load) String() string {
	parts := []string{fmt.Sprintf("%d sessions", l.Connections)}
	if l.Rate > 0 {
		parts = append(parts, fmt.Sprintf("%.0f/s open loop", l.Rate))
	} else {
		parts = append(parts, fmt.Sprintf("depth %d", l.Depth))
	}
	parts = append(parts, fmt.Sprintf("%d B", l.ValueSize), fmt.Sprintf("%s keys", grouped(l.Keys)))
	if l.Mix != "" {
		parts = append(parts, l.Mix)
	}
	return strings.Join(append(parts, strings.Join(l.Servers, ",")), ", ")
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func bytesText(n int64) string {
	switch abs := max(n, -n); {
	case abs >= 1<<30:
		return fmt.Sprintf("%.2f GB", float64(n)/(1<<30))
	case abs >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case abs >= 1<<10:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// progressOn writes a progress line to w if that is a terminal.
func progressOn(w io.Writer) func(stage string, done, of int64) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	start := time.Now()
	return func(stage string, done, of int64) {
		if of > 0 {
			fmt.Fprintf(f, "\r\x1b[K%s: %s of %s, %.0f s\r", stage, grouped(done), grouped(of), time.Since(start).Seconds())
			return
		}
		fmt.Fprintf(f, "\r\x1b[K%s: %s, %.0f s\r", stage, grouped(done), time.Since(start).Seconds())
	}
}
