package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/quollhq/quoll/internal/bench"
)

// report is everything that was measured.
type report struct {
	Machine  string    `json:"machine"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Rounds   int       `json:"rounds"`
	Command  string    `json:"command"`
	Load     float64   `json:"load_average_before"` // of the last minute; what else the machine was busy with
	Figures  []figure  `json:"figures"`
	Runs     []run1    `json:"runs"`
}

// run1 is one run of the load.
type run1 struct {
	Subject string `json:"subject"`
	bench.Result
}

// figure is one line of the table. What was not measured is nil.
type figure struct {
	Name   string   `json:"name"`
	Unit   string   `json:"unit"`
	Apache *float64 `json:"apache,omitempty"`
	Quoll  *float64 `json:"quoll,omitempty"`
	Least  *float64 `json:"least,omitempty"`
	Target target   `json:"target"`
}

// set notes a server's value.
func (f *figure) set(subject string, v float64) {
	switch subject {
	case "apache":
		f.Apache = &v
	case "quoll":
		f.Quoll = &v
	case "least":
		f.Least = &v
	}
}

// target is what a figure should be: quoll's value, or its ratio to Apache's, at least or at most Value.
type target struct {
	Kind  string  `json:"kind"` // "value<=", "value>=", "ratio>=", "ratio<=" or "" for none
	Value float64 `json:"value,omitempty"`
}

func atMost(v float64) target       { return target{"value<=", v} }
func atLeast(v float64) target      { return target{"value>=", v} }
func timesAtLeast(v float64) target { return target{"ratio>=", v} }
func timesAtMost(v float64) target  { return target{"ratio<=", v} }

// ratio is quoll's value by Apache's, 0 if one is missing.
func (f figure) ratio() float64 {
	if f.Apache == nil || f.Quoll == nil || *f.Apache == 0 {
		return 0
	}
	return *f.Quoll / *f.Apache
}

// verdict is "pass", "MISS", or empty if there is no target or nothing to hold against it.
func (f figure) verdict() string {
	var ok bool
	switch ratio := f.ratio(); {
	case f.Target.Kind == "value<=" && f.Quoll != nil:
		ok = *f.Quoll <= f.Target.Value
	case f.Target.Kind == "value>=" && f.Quoll != nil:
		ok = *f.Quoll >= f.Target.Value
	case f.Target.Kind == "ratio>=" && ratio > 0:
		ok = ratio >= f.Target.Value
	case f.Target.Kind == "ratio<=" && ratio > 0:
		ok = ratio <= f.Target.Value
	default:
		return ""
	}
	if ok {
		return "pass"
	}
	return "MISS"
}

func (f figure) targetText() string {
	switch f.Target.Kind {
	case "value<=":
		return "<= " + number(f.Target.Value)
	case "value>=":
		return ">= " + number(f.Target.Value)
	case "ratio>=":
		return ">= " + number(f.Target.Value) + "x"
	case "ratio<=":
		return "<= " + fraction(f.Target.Value)
	}
	return ""
}

// ratioText writes ratios below one as a part, those above as a multiple.
func (f figure) ratioText() string {
	r := f.ratio()
	if r == 0 {
		return ""
	}
	if f.Target.Kind == "ratio<=" {
		return fraction(r)
	}
	return number(r) + "x"
}

// fraction writes 0.1 as 1/10.
func fraction(v float64) string {
	if v == 0 || v >= 1 {
		return number(v)
	}
	return "1/" + number(1/v)
}

// number writes three significant digits, and whole numbers from 100 on.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100 || v <= -100:
		return grouped(int64(v + 0.5))
	case v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func newReport(s *settings) *report {
	return &report{Machine: machine(), Started: time.Now().UTC(), Rounds: s.rounds, Command: s.command(), Load: loadAverage()}
}

// command is the line that measures the same again.
func (s *settings) command() string {
	return strings.Join(append([]string{"test/compare/compare.sh"}, s.args...), " ")
}

// busy is the load average from which on figures are not to be trusted.
const busy = 0.5

// loadAverage is how many tasks ran on average in the last minute, 0 if unknown.
func loadAverage() float64 {
	var one float64
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(b), &one) // stays 0 if it is not a number
	}
	return one
}

func (r *report) finish() { r.Finished = time.Now().UTC() }

func (r *report) add(f figure) { r.Figures = append(r.Figures, f) }

// writeMarkdown writes the table.
func (r *report) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Machine: %s. Measured %s by `%s`, %d rounds, in %.0f minutes.\n", r.Machine,
		r.Started.Format("2006-01-02 15:04 MST"), r.Command, r.Rounds, r.Finished.Sub(r.Started).Minutes())
	if r.Load > busy {
		fmt.Fprintf(&b, "**The machine was busy with something else (load average %.1f before): the figures tell little.**\n", r.Load)
	}
	b.WriteString("\n")
	fmt.Fprintf(&b, "| | Apache 3.9.4 | quoll | quoll : Apache | target | | least server |\n|---|--:|--:|--:|--:|---|--:|\n")
	shown := func(v *float64) string {
		if v == nil {
			return ""
		}
		return number(*v)
	}
	for _, f := range r.Figures {
		verdict := f.verdict()
		if verdict == "MISS" {
			verdict = "**MISS**"
		}
		fmt.Fprintf(&b, "| %s, %s | %s | %s | %s | %s | %s | %s |\n",
			f.Name, f.Unit, shown(f.Apache), shown(f.Quoll), f.ratioText(), f.targetText(), verdict, shown(f.Least))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *report) writeJSON(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// median of values, 0 of none.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
