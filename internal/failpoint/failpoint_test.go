package failpoint

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	rules, err := Parse("log/sync=fail(ENOSPC),2x,50%; clock/wall=shift(-1h);broadcast/commit=crash;client/read=stall(20ms)")
	if err != nil || len(rules) != 4 {
		t.Fatal(rules, err)
	}
	if r := rules[LogSync]; r.action != fail || !errors.Is(r.err, syscall.ENOSPC) || r.times != 2 || r.chance != 0.5 {
		t.Errorf("%+v", r)
	}
	if r := rules[Clock]; r.action != shift || r.duration != -time.Hour {
		t.Errorf("%+v", r)
	}
	if r := rules[Commit]; r.action != crash || r.chance != 1 {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{
		"log/sync", "nowhere=crash", "log/sync=explode", "log/sync=fail(ENOENT)", "log/sync=stall(soon)",
		"log/sync=crash,now and then", "log/sync=crash,2.5x", "broadcast/commit=fail", "log/sync=crash,x%",
	} {
		if _, err := Parse(bad); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestPoints checks the table: the names of places and of what they belong to are told apart, and there is a text for each.
func TestPoints(t *testing.T) {
	seen := map[Point]bool{}
	for _, d := range Points() {
		if seen[d.Point] || d.Text == "" {
			t.Errorf("%+v", d)
		}
		seen[d.Point] = true
	}
	if len(seen) < 41 {
		t.Errorf("only %d places", len(seen))
	}
}

func TestNothingWithoutTag(t *testing.T) {
	if Enabled {
		t.Skip("built with failpoints")
	}
	t.Setenv("FAILPOINTS", "log/sync=crash")
	if err := Hit(LogSync); err != nil || Shift(Clock) != 0 {
		t.Error("a place does something in a server that was built without failpoints")
	}
}

// TestTable compares the table that people read.
func TestTable(t *testing.T) {
	b, err := os.ReadFile("../../docs/failpoints.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(b), "| place | when | can fail |\n|---|---|---|\n")
	var want strings.Builder
	for _, d := range Points() {
		fails := ""
		if d.Fails {
			fails = "yes"
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", d.Point, d.Text, fails)
	}
	if table != want.String() {
		t.Errorf("docs/failpoints.md is to end with:\n%s", want.String())
	}
}
