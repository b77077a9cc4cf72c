package functions_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/servertest"
)

// Who reads a context that has no properties is told why it has none.
func TestNoProperties(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	for _, words := range [][]string{
		{"config", "canary", "start", "canaries", "bigger", "--instance", "i1", "a=1"},
		{"config", "set", "emptied", "a=1"},
		{"config", "delete", "emptied", "a"},
	} {
		check(t, quoll(ctx, server, "", t.Output(), words...))
	}
	const canaries, emptied = "canaries bigger: quoll config canary list canaries", "revision 2 has left none: quoll config history emptied"
	for _, test := range []struct {
		words []string
		why   string
	}{
		{[]string{"config", "get", "canaries"}, canaries},
		{[]string{"config", "get", "canaries", "a"}, canaries},
		{[]string{"config", "get", "-o", "json", "canaries"}, canaries},
		{[]string{"config", "resolve", "canaries", "--instance", "i2"}, canaries},
		{[]string{"config", "get", "emptied"}, emptied},
		{[]string{"config", "get", "emptied", "a"}, emptied},
		{[]string{"config", "resolve", "emptied"}, emptied},
	} {
		var out bytes.Buffer
		err := quoll(ctx, server, "", &out, test.words...)
		if err == nil || !strings.Contains(err.Error(), test.why) || out.Len() > 0 {
			t.Errorf("%q: %v, %q", test.words, err, &out)
		}
	}
	want(t, server, "", "a=1\n", 0, "config", "resolve", "canaries", "--instance", "i1")
	var out, errs bytes.Buffer
	check(t, quollErr(ctx, server, "", &out, &errs, "config", "canary", "list", "emptied"))
	if out.Len() > 0 || !strings.Contains(errs.String(), `"emptied" has no canaries`) {
		t.Errorf("%q, %q", &out, &errs)
	}
}

// An encrypted value without its key is an error that names the property and the flag,
// whoever reads it, unless it is asked for as it is.
func TestSealed(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	check(t, os.WriteFile(in, []byte(`{{property "orders" "password"}}`), 0o600))
	var rings []string
	for _, name := range []string{"one", "other"} {
		var line bytes.Buffer
		check(t, quoll(ctx, server, "", &line, "config", "keygen", name))
		rings = append(rings, filepath.Join(dir, name))
		check(t, os.WriteFile(filepath.Join(dir, name), line.Bytes(), 0o600))
	}
	check(t, quoll(ctx, server, "", t.Output(), "config", "set", "orders", "color=red", "--keyring", rings[0], "--encrypt", "password=secret"))
	for _, words := range [][]string{
		{"config", "get", "orders"},
		{"config", "get", "orders", "password"},
		{"config", "resolve", "orders"},
		{"config", "resolve", "orders", "--origins"},
		{"config", "watch", "orders"},
		{"template", "--once", "-t", in + ":" + in + ".out"},
	} {
		for ring, parts := range map[string][]string{
			"":       {`it is encrypted with key "one", and there is no keyring`, "--keyring FILE"},
			rings[1]: {`the keyring has no key "one"`, "--keyring " + rings[1]},
		} {
			var out bytes.Buffer
			err := quoll(ctx, server, "", &out, append(words, "--keyring", ring)...)
			for _, part := range append(parts, `in orders: property "password" cannot be decrypted`) {
				if err == nil || !strings.Contains(err.Error(), part) || out.Len() > 0 {
					t.Errorf("%q with keyring %q: %v, %q", words, ring, err, &out)
				}
			}
		}
	}
	want(t, server, "", "secret\n", 0, "config", "get", "orders", "password", "--keyring", rings[0])
	want(t, server, "", "red\n", 0, "config", "get", "orders", "color") // which needs no key
	for _, verb := range []string{"get", "resolve"} {
		var out bytes.Buffer
		check(t, quoll(ctx, server, "", &out, "config", verb, "orders", "--raw"))
		if !strings.HasPrefix(out.String(), "color=red\npassword={quoll:one}") {
			t.Error(out.String())
		}
		if err := quoll(ctx, server, "", t.Output(), "config", verb, "orders", "--raw", "--keyring", rings[0]); err == nil {
			t.Errorf("%s --raw takes a keyring", verb)
		}
	}
}

// Who watches is told on standard error what is refused, and why, and when it is good
// again; on standard output there is only what is used.
func TestWatchRefused(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	var line bytes.Buffer
	check(t, quoll(ctx, server, "", &line, "config", "keygen", "k"))
	ring := filepath.Join(t.TempDir(), "ring")
	check(t, os.WriteFile(ring, line.Bytes(), 0o600))
	check(t, quoll(ctx, server, "", t.Output(), "config", "set", "orders", "color=red"))
	watching, interrupt := context.WithCancel(ctx)
	defer interrupt()
	var out, errs, raw, lines text
	ended := make(chan error, 3)
	go func() { ended <- quollErr(watching, server, "", &out, &errs, "config", "watch", "orders") }()
	go func() {
		ended <- quollErr(watching, server, "", &raw, t.Output(), "config", "watch", "orders", "--raw")
	}()
	go func() {
		ended <- quollErr(watching, server, "", &lines, t.Output(), "config", "watch", "orders", "-o", "json")
	}()
	await(t, func() bool {
		return out.String() == "+ color=red\n" && raw.String() == out.String() && strings.Contains(lines.String(), `"color":"red"`)
	})
	check(t, quoll(ctx, server, "", t.Output(), "config", "set", "orders", "color=blue", "--keyring", ring, "--encrypt", "password=secret", "--encrypt", "token=secret"))
	const refused = "quoll: refused, what was there before stands: what is published for \"orders\" (orders@2) is not in use: in orders: property \"password\" cannot be decrypted: " +
		"it is encrypted with key \"k\", and there is no keyring\nin orders: property \"token\""
	await(t, func() bool {
		return strings.Contains(errs.String(), refused) && strings.Contains(errs.String(), "\n--keyring FILE names the keys") && strings.Contains(raw.String(), "+ password={quoll:k}") &&
			strings.Contains(lines.String(), `{"app":"orders","properties":{"color":"red"},"revisions":{"orders":1},"refused":"what is published`)
	})
	await(t, func() bool { // a line for each who follows
		var list bytes.Buffer
		check(t, quoll(ctx, server, "", &list, "config", "who", "orders"))
		return strings.Count(list.String(), "\trefuses: ") == 2 && strings.Count(list.String(), "\n") == 3
	})
	check(t, quoll(ctx, server, "", t.Output(), "config", "set", "orders", "color=green", "--delete", "password", "--delete", "token"))
	await(t, func() bool { return out.String() == "+ color=red\n~ color=green (was red)\n" })
	if said := errs.String(); !strings.Contains(said, "\nquoll: what is published for \"orders\" is in use again\n") || strings.Contains(said, "level=ERROR") {
		t.Error(said)
	}
	interrupt()
	for range 3 {
		check(t, <-ended)
	}
}

// So does who makes files: they stay as they are.
func TestTemplateRefused(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	check(t, os.WriteFile(in, []byte(`{{property "orders" "color"}}`), 0o600))
	check(t, quoll(ctx, server, "", t.Output(), "config", "set", "orders", "color=red"))
	running, interrupt := context.WithCancel(ctx)
	defer interrupt()
	var errs text
	ended := make(chan error, 1)
	go func() { ended <- quollErr(running, server, "", t.Output(), &errs, "template", "-t", in+":"+out) }()
	holds := func(want string) func() bool {
		return func() bool {
			got, err := os.ReadFile(out)
			return err == nil && string(got) == want
		}
	}
	await(t, holds("red"))
	check(t, quoll(ctx, server, "", t.Output(), "config", "set", "orders", "color=blue", "password={quoll:k}AAAA"))
	await(t, func() bool { return strings.Contains(errs.String(), "configuration refused") })
	if said := errs.String(); strings.Count(said, "configuration refused") > 1 || !strings.Contains(said, "--keyring FILE names the keys") || !holds("red")() {
		t.Error(said)
	}
	check(t, quoll(ctx, server, "", t.Output(), "config", "set", "orders", "color=green", "--delete", "password"))
	await(t, holds("green"))
	interrupt()
	check(t, <-ended)
}

// A file that cannot be made is named.
func TestTemplateNowhere(t *testing.T) {
	server := servertest.Start(t)
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "no", "out")
	check(t, os.WriteFile(in, []byte("x"), 0o600))
	err := quoll(servertest.Context(t), server, "", t.Output(), "template", "--once", "-t", in+":"+out)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), out+" cannot be made") {
		t.Error(err)
	}
}
