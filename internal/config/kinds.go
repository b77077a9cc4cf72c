package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Kind is the type of a key's value.
type Kind string

// The kinds of values.
const (
	KindInt      Kind = "int"
	KindFloat    Kind = "float"
	KindBool     Kind = "bool"
	KindDuration Kind = "duration"
	KindSize     Kind = "size"
	KindPort     Kind = "port"
	KindPath     Kind = "path"
	KindString   Kind = "string"
	KindSecret   Kind = "secret"
	KindList     Kind = "list"
	KindChoice   Kind = "choice"
)

// spec is how a text becomes a value: parse tells whether it did, want says
// what would be right.
type spec[T any] struct {
	kind  Kind
	want  string
	parse func(text string) (T, bool)
}

const (
	maxInt32 = math.MaxInt32
	// anyNegative is the lower bound where all numbers below 1 mean the same.
	anyNegative = -math.MaxInt32
)

// javaInt reads what Integer.decode and Long.decode read: a sign, then decimal
// digits or hexadecimal ones after 0x or # or octal ones after 0.
func javaInt(s string) (int64, bool) {
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	base := 10
	switch {
	case strings.HasPrefix(s, "0x"), strings.HasPrefix(s, "0X"):
		s, base = s[2:], 16
	case strings.HasPrefix(s, "#"):
		s, base = s[1:], 16
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	if s == "" || s[0] == '-' || s[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseInt(sign+s, base, 64)
	return n, err == nil
}

func rangeText(min, max int64) string {
	switch {
	case min == anyNegative:
		return fmt.Sprintf(", at most %d", max)
	case max == math.MaxInt64:
		return fmt.Sprintf(", at least %d", min)
	}
	return fmt.Sprintf(" from %d to %d", min, max)
}

func number[T int | int64](kind Kind, what string, min, max, unit int64) spec[T] {
	return spec[T]{kind, "a whole number" + what + rangeText(min, max), func(s string) (T, bool) {
		n, ok := javaInt(s)
		if !ok || n < min || n > max {
			return 0, false
		}
		return T(n * unit), true
	}}
}

func integer(min, max int64) spec[int] { return number[int](KindInt, "", min, max, 1) }

func port() spec[int] { return number[int](KindPort, " (a TCP port)", 0, 65535, 1) }

func byteCount(min, max int64) spec[int64] { return number[int64](KindSize, " of bytes", min, max, 1) }

func kilobytes() spec[int64] {
	return number[int64](KindSize, " of kilobytes", anyNegative, math.MaxInt64>>10, 1<<10)
}

// interval is a whole number of unit; negative ones stay negative.
func interval(unit time.Duration, min int64) spec[time.Duration] {
	names := map[time.Duration]string{time.Millisecond: "milliseconds", time.Second: "seconds", time.Minute: "minutes"}
	max := int64(maxInt32)
	return spec[time.Duration]{KindDuration, "a whole number of " + names[unit] + rangeText(min, max),
		func(s string) (time.Duration, bool) {
			n, ok := javaInt(s)
			return time.Duration(n) * unit, ok && n >= min && n <= max
		}}
}

func millis(min int64) spec[time.Duration] { return interval(time.Millisecond, min) }

// purgeInterval takes hours or a number with one of ms, s, m, h, d.
func purgeInterval() spec[time.Duration] {
	units := []struct {
		suffix string
		unit   time.Duration
	}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}, {"", time.Hour}}
	return spec[time.Duration]{KindDuration, "a whole number of hours, or one with a unit: ms, s, m, h, d", func(s string) (time.Duration, bool) {
		lower := strings.ToLower(s)
		for _, u := range units {
			digits, found := strings.CutSuffix(lower, u.suffix)
			if !found {
				continue
			}
			n, err := strconv.ParseInt(digits, 10, 32)
			if err != nil || time.Duration(n).Abs() > math.MaxInt64/u.unit {
				return 0, false
			}
			return time.Duration(n) * u.unit, true
		}
		return 0, false
	}}
}

func float(min, max float64) spec[float64] {
	return spec[float64]{KindFloat, fmt.Sprintf("a number from %v to %v", min, max), func(s string) (float64, bool) {
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil && f >= min && f <= max
	}}
}

func boolean() spec[bool] { return words("true", "false") }

// yesNo is for the switches that Apache compares with "yes" or "no" exactly:
// "true" and "false" would not do there what they say.
func yesNo() spec[bool] { return words("yes", "no") }

func words(yes, no string) spec[bool] {
	return spec[bool]{KindBool, yes + " or " + no, func(s string) (bool, bool) {
		on := strings.EqualFold(s, yes)
		return on, on || strings.EqualFold(s, no)
	}}
}

func text() spec[string] { return anyText(KindString, "a text") }

func path() spec[string] { return anyText(KindPath, "a path") }

func secret() spec[string] { return anyText(KindSecret, "a text") }

func anyText(kind Kind, want string) spec[string] {
	return spec[string]{kind, want, func(s string) (string, bool) { return s, true }}
}

// choice takes one of the words, in any case, and yields it as listed.
func choice(options ...string) spec[string] {
	shown := make([]string, len(options))
	for i, o := range options {
		shown[i] = o
		if o == "" {
			shown[i] = "nothing"
		}
	}
	return spec[string]{KindChoice, "one of " + strings.Join(shown, ", "), func(s string) (string, bool) {
		for _, o := range options {
			if strings.EqualFold(o, s) {
				return o, true
			}
		}
		return "", false
	}}
}

// list takes words separated by commas; empty ones are dropped.
func list() spec[[]string] {
	return spec[[]string]{KindList, "words separated by commas", func(s string) ([]string, bool) {
		var out []string
		for w := range strings.SplitSeq(s, ",") {
			if w = strings.TrimSpace(w); w != "" {
				out = append(out, w)
			}
		}
		return out, true
	}}
}
