package config

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestPropertiesAsJava compares with what java.util.Properties (17) made of
// the same bytes: a line is hex input, "ok", {hexkey=hexvalue, ...} or "err".
func TestPropertiesAsJava(t *testing.T) {
	for n, line := range readLines(t, "testdata/java-properties.txt") {
		in, want, _ := strings.Cut(line, " ")
		text, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := javaForm(text); got != want {
			t.Errorf("line %d, %q:\n got %s\nwant %s", n+1, text, got, want)
		}
	}
}

func readLines(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		lines = append(lines, sc.Text())
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	if len(lines) < 100 {
		t.Fatalf("%s has only %d lines", path, len(lines))
	}
	return lines
}

func javaForm(text []byte) string {
	props, err := ParseProperties("f", text)
	if err != nil {
		return "err"
	}
	last := make(map[string]string)
	for _, p := range props {
		last[hex.EncodeToString([]byte(p.Key))] = hex.EncodeToString([]byte(p.Value))
	}
	var out []string
	for k, v := range last {
		out = append(out, k+"="+v)
	}
	slices.SortFunc(out, func(a, b string) int {
		ka, _, _ := strings.Cut(a, "=")
		kb, _, _ := strings.Cut(b, "=")
		return strings.Compare(ka, kb)
	})
	return "ok {" + strings.Join(out, ", ") + "}"
}

func TestPropertiesLines(t *testing.T) {
	text := "# a comment \\\na=1\r\n\r\n  b = two \\\n    three\\u0021\n! another\nc:4\rd 5\n"
	props, err := ParseProperties("zoo.cfg", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []Property{{"a", "1", 2}, {"b", "two three!", 4}, {"c", "4", 7}, {"d", "5", 8}}
	if !slices.Equal(props, want) {
		t.Errorf("got %v, want %v", props, want)
	}
}

func TestPropertiesBadEscape(t *testing.T) {
	_, err := ParseProperties("zoo.cfg", []byte("a=1\nb=\\u12x4\n"))
	var se *SyntaxError
	if !errors.As(err, &se) || se.Line != 2 || !strings.HasPrefix(err.Error(), "zoo.cfg:2: found the escape") {
		t.Errorf("got %v", err)
	}
}

func FuzzParseProperties(f *testing.F) {
	for _, s := range []string{"", "a=b", "a\\\n b:c", "\\u00e9 = \\ud83d\\ude00", "#x\n!y\nz", "\\", "a=\\u12", "k\\=v=\tx\f"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		props, err := ParseProperties("f", text)
		last := 0
		for _, p := range props {
			if p.Line <= last {
				t.Fatalf("line %d comes after line %d", p.Line, last)
			}
			last = p.Line
		}
		var se *SyntaxError
		if err != nil && !errors.As(err, &se) {
			t.Fatalf("error %v is no *SyntaxError", err)
		}
	})
}

func TestParseJVMFlags(t *testing.T) {
	tests := []struct {
		in, props, others, err string
	}{
		{in: "", props: "[]", others: "[]"},
		{in: "-Xmx1g -Dzookeeper.snapCount=7  -Djute.maxbuffer=0x3fffff", props: "[{zookeeper.snapCount 7 0} {jute.maxbuffer 0x3fffff 0}]", others: "[-Xmx1g]"},
		{in: `-Da='b c' "-Dd=e f" -Dg=h\ i -Dj`, props: "[{a b c 0} {d e f 0} {g h i 0} {j  0}]", others: "[]"},
		{in: `-Da="x\"y\z" -D=q`, props: `[{a x"y\z 0}]`, others: "[-D=q]"},
		{in: "-Da=b=c\t-server\n", props: "[{a b=c 0}]", others: "[-server]"},
		{in: "-Da='b", err: "found an opening quote ' without its end"},
		{in: `-Da=b\`, err: "found a backslash at the end"},
	}
	for _, tt := range tests {
		f, err := ParseJVMFlags(tt.in)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: got error %v, want %q", tt.in, err, tt.err)
			}
			continue
		}
		if err != nil || fmt.Sprint(f.Properties) != tt.props || fmt.Sprint(f.Others) != tt.others {
			t.Errorf("%q: got %v %v %v, want %s %s", tt.in, f.Properties, f.Others, err, tt.props, tt.others)
		}
	}
}

func FuzzParseJVMFlags(f *testing.F) {
	for _, s := range []string{"-Da=b", `-Da="b c" 'd'`, `\`, `"`, "-D", "-Xss1m -Da=\\'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		flags, err := ParseJVMFlags(s)
		if err != nil {
			return
		}
		for _, p := range flags.Properties {
			if p.Key == "" || strings.Contains(p.Key, "=") {
				t.Fatalf("key %q of %q", p.Key, s)
			}
		}
	})
}
