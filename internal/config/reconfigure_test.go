package config

import (
	"errors"
	"testing"
)

// trio is what is changed in these tests.
const trio = "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:participant;0.0.0.0:3\nserver.3=c:1:2:observer;0.0.0.0:3\nversion=5"

func TestChange(t *testing.T) {
	text := func(s string) *string { return &s }
	groups := "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1:2\nversion=5"
	for name, c := range map[string]struct {
		from   string
		change Change
		solo   bool // standaloneEnabled=false
		want   string
		err    error
	}{
		"nothing":  {change: Change{}, want: trio},
		"joins":    {change: Change{Joining: text(" server.4 = d:1:2;3 ,")}, want: trio[:len(trio)-9] + "server.4=d:1:2:participant;0.0.0.0:3\nversion=5"},
		"in order": {change: Change{Joining: text("server.0=d:1:2;3")}, want: "server.0=d:1:2:participant;0.0.0.0:3\n" + trio},
		"replaces": {change: Change{Joining: text("server.3=c:7:8:participant;h:9")},
			want: "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:participant;0.0.0.0:3\nserver.3=c:7:8:participant;h:9\nversion=5"},
		"leaves": {change: Change{Leaving: text("3,9,")},
			want: "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:participant;0.0.0.0:3\nversion=5"},
		"both": {change: Change{Leaving: text("2"), Joining: text("server.4=b:1:2;3")},
			want: "server.1=a:1:2:participant;0.0.0.0:3\nserver.3=c:1:2:observer;0.0.0.0:3\nserver.4=b:1:2:participant;0.0.0.0:3\nversion=5"},
		"one is left":              {change: Change{Leaving: text("2")}, err: ErrBadChange},
		"one is enough":            {change: Change{Leaving: text("2")}, solo: true, want: "server.1=a:1:2:participant;0.0.0.0:3\nserver.3=c:1:2:observer;0.0.0.0:3\nversion=5"},
		"nobody is left":           {change: Change{Leaving: text("1,2")}, solo: true, err: ErrBadChange},
		"leaving no number":        {change: Change{Leaving: text("bar")}, err: ErrChangeText},
		"joining no line":          {change: Change{Joining: text("foo")}, err: ErrBadChange},
		"joining no number":        {change: Change{Joining: text("server.x=d:1:2;3")}, err: ErrChangeText},
		"joining no client port":   {change: Change{Joining: text("server.4=d:1:2")}, err: ErrBadChange},
		"joining no role":          {change: Change{Joining: text("server.4=d:1:2:king;3")}, err: ErrBadChange},
		"joining no port":          {change: Change{Joining: text("server.4=d:1:99999;3")}, err: ErrChangeText},
		"joining two client ports": {change: Change{Joining: text("server.4=d:1:2;3;4")}, err: ErrBadChange},
		"an address of another":    {change: Change{Joining: text("server.4=b:7:2;3")}, err: ErrBadChange},
		"an address of itself":     {change: Change{Joining: text("server.4=127.0.0.1:1:2;3,server.5=127.0.0.1:1:2;3")}, want: trio[:len(trio)-9] + "server.4=127.0.0.1:1:2:participant;0.0.0.0:3\nserver.5=127.0.0.1:1:2:participant;0.0.0.0:3\nversion=5"},
		"groups step by step":      {from: groups, change: Change{Leaving: text("1")}, err: ErrBadChange},
		"whole": {change: Change{Members: text("server.2=b:1:2,server.1=a:1:2;3\nversion=77")},
			want: "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:participant\nversion=5"},
		"whole with groups": {change: Change{Members: text("server.1=a:1:2,server.2=b:1:2,group.1=1:2,weight.1=3")},
			want: "server.1=a:1:2:participant\nserver.2=b:1:2:participant\ngroup.1=1:2\nweight.1=3\nweight.2=1\nversion=5"},
		"whole and empty":              {change: Change{Members: text("")}, err: ErrBadChange},
		"whole with something else":    {change: Change{Members: text("tickTime=5")}, err: ErrBadChange},
		"whole without a number":       {change: Change{Members: text("server.x=a:1:2")}, err: ErrChangeText},
		"whole with a bad line":        {change: Change{Members: text("server.1=a")}, err: ErrBadChange},
		"whole with observers alone":   {change: Change{Members: text("server.1=a:1:2:observer")}, err: ErrChangeText},
		"whole with one and observers": {change: Change{Members: text("server.1=a:1:2,server.2=b:1:2:observer")}, err: ErrChangeText},
		"whole and not in a group":     {change: Change{Members: text("server.1=a:1:2,server.2=b:1:2,group.1=1")}, err: ErrBadChange},
		"whole with a bad version":     {change: Change{Members: text("server.1=a:1:2,server.2=b:1:2,version=z")}, err: ErrChangeText},
	} {
		if c.from == "" {
			c.from = trio
		}
		from, err := ParseMembership(c.from, false)
		if err != nil {
			t.Fatal(err)
		}
		next, err := from.Change(c.change, false, !c.solo)
		switch {
		case !errors.Is(err, c.err) || err != nil && c.err == nil:
			t.Errorf("%s: %v, want %v", name, err, c.err)
		case err == nil && next.String() != c.want:
			t.Errorf("%s:\n%s\nwant\n%s", name, next, c.want)
		}
		if from.String() != c.from && c.from == trio {
			t.Errorf("%s changed what it is a change of: %s", name, from)
		}
	}
}

// FuzzChange wants whatever is a change to be readable by the others.
func FuzzChange(f *testing.F) {
	f.Add("server.4=d:1:2;3", "1", "")
	f.Add("", "", "server.1=a:1:2,server.2=b:1:2,group.1=1:2,weight.1=3")
	f.Add("server.4=[::1]:1:2:observer;[::]:3", "", "")
	f.Fuzz(func(t *testing.T, joining, leaving, members string) {
		from, err := ParseMembership(trio, false)
		if err != nil {
			t.Fatal(err)
		}
		c := Change{Joining: &joining, Leaving: &leaving}
		if members != "" {
			c = Change{Members: &members}
		}
		next, err := from.Change(c, false, true)
		if err != nil {
			if !errors.Is(err, ErrBadChange) && !errors.Is(err, ErrChangeText) {
				t.Fatal(err)
			}
			return
		}
		again, err := ParseMembership(next.String(), false)
		if err != nil || again.String() != next.String() {
			t.Fatalf("%q is read as %q, %v", next, again, err)
		}
	})
}
