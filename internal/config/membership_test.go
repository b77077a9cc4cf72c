package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseMember(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"localhost:2888:3888", "localhost:2888:3888:participant"},
		{"zoo1:2888:3888:OBSERVER;2181", "zoo1:2888:3888:observer;0.0.0.0:2181"},
		{"zoo1:2888:3888:participant;10.0.0.1:2181", "zoo1:2888:3888:participant;10.0.0.1:2181"},
		{"[2001:db8::1]:2888:3888;[::1]:2181", "[2001:db8:0:0:0:0:0:1]:2888:3888:participant;[0:0:0:0:0:0:0:1]:2181"},
		{"b:1:2|a:3:4:participant", "a:3:4|b:1:2:participant"},
		{"zoo1:2888:3888;2181;2281", "zoo1:2888:3888:participant;0.0.0.0:2181;0.0.0.0:2281"},
		{"zoo1:2888:3888;;2281", "zoo1:2888:3888:participant;;0.0.0.0:2281"},
	} {
		m, err := ParseMember(1, tt.in, true)
		if err != nil || m.String() != tt.want {
			t.Errorf("%s: got %s, %v, want %s", tt.in, m, err, tt.want)
		}
	}
	for _, tt := range []struct{ in, want string }{
		{"", "want host:port:port"}, {"zoo1", "want host:port:port"}, {"zoo1:2888", "want host:port:port"}, {"zoo1:2888:x", "want ports from 0 to 65535"},
		{"zoo1:1:1", "want two different ports"}, {"zoo1:1:2:leader", "want participant or observer"}, {"zoo1:1:2;x", "want a port or host:port"},
		{"[::1:2:3", "want an IPv6 address in brackets"}, {"a:1:2;1;2;3", "want host:port:port"}, {"a:1:2:observer|b:1:2", "want the same role"},
		{"zoo1:1:70000", "want ports"}, {"\x10:1:2", "without blanks"}, {"zoo1 :1:2", "without blanks"}, {"[fe80::1%\n]:1:2", "without blanks"},
		{"zoo1:1:2;a\x7f:3", "without blanks"},
	} {
		if _, err := ParseMember(1, tt.in, true); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.in, err, tt.want)
		}
	}
	if _, err := ParseMember(1, "a:1:2|b:1:2", false); err == nil || !strings.Contains(err.Error(), "multiAddress.enabled=true") {
		t.Errorf("got %v", err)
	}
}

func FuzzParseMember(f *testing.F) {
	for _, s := range []string{"a:1:2", "a:1:2:observer;3", "[::1]:1:2;[::1]:3;4", "a:1:2|b:3:4", ";;;", "[", "a:1:2;;5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMember(7, s, true)
		if err != nil {
			return
		}
		again, err := ParseMember(7, m.String(), true)
		if err != nil || again.String() != m.String() {
			t.Fatalf("%q became %q, which became %q, %v", s, m, again, err)
		}
	})
}

// ensembleFile writes a zoo.cfg with a myid beside it.
func ensembleFile(t *testing.T, myid, text string) string {
	t.Helper()
	dir := t.TempDir()
	if myid != "" {
		if err := os.WriteFile(filepath.Join(dir, "myid"), []byte(myid), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return writeFile(t, "zoo.cfg", "dataDir="+dir+"\n"+text)
}

const three = "server.1=a:2888:3888;2181\nserver.2=b:2888:3888;2182\nserver.3=c:2888:3888:observer\nserver.10=d:2888:3888\ninitLimit=5\nsyncLimit=2\n"

func TestEnsemble(t *testing.T) {
	cfg, _ := mustLoad(t, Sources{File: ensembleFile(t, "2\n", three)})
	if !cfg.Distributed() || cfg.ServerID() != 2 || cfg.SessionServerID() != 2 || cfg.Listen.Client.String() != "0.0.0.0:2182" {
		t.Errorf("distributed %v, id %d, client %v", cfg.Distributed(), cfg.ServerID(), cfg.Listen.Client)
	}
	want := "server.1=a:2888:3888:participant;0.0.0.0:2181\nserver.2=b:2888:3888:participant;0.0.0.0:2182\nserver.3=c:2888:3888:observer\nserver.10=d:2888:3888:participant\nversion=0"
	if got := string(cfg.ConfigNode()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOneServerRunsAlone(t *testing.T) {
	cfg, ws := mustLoad(t, Sources{File: ensembleFile(t, "1", "server.1=a:2888:3888\nclientPort=2181\n")})
	if cfg.Distributed() || cfg.ServerID() != 0 || cfg.MyID != 1 || cfg.ConfigNode() != nil {
		t.Errorf("distributed %v, id %d", cfg.Distributed(), cfg.ServerID())
	}
	if !strings.Contains(warningTexts(ws), "one server.N only") {
		t.Errorf("warnings %v", ws)
	}
	cfg, _ = mustLoad(t, Sources{File: ensembleFile(t, "1", "server.1=a:2888:3888\nclientPort=2181\nstandaloneEnabled=false\ninitLimit=1\nsyncLimit=1\n")})
	if !cfg.Distributed() {
		t.Error("it runs alone")
	}
}

func TestNoClientPort(t *testing.T) {
	_, _, err := Load(Sources{File: writeFile(t, "zoo.cfg", "dataDir=/d\n")})
	if err == nil || !strings.Contains(err.Error(), "no client could connect") {
		t.Errorf("got %v", err)
	}
}

func TestEnsembleErrors(t *testing.T) {
	for name, tt := range map[string]struct{ myid, text, want string }{
		"limits":             {"1", "server.1=a:1:2\nserver.2=b:1:2\n", "initLimit: found nothing, want a number of ticks"},
		"no myid":            {"", three, "myid: the file is missing, want one line"},
		"another's myid":     {"7", three, "myid: found 7, but there is no server.7 in "},
		"bad myid":           {"one", three, `myid:1: found "one", want the number of this server`},
		"bad server":         {"1", "server.1=a:1\n", `zoo.cfg:2: server.1: found "a:1", want host:port:port`},
		"bad id":             {"1", "server.x=a:1:2\n", `server.x: found "a:1:2", want a whole number after the dot`},
		"observers alone":    {"1", "server.1=a:1:2:observer\n", "found 1 observers and no participant"},
		"observers with one": {"1", "server.1=a:1:2\nserver.2=b:1:2:observer\n", "found 1 observers beside one participant"},
		"nobody":             {"1", "standaloneEnabled=false\n", `standaloneEnabled: found "false", want true, or at least one participant`},
		"client port":        {"1", three + "clientPort=99\n", `clientPort: found "99", want the same address as in server.1, 0.0.0.0:2181`},
		"multi":              {"1", "server.1=a:1:2|b:1:2\n", "want one address, or multiAddress.enabled=true"},
		"group twice":        {"1", three + "group.1=1:2\ngroup.2=2:10\n", "server 2 is in group.1 and in group.2"},
		"no group":           {"1", three + "group.1=1:2\n", "server.10 is in no group"},
		"group of nobody":    {"1", three + "group.1=1:2:10:77\n", "group.1 names server 77, want a participant (server.77)"},
		"no weight at all":   {"1", three + "group.1=1:2:10\nweight.1=0\nweight.2=0\nweight.10=0\n", "all weights are 0, want a participant with a weight"},
		"weight":             {"1", three + "weight.1=-1\n", `weight.1: found "-1", want a whole number, at least 0`},
		"quorum sasl":        {"1", three + "quorum.auth.serverRequireSasl=true\n", `want quorum.auth.enableSasl=true beside it`},
		"peer type":          {"1", "peerType=leader\n", `peerType: found "leader", want one of participant, observer`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Load(Sources{File: ensembleFile(t, tt.myid, tt.text)})
			if tt.myid != "" && err != nil && strings.Contains(err.Error(), "myid: the file is missing") {
				t.Errorf("the file is there: %v", err)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// TestCopiedLine warns about members at one address.
func TestCopiedLine(t *testing.T) {
	_, ws := mustLoad(t, Sources{File: ensembleFile(t, "1", three+"server.4=127.0.0.1:2888:3888\nserver.5=127.0.0.1:2889:3888\nserver.6=127.0.0.1:2890:3890\n")})
	got := warningTexts(ws)
	if want := "server.4 and server.5 have the same address 127.0.0.1:3888"; strings.Count(got, "have the same address") != 1 || !strings.Contains(got, want) {
		t.Errorf("got %s want once %s", got, want)
	}
}

func TestGroups(t *testing.T) {
	cfg, _ := mustLoad(t, Sources{File: ensembleFile(t, "3", three+"group.1=1:2\ngroup.2=10\nweight.2=5\n")})
	got := cfg.Ensemble.Membership.String()
	want := "group.1=1:2\ngroup.2=10\nweight.1=1\nweight.2=5\nweight.10=1\nversion=0"
	if !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant it to end in\n%s", got, want)
	}
	if !cfg.Ensemble.Observer {
		t.Error("server 3 is an observer")
	}
}

func TestDynamicFile(t *testing.T) {
	dir := t.TempDir()
	dynamic := filepath.Join(dir, "zoo.cfg.dynamic.1a0")
	if err := os.WriteFile(dynamic, []byte("server.1=a:1:2;2181\nserver.2=b:1:2\nserver.3=c:1:2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := ensembleFile(t, "1", "initLimit=1\nsyncLimit=1\ndynamicConfigFile="+dynamic+"\n")
	if err := os.WriteFile(file+".dynamic.next", []byte("server.1=a:1:2\nversion=1b0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _ := mustLoad(t, Sources{File: file})
	e := cfg.Ensemble
	if e.Membership.Version != 0x1a0 || len(e.Membership.Members) != 3 || cfg.Listen.Client.Port != 2181 {
		t.Errorf("%+v", e.Membership)
	}
	if e.Next == nil || e.Next.Version != 0x1b0 || len(e.Next.Members) != 1 {
		t.Errorf("next %+v", e.Next)
	}
	for name, want := range map[string]string{"empty": "found no server.N", "missing": "no such file"} {
		other := filepath.Join(dir, name)
		if name == "empty" {
			if err := os.WriteFile(other, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := Load(Sources{File: ensembleFile(t, "1", "initLimit=1\nsyncLimit=1\ndynamicConfigFile="+other+"\n")})
		if err == nil || strings.Contains(err.Error(), "clientPort") {
			t.Errorf("%s: got %v, want the file to blame alone", name, err)
			continue
		}
		for _, part := range []string{"zoo.cfg:4: dynamicConfigFile: ", other, want, "the file of another member"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %v, want %s", name, err, part)
			}
		}
	}
	_, _, err := Load(Sources{File: ensembleFile(t, "1", "server.1=a:1:2\ndynamicConfigFile="+dynamic+"\n")})
	if err == nil || !strings.Contains(err.Error(), "server.1: found \"a:1:2\", want it in the file of dynamicConfigFile") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(dynamic, []byte("server.1=a:1:2\nversion=1\ntickTime=3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = Load(Sources{File: file})
	for _, want := range []string{dynamic + ":2: version:", dynamic + ":3: tickTime:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// What a member of an ensemble does not follow is named, unless it says what happens anyway.
func TestUnusedInEnsembles(t *testing.T) {
	_, warnings := mustLoad(t, Sources{File: ensembleFile(t, "1", three+"forceSnapshotSync=true\nobserverMasterPort=2191\nobserverMaster.sizeLimit=99\nsyncEnabled=TRUE\nquorum.cnxn.threads.size=20\ncommitLogCount=7\n")})
	text := warningTexts(warnings)
	for _, want := range []string{
		":8: forceSnapshotSync=true is not followed: learners are sent what they lack",
		":10: observerMaster.sizeLimit=99 is not followed: observers are sent what is kept for all learners",
		":13: commitLogCount is below 500; 500 is used",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "observerMasterPort") || strings.Contains(text, "syncEnabled") || strings.Contains(text, "threads") {
		t.Error(text)
	}
	known := newCollector(allKeys()).keys
	for _, names := range notInEnsemble {
		for _, name := range names {
			if k, _ := known.find(name); k == nil || k.NotApplicable != "" {
				t.Errorf("there is no key %s", name)
			}
		}
	}
}
