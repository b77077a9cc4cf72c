package logline

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestAttr(t *testing.T) {
	var out strings.Builder
	log := New(&out, slog.LevelInfo)
	log.Warn("first\nsecond\n", "error", errors.Join(errors.New("one"), errors.New("two")), "text", "a\nb", "n", 7, "none", nil, "plain", "c")
	_, got, _ := strings.Cut(strings.TrimSuffix(out.String(), "\n"), "level=")
	if want := `WARN msg="first; second" error="one; two" text="a; b" n=7 none=<nil> plain=c`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
