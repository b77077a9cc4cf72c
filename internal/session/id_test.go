package session

import (
	"encoding/hex"
	"math"
	"sync"
	"testing"
)

// The golden values come from java.util.Random and from the arithmetic of
// Apache's SessionTrackerImpl, run by Java 17.

func TestPasswordIsJavas(t *testing.T) {
	for _, test := range []struct {
		id   int64
		want string
	}{
		{1, "054cc74a37327db215e702e20c73f005"},
		{0, "f22acd4a97e69d6d20a49bb638eadb38"},
		{-1, "20f62cb5648dc2d771471c8a2486a9ee"},
		{math.MinInt64, "f22acd4a97e69d6d20a49bb638eadb38"},
		{9223372036854775807, "20f62cb5648dc2d771471c8a2486a9ee"},
		{72057594037927937, "054cc74a37327db215e702e20c73f005"},
		{3007405056, "60b420bb3851d9d47acb933dbe70399b"},
		{72058331932327936, "6392a56db477dd0a797bc8b31d917902"},
		{9151634698790306083, "d3a13168cf4123fbba86bb501f353846"},
		{-72030159352102909, "db8cb03e43c80d4a87f2ac8691ed8599"},
	} {
		p := Password(test.id)
		if got := hex.EncodeToString(p[:]); got != test.want {
			t.Errorf("password of %#x is %s, want %s", uint64(test.id), got, test.want)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	p := Password(7)
	if !CheckPassword(7, p[:]) {
		t.Error("the right password is refused")
	}
	zero := Password(0)
	for name, test := range map[string]struct {
		id int64
		p  []byte
	}{
		"another session's": {8, p[:]},
		"too short":         {7, p[:15]},
		"too long":          {7, append(p[:], 0)},
		"none":              {7, nil},
		"session 0":         {0, zero[:]},
	} {
		if CheckPassword(test.id, test.p) {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestFirstIDIsApaches(t *testing.T) {
	for _, test := range []struct{ server, now, want int64 }{
		{1, 1700000000000, 111411200000000000},
		{0, 0, 0},
		{128, 0, -9223372036854775807}, // one more than the mark of a container
		{128, 1099511627776, -9223372036854775807},
		{255, 1234567890123, -63206546828754944},
		{-1, 5, -72057594037600256},
		{300, 99, 3170534137675317248},
		{1, 1099511627783, 72057594038386688},
		{0, -1, 72057594037862400},
		{127, 9223372036854775807, 9223372036854710272},
	} {
		if got := FirstID(test.server, test.now); got != test.want {
			t.Errorf("FirstID(%d, %d) = %d, want %d", test.server, test.now, got, test.want)
		}
	}
}

func TestIDsAreGivenOnce(t *testing.T) {
	const goroutines, each = 4, 1000
	ids := NewIDs(1, 99)
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := make(map[int64]bool)
	for range goroutines {
		wg.Go(func() {
			for range each {
				id := ids.Next()
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if first := FirstID(1, 99); len(seen) != goroutines*each || !seen[first] || !seen[first+goroutines*each-1] {
		t.Errorf("%d different numbers from %d on", len(seen), first)
	}
}
