package server_test

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestClosedServersGiveTheirMemoryBack, also that which the collector does not
// see.
func TestClosedServersGiveTheirMemoryBack(t *testing.T) {
	cycle := func() {
		r := newServer(t, t.TempDir(), nil)
		if err := r.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.dial(t).Detach()
		r.Close()
	}
	cycle()
	before := mapped(t)
	const servers = 20
	for range servers {
		cycle()
	}
	await(t, "their mappings to go", func() bool {
		runtime.GC()
		return mapped(t) < before+servers<<20 // a tree takes more; Go's heap may have grown
	})
}

// mapped is how many bytes of this process's memory are mapped to no file.
func mapped(t *testing.T) int64 {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip(err)
	}
	var n int64
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		from, to, _ := strings.Cut(f[0], "-")
		low, _ := strconv.ParseUint(from, 16, 64)
		high, _ := strconv.ParseUint(to, 16, 64)
		if len(f) == 5 {
			n += int64(high - low)
		}
	}
	return n
}
