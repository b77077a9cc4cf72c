package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/bench"
)

func f(name string, apache, quoll float64, t target) figure {
	x := figure{Name: name, Unit: "u", Target: t}
	x.set("apache", apache)
	x.set("quoll", quoll)
	return x
}

func TestVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		f    figure
		want string
	}{
		"seven times":         {f("", 100, 700, timesAtLeast(7)), "pass"},
		"less than seven":     {f("", 100, 699, timesAtLeast(7)), "MISS"},
		"a tenth":             {f("", 10, 1, timesAtMost(0.1)), "pass"},
		"more than a tenth":   {f("", 10, 1.01, timesAtMost(0.1)), "MISS"},
		"small enough":        {f("", 0, 200, atMost(200)), "pass"},
		"too large":           {f("", 0, 201, atMost(200)), "MISS"},
		"large enough":        {f("", 0, 80, atLeast(80)), "pass"},
		"too small":           {f("", 0, 79, atLeast(80)), "MISS"},
		"nothing is enough":   {f("", 5, 0, atMost(0)), "pass"},
		"nothing to hold":     {f("", 0, 700, timesAtLeast(7)), ""},
		"not measured, value": {figure{Target: atMost(5)}, ""},
		"not measured, ratio": {figure{Target: timesAtMost(5)}, ""},
		"no target":           {f("", 1, 2, target{}), ""},
	} {
		if got := c.f.verdict(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	r := &report{Machine: "a machine", Rounds: 3, Load: 2, Command: "compare.sh -x"}
	r.add(f("gets", 171000, 1300000, timesAtLeast(7)))
	r.add(f("gets CPU", 9, 1.2, timesAtMost(0.1)))
	r.add(figure{Name: "memory", Unit: "B", Target: atMost(200)})
	r.Figures[0].set("least", 2060000)
	var b bytes.Buffer
	if err := r.writeMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| gets, u | 171,000 | 1,300,000 | 7.60x | >= 7x | pass | 2,060,000 |",
		"| gets CPU, u | 9 | 1.20 | 1/7.50 | <= 1/10 | **MISS** |  |",
		"`compare.sh -x`", "busy with something else (load average 2.0 before)",
		"| memory, B |  |  |  | <= 200 |  |  |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("missing %s in\n%s", want, b.String())
		}
	}
}

func TestMedian(t *testing.T) {
	for want, v := range map[float64][]float64{0: nil, 2: {3, 1, 2}, 2.5: {4, 1, 3, 2}, 7: {7}} {
		if got := median(v); got != want {
			t.Errorf("median of %v is %g", v, got)
		}
	}
}

func TestCollectionsAreRead(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	text := "starting\n" +
		"gc 1 @0.012s 2%: 0.026+0.39+0.10 ms clock, 0.21+0.88/0.52/0+0.80 ms cpu, 4->4->0 MB, 5 MB goal, 8 P\n" +
		"some line\n" +
		"gc 12 @7.5s 1%: 0.9+12+0.2 ms clock, 0.21+0.88/0.52/0+0.80 ms cpu, 4->4->0 MB, 0 MB stacks, 0 MB globals, 5 MB goal, 2 P\n"
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readCollections(log)
	if err != nil || c.count != 2 || c.longest != 0.9 || c.share != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestFlags(t *testing.T) {
	if s, err := parse(nil, &bytes.Buffer{}); err != nil || len(s.suites) != len(suites) {
		t.Errorf("without arguments: %+v, %v", s, err)
	}
	for _, bad := range [][]string{{"nonsense"}, {"-rounds", "0"}, {"-only", "etcd"}, {"-seconds", "-1"}} {
		if _, err := parse(bad, &bytes.Buffer{}); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

func TestReportTakesMediansOfRounds(t *testing.T) {
	s := samples{}
	for _, v := range []float64{100, 300, 200} {
		s["apache"] = append(s["apache"], &bench.Result{OpsPerSec: v})
		s["quoll"] = append(s["quoll"], &bench.Result{OpsPerSec: 10 * v, Server: &bench.Server{CPUPerOp: v}})
	}
	r := &report{}
	workloads[0].report(r, s)
	if len(r.Figures) != 2 || *r.Figures[0].Apache != 200 || *r.Figures[0].Quoll != 2000 || *r.Figures[1].Quoll != 200 || r.Figures[0].Least != nil {
		t.Errorf("%+v", r.Figures)
	}
}
