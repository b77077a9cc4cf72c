package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// What commons-cli makes of the same words, as Apache's commands use it.
func TestParseOptions(t *testing.T) {
	options := []option{
		{name: "s"}, {name: "w"}, {name: "v", value: "version"}, {name: "file", value: "path"},
		{name: "n", group: "g", value: "n"}, {name: "b", group: "g", value: "b"},
	}
	for line, want := range map[string]string{
		"/a":          "[/a]",
		"-s /a":       "[/a] s=",
		"/a -s -w":    "[/a] s= w=",
		"-sw /a":      "[/a] s= w=",
		"-v 3 /a":     "[/a] v=3",
		"-v3 /a":      "[/a] v=3",
		"-v=3 /a":     "[/a] v=3",
		"-sv 3 /a":    "[/a] s= v=3",
		"-sv3":        "[] s= v=3",
		"-v -1 /a":    "[/a] v=-1",
		`-v "x y"`:    "[] v=x y",
		"-v 1 -v 2":   "[] v=1",
		"-file f /a":  "[/a] file=f",
		"--file f /a": "[/a] file=f",
		"-file=f":     "[] file=f",
		"-- -s":       "[-s]",
		"/a -- -s":    "[/a -s]",
		"-":           "[-]",
		"/a - b":      "[/a - b]",
		"-v":          "Missing argument for option: v",
		"-v -s":       "Missing argument for option: v",
		"-x":          "Unrecognized option: -x",
		"-sx":         "Unrecognized option: -sx",
		"--nope":      "Unrecognized option: --nope",
		"-s=1":        "Unrecognized option: -s=1",
		"-5":          "Unrecognized option: -5",
		"-n 1 -b 2":   "The option 'b' was specified but an option from this group has already been selected: 'n'",
		"-n 1 -n 2":   "[] n=1",
	} {
		p, err := parseOptions(options, splitWords(line))
		got := ""
		if err != nil {
			got = message(err)
		} else {
			got = fmt.Sprint(p.args)
			for _, k := range slices.Sorted(maps.Keys(p.values)) {
				got += " " + k + "=" + p.values[k]
			}
		}
		if got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}

func TestSplitWords(t *testing.T) {
	for line, want := range map[string]string{
		"ls /":           "ls|/",
		"  ls   /  ":     "ls|/",
		`set /a "b c"`:   "set|/a|b c",
		`set /a 'b "c"'`: `set|/a|b "c"`,
		`set /a ""`:      "set|/a|",
		`set /a b"c d"`:  `set|/a|b"c|d"`, // a quote within a word is none
		"set\t/a\tb":     "set|/a|b",
		`set /a "b`:      "set|/a|b",
		`"`:              "",
		"create /ä 日本":   "create|/ä|日本",
	} {
		if got := strings.Join(splitWords(line), "|"); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func FuzzCommandLine(f *testing.F) {
	for _, line := range []string{`set /a "b c" -v 3`, "-sw=3 --x", `'"'`, "create -e -s /a data world:anyone:r"} {
		f.Add(line)
	}
	all := commands()
	f.Fuzz(func(t *testing.T, line string) {
		words := splitWords(line)
		for _, c := range all {
			p, err := c.parse(append([]string{c.name}, words...))
			if err == nil && len(p.args) > len(words) {
				t.Fatalf("%s %q: %d arguments of %d words", c.name, line, len(p.args), len(words))
			}
		}
	})
}

func TestCommandsAreExplained(t *testing.T) {
	for _, c := range commands() {
		if c.summary == "" || len(c.examples) == 0 || c.run == nil {
			t.Errorf("%s lacks a summary, an example or a function", c.name)
		}
		for _, o := range c.options {
			if o.help == "" {
				t.Errorf("%s: option %s is not explained", c.name, o.name)
			}
		}
	}
}

func TestParseInvocation(t *testing.T) {
	t.Setenv("QUOLL_SERVER", "")
	for line, want := range map[string]string{
		"":                                   "localhost:2181 30s [] json=false r=false wait=false",
		"ls /":                               "localhost:2181 30s [ls /] json=false r=false wait=false",
		"-server a:1,b:2/c -timeout 500 get": "a:1,b:2/c 500ms [get] json=false r=false wait=false",
		"--server=a -r -o json ls -s /":      "a 30s [ls -s /] json=true r=true wait=false",
		"-waitforconnection ls -server /":    "localhost:2181 30s [ls -server /] json=false r=false wait=true",
		"-auth digest":                       "-auth wants scheme:auth, as digest:user:password",
		"-server":                            "Error: no argument found for option -server",
		"-timeout soon":                      `-timeout wants milliseconds, not "soon"`,
		"-o yaml":                            `-o wants text or json, not "yaml"`,
	} {
		o, err := parseInvocation(strings.Fields(line))
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprintf("%s %v %v json=%v r=%v wait=%v", o.servers, o.timeout, o.command, o.json, o.readOnly, o.wait)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
	t.Setenv("QUOLL_SERVER", "elsewhere:7")
	if o, err := parseInvocation(nil); err != nil || o.servers != "elsewhere:7" {
		t.Errorf("servers of the environment: %+v, %v", o, err)
	}
	if o, err := parseInvocation([]string{"-what", "ls"}); err != nil || !slices.Equal(o.unknown, []string{"-what"}) || len(o.command) != 1 {
		t.Errorf("unknown option: %+v, %v", o, err)
	}
}

func TestQuotaTrack(t *testing.T) {
	for text, want := range map[string]string{
		"count=5,bytes=10": "count=5,bytes=10",
		"count=-1,bytes=-1=;byteHardLimit=2000;countHardLimit=-1": "count=-1,bytes=-1=;byteHardLimit=2000;countHardLimit=-1",
		"":                "count=-1,bytes=-1",
		"nonsense":        "count=-1,bytes=-1",
		"count=x,bytes=7": "count=-1,bytes=7",
	} {
		if got := parseTrack([]byte(text)).String(); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestClientAddresses(t *testing.T) {
	config := "server.2=b:2888:3888:participant;0.0.0.0:2182\nserver.10=c:1:2;2183;2283\nserver.1=a:2888:3888:observer;2181\nversion=10000002a"
	if got, want := clientAddresses(config), "10000002a 0.0.0.0:2181,0.0.0.0:2182,0.0.0.0:2183"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
