package contend

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
)

func TestParseNumber(t *testing.T) {
	for name, want := range map[string]Number{
		"_c_f0e242b7-be3b-4ea2-ba07-239dc219d233-lock-0000000000": 0,
		"_c_1234567890abcdef1234567890abcdef-lock-0000000017":     17,
		"581acc6779b345d099878364c63fd2dd__lock__0000000003":      3,
		"x-72057594037927936-0000000004":                          4,
		"n_0000000005":                                            5,
		"0000000006":                                              6,
		"lock-2147483647":                                         math.MaxInt32,
		"lock--2147483648":                                        math.MinInt32,
		"lock--000000001":                                         -1,
		"581a__lock__-2147483648":                                 math.MinInt32,
		"581a__lock__-000000012":                                  -12,
		"queue-1000000050000000007":                               7,
		"lock-1000000000":                                         1000000000,
		"lock--1000000000":                                        -1000000000,
	} {
		if got, ok := ParseNumber(name); !ok || got != want {
			t.Errorf("%s: %d, %v; want %d", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "config", "lock-", "lock-000000001", "lock-9999999999", "lock-12", "é"} {
		if got, ok := ParseNumber(name); ok {
			t.Errorf("%q: %d", name, got)
		}
	}
}

func TestBefore(t *testing.T) {
	for _, tc := range []struct {
		a, b   Number
		before bool
	}{
		{1, 2, true}, {2, 1, false}, {1, 1, false}, {-1, 0, true},
		{math.MaxInt32, math.MinInt32, true}, {math.MinInt32, math.MaxInt32, false},
	} {
		if got := tc.a.Before(tc.b); got != tc.before {
			t.Errorf("%d before %d: %v", tc.a, tc.b, got)
		}
	}
}

// Contenders of all programs are in one order, also around the end of numbers.
func TestOrder(t *testing.T) {
	want := []string{
		"x-72057594037927936-2147483646", "ffff__lock__2147483647", "_c_aaaa-lock--2147483648", "_c_0000-__READ__-2147483647", "read-ffff--2147483646",
	}
	entries, err := Order("/p", []string{want[3], want[1], want[4], want[0], want[2]})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if e.Name != want[i] || e.Shared != (i >= 3) {
			t.Errorf("%d: %+v", i, e)
		}
	}
	_, err = Order("/p", []string{"lock-0000000001", "readme"})
	if !errors.Is(err, client.ErrBadArguments) || !strings.Contains(err.Error(), "/p/readme") {
		t.Error(err)
	}
}

func TestIsShared(t *testing.T) {
	for name, want := range map[string]bool{
		"_c_x-__READ__0000000001": true, "_c_x-__WRIT__0000000001": false, "5f__rlock__0000000002": true, "5f__lock__0000000002": false,
		"read-5f-0000000003": true, "_c_x-lock-0000000001": false, "thread-0000000001": false,
	} {
		if prefix, _, _ := Cut(name); isShared(prefix) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func FuzzParseNumber(f *testing.F) {
	for _, name := range []string{"lock-0000000001", "lock--2147483648", "__lock__-000000001", "9999999999", "_-000000000", "-", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		n, ok := ParseNumber(name)
		if !ok {
			return
		}
		if n == 0 && !strings.HasSuffix(name, "0000000000") {
			t.Errorf("%q: 0", name)
		}
		_, _ = Order("/p", []string{name, "lock-0000000001"})
	})
}
