package config

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

func TestEnvNames(t *testing.T) {
	for name, want := range map[string]string{
		"clientPort": "QUOLL_CLIENT_PORT", "4lw.commands.whitelist": "QUOLL_4LW_COMMANDS_WHITELIST", "fips-mode": "QUOLL_FIPS_MODE",
		"emulate353TTLNodes": "QUOLL_EMULATE353_TTL_NODES", "skipACL": "QUOLL_SKIP_ACL", "snapSizeLimitInKb": "QUOLL_SNAP_SIZE_LIMIT_IN_KB",
		"X509AuthenticationProvider.superUser": "QUOLL_X509_AUTHENTICATION_PROVIDER_SUPER_USER", "connection_throttle_tokens": "QUOLL_CONNECTION_THROTTLE_TOKENS",
	} {
		if got := (Key{Name: name}).Env(); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got := (Key{Name: "admin.enableServer"}).Flag(); got != "admin-enable-server" {
		t.Errorf("flag %s", got)
	}
}

// TestTable checks what every key needs and that no two share a name, a
// variable or a flag.
func TestTable(t *testing.T) {
	for what, keys := range map[string][]Key{"server": Keys(), "client": ClientKeys()} {
		names, envs := map[string]bool{}, map[string]Key{}
		for _, k := range keys {
			if names[k.Name] {
				t.Errorf("%s: %s is in the table twice", what, k.Name)
			}
			names[k.Name] = true
			if other, dup := envs[k.Env()]; dup && k.NotApplicable == "" && other.NotApplicable == "" {
				t.Errorf("%s: %s and %s share %s", what, k.Name, other.Name, k.Env())
			} else if !dup || k.NotApplicable == "" {
				envs[k.Env()] = k
			}
			if k.Group == "" || k.Kind == "" {
				t.Errorf("%s: %s has no group or kind", what, k.Name)
			}
			if k.NotApplicable == "" && (k.Help == "" || k.Want == "" || k.set == nil) {
				t.Errorf("%s: %s lacks a description", what, k.Name)
			}
		}
	}
}

// TestEveryKeyIsTakenFromEverySource sets each key to its default by its
// variable, in the file and, where Apache has a property, by -D.
func TestEveryKeyIsTakenFromEverySource(t *testing.T) {
	for _, k := range Keys() {
		if k.NotApplicable != "" || k.Default == "" || k.Name == "standaloneEnabled" {
			continue
		}
		c := newCollector(allKeys())
		c.environment([]string{k.Env() + "=" + k.Default})
		c.jvmFlags("JVMFLAGS", "-Dzookeeper."+k.Name+"='"+k.Default+"'")
		c.fileProperties("f", nil, []Property{{Key: k.Name, Value: k.Default, Line: 1}})
		cfg := defaults(allKeys())
		c.apply(&cfg)
		if len(c.errs) > 0 || len(c.entries) != 1 {
			t.Errorf("%s: %d entries, errors %v", k.Name, len(c.entries), c.errs)
		}
	}
}

// TestKnowsApachesKeys lists what Apache ZooKeeper 3.9 and its newest source
// read; it is taken from their getProperty and getInteger calls.
func TestKnowsApachesKeys(t *testing.T) {
	text, err := os.ReadFile("testdata/apache-keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(text))
	if len(names) < 200 {
		t.Fatalf("only %d names", len(names))
	}
	for _, name := range names {
		if k, _ := allKeys().find(name); k == nil {
			t.Errorf("%s is not known", name)
		}
	}
}

func TestSuggest(t *testing.T) {
	for name, want := range map[string]string{
		"clientport": "clientPort", "client_port": "clientPort", "datadir": "dataDir", "dataDri": "dataDir", "sever.3": "server.3", "autopurge.purgeIntervall": "autopurge.purgeInterval",
		"jute.maxBuffer": "jute.maxbuffer", "something.else.entirely": "", "foo": "", "authProvidr.1": "authProvider.1", "groups.1": "group.1",
	} {
		if got := allKeys().suggest(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "ab", 1}, {"abc", "abcd", 1}, {"abc", "axc", 1}, {"kitten", "sitting", 3}} {
		if got := distance(tt.a, tt.b, 5); got != tt.want {
			t.Errorf("%s, %s: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestJavaInt(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "17": 17, "-3": -3, "+4": 4, "0x1F": 31, "-0x10": -16, "#ff": 255, "010": 8, "0X7fffffffffffffff": 1<<63 - 1} {
		if got, ok := javaInt(in); !ok || got != want {
			t.Errorf("%q: got %d %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "-", "+", "x", "1.5", "1 ", "--1", "0x", "09", "1k", "9223372036854775808", "+-1", "0x-1"} {
		if got, ok := javaInt(in); ok {
			t.Errorf("%q: got %d, want none", in, got)
		}
	}
}

const docPath = "../../docs/configuration.md"

// TestDocsAreCurrent fails when the page differs from the table; -update
// rewrites it.
func TestDocsAreCurrent(t *testing.T) {
	var want bytes.Buffer
	if err := Markdown(&want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll("../../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(docPath, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("docs/configuration.md is out of date; rewrite it by: go test ./internal/config -run TestDocsAreCurrent -update")
	}
}

func TestDescribe(t *testing.T) {
	var b bytes.Buffer
	if err := Describe(&b, Keys()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nBasics\n", "  tickTime  ", "  nio.numWorkerThreads  "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in the table", want)
		}
	}
}
