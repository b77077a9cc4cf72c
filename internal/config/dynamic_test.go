package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const staticEnsemble = `# the ensemble
tickTime=2000
initLimit=5
syncLimit=2
reconfigEnabled=true
clientPort=2181
peerType=participant
server.1=a:2888:3888
  server.2 = b:2888:\
	3888
server.3=c:2888:3888
# the end`

func membership(t *testing.T, version int64, text string) Membership {
	t.Helper()
	var scratch Config
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(line, "=")
		if err := addMember(&scratch, strings.TrimPrefix(key, "server."), value); err != nil {
			t.Fatal(err)
		}
	}
	m, err := scratch.members.build(false)
	if err != nil {
		t.Fatal(err)
	}
	m.Version = version
	return m
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// reconfigured loads file and goes through a reconfiguration.
func reconfigured(t *testing.T, file string) (next, after Membership) {
	t.Helper()
	cfg, _ := mustLoad(t, Sources{File: file})
	files, err := NewDynamicFiles(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	after = membership(t, 0x100000007, "server.1=a:2888:3888;2181\nserver.2=b:2888:3888\nserver.10=d:2888:3888:observer")
	if err := files.SaveNext(after); err != nil {
		t.Fatal(err)
	}
	between, _ := mustLoad(t, Sources{File: file})
	if between.Ensemble.Next == nil || between.Ensemble.Membership.String() != cfg.Ensemble.Membership.String() {
		t.Fatalf("%+v", between.Ensemble)
	}
	if err := files.SaveActive(after); err != nil {
		t.Fatal(err)
	}
	return *between.Ensemble.Next, after
}

// A reconfiguration leaves the files that Apache's server leaves, and they are read again.
func TestDynamicFiles(t *testing.T) {
	file := ensembleFile(t, "1", staticEnsemble)
	before := read(t, file)
	next, after := reconfigured(t, file)
	if next.String() != after.String() {
		t.Errorf("next is %s", next)
	}
	if got := read(t, file+".dynamic.100000007"); got != "server.10=d:2888:3888:observer\nserver.1=a:2888:3888:participant;0.0.0.0:2181\nserver.2=b:2888:3888:participant" {
		t.Error(got)
	}
	dataDir, _, _ := strings.Cut(before, "\n")
	want := dataDir + "\n# the ensemble\ntickTime=2000\ninitLimit=5\nsyncLimit=2\nreconfigEnabled=true\n# the end\ndynamicConfigFile=" + file + ".dynamic.100000007\n"
	if got := read(t, file); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if read(t, file+".bak") != before {
		t.Error("the copy of the main file")
	}
	cfg, _ := mustLoad(t, Sources{File: file})
	if e := cfg.Ensemble; e.Membership.String() != after.String() || e.Next != nil || cfg.Listen.Client.Port != 2181 {
		t.Errorf("%+v", e)
	}
	// The next one takes its place; what is no later is forgotten.
	files, err := NewDynamicFiles(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	later := membership(t, 0x200000001, "server.1=a:2888:3888;2181\nserver.2=b:2888:3888")
	if err := errors.Join(files.SaveNext(later), files.SaveNext(after)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file + ".dynamic.next"); err == nil {
		t.Error("what was given up is there")
	}
	if err := files.SaveActive(later); err != nil {
		t.Fatal(err)
	}
	if cfg, _ := mustLoad(t, Sources{File: file}); cfg.Ensemble.Membership.String() != later.String() || read(t, file+".bak") != before {
		t.Errorf("%+v", cfg.Ensemble.Membership)
	}
	if left, err := filepath.Glob(file + "*.tmp"); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
}

// Where the main file cannot be replaced, the files lie in dataDir, and the newest counts.
func TestMainFileCannotBeReplaced(t *testing.T) {
	file := ensembleFile(t, "1", staticEnsemble)
	before := read(t, file)
	for _, blocked := range []string{".dynamic.next.tmp", ".dynamic.100000007.tmp"} { // nobody writes over a directory
		if err := os.Mkdir(file+blocked, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	next, after := reconfigured(t, file)
	if next.String() != after.String() || read(t, file) != before {
		t.Errorf("next is %s, the main file\n%s", next, read(t, file))
	}
	cfg, warnings := mustLoad(t, Sources{File: file})
	if e := cfg.Ensemble; e.Membership.String() != after.String() || e.Next != nil || !strings.HasPrefix(e.DynamicFile, cfg.Data.Dir) {
		t.Errorf("%+v", e)
	}
	if !strings.Contains(warningTexts(warnings), "which a reconfiguration has written") {
		t.Error(warningTexts(warnings))
	}
}

func TestDynamicFilesNeedAFile(t *testing.T) {
	if _, err := NewDynamicFiles(&Config{}); !errors.Is(err, ErrNoFile) {
		t.Error(err)
	}
}

// FuzzEditMain: what is left of a main file says the same, but for the members.
func FuzzEditMain(f *testing.F) {
	for _, s := range []string{staticEnsemble, "a=b\\\n  c\r\nserver.1=x\r\n!c\nclientPort 1", "server.1=a\\", "\n\n =\n", "key\\ server.1=b\n"} {
		f.Add([]byte(s), "/etc/zoo.cfg.dynamic.1")
	}
	f.Add([]byte("a=b"), "C:\\zoo\\Ü\n")
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		before, err := ParseProperties("before", text)
		if err != nil || strings.ContainsRune(path, '\uFFFD') {
			return
		}
		edited, _ := editMain(text, path, true)
		after, err := ParseProperties("after", edited)
		if err != nil {
			t.Fatal(err)
		}
		gone := map[string]bool{"dynamicConfigFile": true, "peerType": true, "clientPort": true, "clientPortAddress": true}
		says := func(props []Property, without func(Property) bool) (said []string) {
			for _, p := range props {
				if !without(p) && (p.Key != "" || p.Value != "") { // a lone backslash at the end says nothing
					said = append(said, p.Key+"\x00"+p.Value)
				}
			}
			return said
		}
		want := append(says(before, func(p Property) bool { return gone[p.Key] || isMemberKey(p.Key) }), "dynamicConfigFile\x00"+path)
		if got := says(after, func(Property) bool { return false }); !slices.Equal(got, want) {
			t.Fatalf("%q became %q", text, edited)
		}
	})
}
