package bench

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestTableTellsWhatMatters(t *testing.T) {
	r := Result{
		Workload: "set", Seconds: 2, Ops: 1234567, OpsPerSec: 617283.5,
		Load:    Load{Servers: []string{"a:1"}, Connections: 50, Depth: 20, ValueSize: 100, Keys: 10000},
		Latency: map[string]Latency{"set": {Count: 1234567, Mean: 10, P50: 11, P99: 99, Max: 1000}},
		Errors:  map[string]int64{"session lost": 1},
		Server:  &Server{PIDs: []int{7}, CPUPerOp: 1.25, Before: Memory{RSS: 10 << 20}, After: Memory{RSS: 3 << 30}},
		Stalls:  Stalls{LongestGap: 12.5, Empty100ms: 3},
		Phases:  []Phase{{Name: "fill", Count: 10, Seconds: 0.5, ServerBytes: 2000, BytesEach: 200}},
	}
	var b bytes.Buffer
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1,234,567", "617,283/s", "50 sessions", "depth 20", "1.25 us", "10.0 MB", "3.00 GB",
		"12.5 ms", "3 of 100 ms", "ERRORS  session lost: 1", "fill", "p99.9"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

func TestResultRoundTripsAsJSON(t *testing.T) {
	r := Result{Workload: "get", Ops: 5, Server: &Server{CPUPerOp: 2}, Latency: map[string]Latency{"get": {P999: 3}}}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if back.Server.CPUPerOp != 2 || back.Latency["get"].P999 != 3 {
		t.Errorf("%s", b)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234: "-1,234", -123: "-123", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestOutputFormatIsChecked(t *testing.T) {
	cmd := NewCommand()
	cmd.SetArgs([]string{"-o", "xml", "get"})
	cmd.SetErr(&bytes.Buffer{})
	if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "xml") {
		t.Errorf("error %v", err)
	}
}
