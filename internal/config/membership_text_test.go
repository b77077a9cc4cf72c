package config

import (
	"strings"
	"testing"
)

func TestParseMembership(t *testing.T) {
	for _, text := range []string{
		"server.1=a:2888:3888:participant;0.0.0.0:2181\nserver.2=b:2888:3888:participant\nserver.3=[0:0:0:0:0:0:0:1]:2888:3888:observer\nversion=100000000",
		"server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\ngroup.1=1:2\ngroup.2=3\nweight.1=1\nweight.2=5\nweight.3=1\nversion=0",
	} {
		m, err := ParseMembership(text, false)
		if err != nil {
			t.Fatal(err)
		}
		if m.String() != text {
			t.Errorf("got %q, want %q", m, text)
		}
	}
	for _, text := range []string{"server.1", "server.x=a:1:2", "server.1=a", "version=q", "group.1=1", strings.Repeat("\n", maxMembershipText+1)} {
		if _, err := ParseMembership(text, false); err == nil {
			t.Errorf("%.20q was taken", text)
		}
	}
}

func FuzzParseMembership(f *testing.F) {
	f.Add("server.1=a:2888:3888:participant;0.0.0.0:2181\ngroup.1=1\nweight.1=2\nversion=100000000", true)
	f.Fuzz(func(t *testing.T, text string, multi bool) {
		m, err := ParseMembership(text, multi)
		if err != nil {
			return
		}
		again, err := ParseMembership(m.String(), multi)
		if err != nil || again.String() != m.String() {
			t.Fatalf("%q was read, and is written as %q: %v", text, m, err)
		}
	})
}
