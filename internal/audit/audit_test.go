package audit

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

var open = proto.OpenACL()

func create(path string, flags int32) []byte {
	b := jute.AppendString(nil, path)
	b = jute.AppendBuffer(b, []byte("x"))
	b = proto.AppendACLs(b, open)
	return jute.AppendInt(b, flags)
}

func createTTL(path string, flags int32) []byte { return jute.AppendLong(create(path, flags), 100_000) }

func remove(path string) []byte { return jute.AppendInt(jute.AppendString(nil, path), -1) }

func set(path string) []byte {
	return jute.AppendInt(jute.AppendBuffer(jute.AppendString(nil, path), []byte("x")), -1)
}

func setACL(path string, acl []proto.ACL) []byte {
	return jute.AppendInt(proto.AppendACLs(jute.AppendString(nil, path), acl), -1)
}

type part struct {
	op   proto.Op
	body []byte
}

func multi(parts ...part) []byte {
	var b []byte
	for _, p := range parts {
		b = append(proto.MultiHeader{Type: p.op, Err: -1}.Append(b), p.body...)
	}
	return proto.AppendMultiEnd(b)
}

// TestLinesAreApaches does what a client did on an Apache server of which the
// log was kept.
func TestLinesAreApaches(t *testing.T) {
	want, err := os.ReadFile("testdata/apache-3.9.4.log")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	l := New(Options{User: "root", Out: &out, Now: time.Now})
	c := Client{Session: 0x100000000000001, User: "127.0.0.1", IP: "127.0.0.1"}
	do := func(op proto.Op, body []byte, o Outcome) {
		t.Helper()
		r, ok := Describe(op, body)
		if !ok {
			t.Fatalf("%v is not described", op)
		}
		l.Request(c, &r, &o)
	}
	fine := func(path string) Outcome { return Outcome{Path: path} }
	refused := Outcome{Refused: true}

	l.ServerStart(Success)
	do(proto.OpCreate, create("/a", proto.FlagPersistent), fine("/a"))
	do(proto.OpCreate, create("/a", proto.FlagPersistent), refused)
	do(proto.OpCreate2, create("/s-", proto.FlagPersistentSequential), fine("/s-0000000001"))
	do(proto.OpCreate, create("/none/s-", proto.FlagEphemeralSequential), refused)
	do(proto.OpCreateContainer, create("/c", proto.FlagContainer), fine("/c"))
	do(proto.OpCreate, create("/e", proto.FlagEphemeral), fine("/e"))
	do(proto.OpCreateTTL, createTTL("/ttl", proto.FlagPersistentTTL), fine("/ttl"))
	do(proto.OpCreateTTL, createTTL("/ttl", proto.FlagPersistentSequentialTTL), fine("/ttl0000000005"))
	do(proto.OpSetData, set("/a"), fine("/a"))
	do(proto.OpSetData, set("/a"), refused)
	do(proto.OpSetData, set("/nope"), refused)
	c.User = "bob,127.0.0.1"
	do(proto.OpSetACL, setACL("/a", []proto.ACL{
		{Perms: 31, Scheme: "world", ID: "anyone"},
		{Perms: 5, Scheme: "digest", ID: "bob:xyz="},
		{Perms: 1, Scheme: "ip", ID: "10.0.0.0/8"},
	}), fine("/a"))
	do(proto.OpSetACL, setACL("/nope", open), refused)
	do(proto.OpMulti, multi(
		part{proto.OpCreate, create("/m", proto.FlagPersistent)},
		part{proto.OpCreate, create("/q-", proto.FlagEphemeralSequential)},
		part{proto.OpCreateTTL, createTTL("/mt", proto.FlagPersistentTTL)},
		part{proto.OpCheck, remove("/a")},
		part{proto.OpSetData, set("/a")},
		part{proto.OpDelete, remove("/m")},
	), Outcome{Parts: []Part{
		{proto.OpCreate, "/m"}, {proto.OpCreate, "/q-0000000007"}, {proto.OpCreateTTL, "/mt"},
		{proto.OpCheck, "/a"}, {proto.OpSetData, "/a"}, {proto.OpDelete, "/m"},
	}})
	do(proto.OpMulti, multi(
		part{proto.OpCreate, create("/m", proto.FlagPersistent)}, part{proto.OpDelete, remove("/nope")},
	), Outcome{Code: proto.NoNode, Parts: []Part{{Op: proto.OpError}, {Op: proto.OpError}}})
	do(proto.OpMulti, multi(part{proto.OpCheck, remove("/a")}), Outcome{Parts: []Part{{proto.OpCheck, "/a"}}})
	do(proto.OpDelete, remove("/a"), refused)
	do(proto.OpDelete, remove("/a"), fine("/a"))
	do(proto.OpDelete, remove("/zookeeper/quota"), refused)
	do(proto.OpDelete, remove("/"), refused)
	l.EphemeralsDeleted(c.Session, []string{"/e", "/q-0000000007"}, nil)
	l.ServerStop()

	got := strings.Split(out.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if _, text, _ := strings.Cut(got[i], " audit: "); text != line {
			t.Errorf("line %d:\n got %q\nwant %q", i+1, text, line)
		}
	}
}

func TestOtherLines(t *testing.T) {
	for _, test := range []struct {
		event Event
		want  string
	}{
		{Event{Operation: ServerStart, Result: Failure}, "operation=serverStart\tresult=failure"},
		{Event{}, "result=success"},
		{Event{Session: -1, Operation: Reconfig, Path: "/zookeeper/config"},
			"session=0xffffffffffffffff\toperation=reconfig\tznode=/zookeeper/config\tresult=success"},
		{Event{User: "a\tresult=success\nx", Operation: Delete, Path: "/ü\x7f\u2028", Result: Failure},
			`user=a\u0009result=success\u000ax` + "\toperation=delete\tznode=/ü\\u007f\\u2028\tresult=failure"},
	} {
		if got := string(test.event.Append(nil)); got != test.want {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}

func TestNotDescribed(t *testing.T) {
	for name, test := range map[string]part{
		"a read":             {proto.OpGetData, remove("/a")},
		"a sync":             {proto.OpSync, nil},
		"a cut create":       {proto.OpCreate, create("/a", 0)[:9]},
		"a cut multi":        {proto.OpMulti, multi(part{proto.OpDelete, remove("/a")})[:20]},
		"a strange multi":    {proto.OpMulti, multi(part{proto.OpGetACL, remove("/a")})},
		"an oversize length": {proto.OpDelete, []byte{0x7f, 0xff, 0xff, 0xff}},
	} {
		if r, ok := Describe(test.op, test.body); ok {
			t.Errorf("%s is described as %+v", name, r)
		}
	}
}

func TestCreateWithUnknownFlagsIsLogged(t *testing.T) {
	var out bytes.Buffer
	l := New(Options{Out: &out, Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC) }})
	r, _ := Describe(proto.OpCreate, create("/a", 99))
	l.Request(Client{Session: 1}, &r, &Outcome{Refused: true, Code: proto.BadArguments})
	const want = "2026-01-02 03:04:05,006 ERROR audit: session=0x1\toperation=create\tznode=/a\tresult=failure\n"
	if got := out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSlogGetsEvents(t *testing.T) {
	var out bytes.Buffer
	New(Options{User: "root", Log: slog.New(slog.NewJSONHandler(&out, nil))}).ServerStart(Failure)
	for _, want := range []string{`"level":"ERROR"`, `"msg":"audit"`, `"event":"user=root\toperation=serverStart\tresult=failure"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in %s", want, out.String())
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestFailureToWriteIsTold(t *testing.T) {
	var got error
	New(Options{Out: brokenWriter{}, Now: time.Now, Failed: func(err error) { got = err }}).ServerStop()
	if !errors.Is(got, errBroken) {
		t.Errorf("told %v", got)
	}
}

func TestOffCostsNothing(t *testing.T) {
	var l *Logger
	r := Request{operation: Create, path: "/a"}
	paths := []string{"/a"}
	if a := testing.AllocsPerRun(100, func() {
		l.Log(&Event{Operation: Create})
		l.Request(Client{Session: 1}, &r, &Outcome{})
		l.EphemeralsDeleted(1, paths, nil)
		l.ServerStart(Success)
		l.ServerStop()
		if l.Enabled() {
			t.Error("a nil logger is on")
		}
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add(int32(proto.OpCreate), create("/a", 3))
	f.Add(int32(proto.OpCreateTTL), createTTL("/a", 5))
	f.Add(int32(proto.OpSetACL), setACL("/a", open))
	f.Add(int32(proto.OpMulti), multi(part{proto.OpCreate, create("/m", 0)}, part{proto.OpSetData, set("/a")}))
	f.Fuzz(func(t *testing.T, op int32, body []byte) {
		r, ok := Describe(proto.Op(op), body)
		if !ok {
			return
		}
		var out bytes.Buffer
		New(Options{Out: &out, Now: time.Now}).Request(Client{}, &r, &Outcome{Refused: true})
		if n := strings.Count(out.String(), "\n"); n != 1 {
			t.Errorf("%d lines for one event: %q", n, out.String())
		}
	})
}
