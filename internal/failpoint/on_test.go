//go:build failpoints

package failpoint

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestPlan goes through a plan in a file that changes.
func TestPlan(t *testing.T) {
	dir := t.TempDir()
	p := &plan{file: filepath.Join(dir, "rules"), reached: filepath.Join(dir, "reached"), visited: map[Point]bool{}}
	write := func(text string) {
		if err := os.WriteFile(p.file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		p.looked = time.Time{}
	}
	if p.take(LogSync) != nil {
		t.Error("a rule without a file")
	}
	write("log/sync=fail(EIO),1x")
	if r := p.take(LogSync); r == nil || !errors.Is(r.err, syscall.EIO) {
		t.Error(r)
	}
	if p.take(LogSync) != nil || p.take(LogRead) != nil || p.take("") != nil {
		t.Error("a rule is taken too often, or elsewhere")
	}
	write("log/read=stall(1ms)")
	if r := p.take(LogRead); r == nil || r.duration != time.Millisecond {
		t.Error(r)
	}
	b, err := os.ReadFile(p.reached)
	if err != nil || string(b) != "log/sync\nlog/read\n" {
		t.Errorf("%q %v", b, err)
	}
}
