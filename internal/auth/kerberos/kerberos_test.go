package kerberos

import (
	"errors"
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	for s, want := range map[string]Name{
		"bob":       {Service: "bob"},
		"a/b/c":     {Service: "a/b/c"},
		"zk/h@R":    {Service: "zk", Host: "h", HasHost: true, Realm: "R", HasRealm: true},
		"zk/@":      {Service: "zk", HasHost: true, HasRealm: true},
		"bob@R.COM": {Service: "bob", Realm: "R.COM", HasRealm: true},
	} {
		got, err := ParseName(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"a/b/c@R", "a@b@c", "a@b/c"} {
		if n, err := ParseName(s); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %+v, %v", s, n, err)
		}
	}
}

func TestNameWithoutRuleStaysAsItWasProven(t *testing.T) {
	m, err := NewMapper(Options{DefaultRealm: "A"})
	if err != nil {
		t.Fatal(err)
	}
	if id, err := m.Authorize("bob@B", "super@A"); err != nil || id != "bob@B" {
		t.Errorf("bob@B, who wants to be super@A, is %q, %v", id, err)
	}
}

func TestBadRules(t *testing.T) {
	for rules, want := range map[string]string{
		"RULE:[1:$1](": "invalid rule", "RULE:[1:$1](a(?=b))": "invalid", "RULE:[1:$1](*)": "missing argument",
		"RULE:[1:$1]s/a/$1/": "group", "RULE:[1:$1]s/a/${x}/": "group", "RULE:[1:$1]s/a/b\\/": "backslash",
		"DEFAULT x": "invalid rule", "RULE:[99999999999:x]": "components",
	} {
		if _, err := ParseRules(rules, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", rules, err, want)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add("RULE:[2:$1;$2](^.*;admin$)s/;admin$//g DEFAULT", "bob/admin@A")
	f.Add(`RULE:[1:$1@$0](.*)s/(?P<x>b)(o)/${x}\$$2/`, "bob@A")
	f.Fuzz(func(t *testing.T, rules, name string) {
		r, err := ParseRules(rules, "A")
		if err != nil {
			return
		}
		n, err := ParseName(name)
		if err != nil {
			return
		}
		if n.String() != name {
			t.Fatalf("%q became %q", name, n)
		}
		short, err := r.ShortName(n)
		switch {
		case err != nil && !errors.Is(err, ErrNoRule):
			t.Fatal(err)
		case err == nil && (n.HasHost || n.HasRealm) && strings.ContainsAny(short, "/@"):
			t.Fatalf("%q became %q", name, short)
		}
	})
}
