package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// stricter are inputs that Java accepts by accident: an unterminated text, a
// sign as a name, a slash that hides the rest of its line.
func stricter(err error) bool {
	for _, s := range []string{"inside of double quotes", "want the name of a section", "outside of double quotes"} {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}

// TestJAASAsJava compares with what the JDK's (17) login configuration made of
// the same text.
func TestJAASAsJava(t *testing.T) {
	for n, line := range readLines(t, "testdata/java-jaas.txt") {
		in, want, _ := strings.Cut(line, " ")
		text, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		j, err := ParseJAAS("f", text, nil)
		if err != nil {
			if want != "err" && !stricter(err) {
				t.Errorf("line %d, %s:\n%v\nwant %s", n+1, text, err, want)
			}
			continue
		}
		if got := javaJAASForm(j); got != want {
			t.Errorf("line %d, %s:\n got %s\nwant %s", n+1, text, got, want)
		}
	}
}

func javaJAASForm(j *JAAS) string {
	var b strings.Builder
	b.WriteString("ok")
	for _, name := range []string{"A", "B", "Server"} {
		s := j.Section(name)
		if s == nil {
			continue
		}
		b.WriteString(" " + name + "[")
		for _, m := range s.Modules {
			var opts []string
			for _, k := range slices.Sorted(maps.Keys(m.Options)) {
				opts = append(opts, k+"="+m.Options[k])
			}
			fmt.Fprintf(&b, "%s|%s|{%s};", m.Class, m.Flag, strings.Join(opts, ", "))
		}
		b.WriteString("]")
	}
	return strings.ReplaceAll(b.String(), "\n", `\n`)
}

func TestJAASSections(t *testing.T) {
	text := `
Server {
    // users of DIGEST-MD5
    org.apache.zookeeper.server.auth.DigestLoginModule required
    user_super="adminsecret"
    user_bob="bobsecret";
};
Kerb {
    com.sun.security.auth.module.Krb5LoginModule required
    useKeyTab=true keyTab="/etc/zk.keytab" storeKey=true useTicketCache=false
    principal="zookeeper/host.example.com@EXAMPLE.COM";
};
Client {
    org.apache.zookeeper.server.auth.DigestLoginModule required username="bob" password="bobsecret";
};
`
	j, err := ParseJAAS("jaas.conf", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	if u := j.Section("Server").Users(); u["super"] != "adminsecret" || u["bob"] != "bobsecret" || len(u) != 2 {
		t.Errorf("users %v", u)
	}
	k, ok := j.Section("Kerb").Kerberos()
	want := KerberosLogin{KeyTab: "/etc/zk.keytab", Principal: "zookeeper/host.example.com@EXAMPLE.COM", UseKeyTab: true, StoreKey: true}
	if !ok || k != want {
		t.Errorf("kerberos %+v, want %+v", k, want)
	}
	if u, p, ok := j.Section("Client").Credentials(); !ok || u != "bob" || p != "bobsecret" {
		t.Errorf("credentials %q %q %v", u, p, ok)
	}
	if j.Section("Other") != nil || (*JAAS)(nil).Section("Server") != nil {
		t.Error("found a section that is not there")
	}
}

func TestJAASErrors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"Server {\n x required keyTab=/etc/a;\n};", `f:2: found '/' outside of double quotes`},
		{"Server {\n x required\n n=5;\n};", `f:3: found 5 without quotes, want "5"`},
		{"Server {\n x maybe;\n};", `f:2: found the flag "maybe", want required`},
		{"Server {\n x required a=\"b\"\n};", `f:3: found "}", want an option or ;`},
		{"Server {\n x required a=\"secret\n;};", `f:2: found the end of the line inside of double quotes`},
		{"A { };\nB { };\nA { };", `f:3: found the section "A" again, it is in line 1`},
		{"Server { x required; }", `f:1: found the end of the file, want ;`},
		{"/* no end", `f:1: found /* without its */`},
		{"S { x required a=\"${nope}\"; };", `f:1: a: found ${nope}, want a property that is known here`},
		{"S { x required \"pw\" \"secret\"; };", `f:1: found a quoted text, want =`},
	} {
		_, err := ParseJAAS("f", []byte(tt.in), nil)
		var se *SyntaxError
		if !errors.As(err, &se) || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.in, err, tt.want)
		}
	}
}

func FuzzParseJAAS(f *testing.F) {
	for _, s := range []string{"A { x required a=\"b\"; };", "A{};B{y optional;};", "// c\n/* d */", "A { x required a=\"\\101\\", "\"q\" {", "A { x required a=\"${/}${{x}}\"; };"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		j, err := ParseJAAS("f", []byte(s), func(string) (string, bool) { return "v", true })
		var se *SyntaxError
		if err != nil && (j != nil || !errors.As(err, &se) || se.Line < 1) {
			t.Fatalf("got %v and %v", j, err)
		}
	})
}
