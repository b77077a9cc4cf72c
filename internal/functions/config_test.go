package functions_test

import (
	"bytes"
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
