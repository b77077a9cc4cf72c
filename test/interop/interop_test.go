package interop_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// recipe is a line of the matrix: kinds that the players know, and what must hold between them.
type recipe struct {
	name  string
	kinds []string
	check func(t *testing.T, m *match, kind string)
}

var curator = []recipe{
	{"lock", []string{"mutex", "writer", "semaphore-mutex"}, exclusion},
	{"lock", []string{"semaphore-2"}, leases},
	{"lock", []string{"readers"}, readers},
	{"lock", []string{"contention"}, contention},
	{"election", []string{"latch", "selector"}, elections},
	{"counter", []string{"long", "int", "shared"}, counting},
	{"queue", []string{"fifo", "priority", "delay", "simple"}, handOver},
	{"barrier", []string{"single"}, barriers},
	{"barrier", []string{"double"}, doubleBarriers},
	{"group", []string{"member"}, groups},
	{"cache", []string{"tree"}, caches},
}

var kazoo = []recipe{
	{"lock", []string{"mutex", "writer"}, exclusion},
	{"lock", []string{"readers"}, readers},
	{"lock", []string{"contention"}, contention},
	{"election", []string{"kazoo"}, elections},
	{"counter", []string{"text", "shared"}, counting},
	{"queue", []string{"kazoo", "kazoo-locking"}, handOver},
	{"barrier", []string{"single"}, barriers},
	{"barrier", []string{"double"}, doubleBarriers},
	{"group", []string{"party", "shallow"}, groups},
	{"cache", []string{"tree"}, caches},
}

// match is two players on one server, in an order, and a path for them.
type match struct {
	a, b player
	path string
	c    *client.Client // of a third
}

// TestMatrix has every recipe played both ways by quoll and by each of the other libraries, and prints what came of it.
func TestMatrix(t *testing.T) {
	var m matrix
	defer m.print(t)
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		server := harness.Start(t, subject, harness.Config{Properties: map[string]string{"zookeeper.extendedTypesEnabled": "true", "zookeeper.forceSync": "no"}})
		for _, other := range []struct {
			name    string
			recipes []recipe
			command func(t *testing.T, addr string) *exec.Cmd
		}{{"curator", curator, javaAgent}, {"kazoo", kazoo, kazooAgent}} {
			t.Run(other.name, func(t *testing.T) {
				foreign := startAgent(t, other.name, other.command(t, server.Addr()))
				own := newNative(t, server.Addr())
				own.kazoo = other.name == "kazoo"
				for _, r := range other.recipes {
					for _, kind := range r.kinds {
						m.set(r.name+" "+kind, subject.Name()+", "+other.name, r.play(t, own, foreign, kind))
					}
				}
			})
		}
	})
}

// play says who came first where it went well.
func (r recipe) play(t *testing.T, own *native, foreign *agent, kind string) (well []string) {
	for _, m := range []*match{{a: own, b: foreign}, {a: foreign, b: own}} {
		m.path = fmt.Sprintf("/%s/%s-%s-%s", foreign.name(), r.name, kind, m.a.name())
		m.c = own.c
		if t.Run(fmt.Sprintf("%s/%s/%s-first", r.name, kind, m.a.name()), func(t *testing.T) { r.check(t, m, kind) }) {
			well = append(well, m.a.name())
		}
	}
	return well
}

func javaAgent(t *testing.T, addr string) *exec.Cmd {
	home, err := harness.ZooKeeperHome("3.9.4")
	if err != nil {
		t.Fatal(err)
	}
	libs, err := harness.Peer("curator", "lib")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("java/*.java")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	classes := t.TempDir()
	path := filepath.Join(home, "lib", "*") + ":" + filepath.Join(libs, "*")
	compile := exec.Command("javac", append([]string{"-nowarn", "-proc:none", "-d", classes, "-cp", path}, sources...)...)
	if out, err := harness.Output(compile, 3*time.Minute); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	return exec.Command("java", "-cp", classes+":"+filepath.Join(home, "conf")+":"+path, "-Xmx256m", "-XX:+UseSerialGC",
		"-XX:TieredStopAtLevel=1", "-Dzookeeper.log.level=WARN", "Agent", addr)
}

func kazooAgent(t *testing.T, addr string) *exec.Cmd {
	python, err := harness.Peer("venv", "bin", "python")
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(python, "-B", "kazoo/agent.py", addr)
}

func want(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%q, want %q", got, want)
	}
}

// eventually waits until look finds what is wanted.
func eventually(t *testing.T, wanted string, look func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		got := look()
		if got == wanted {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q, want %q", got, wanted)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// children waits until a node has n children.
func (m *match) children(t *testing.T, path string, n int) {
	t.Helper()
	eventually(t, fmt.Sprint(n), func() string {
		names, err := m.c.ChildNames(t.Context(), path)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(len(names))
	})
}

// exclusion: while a has the lock b has not, and gets it when a gives it back.
func exclusion(t *testing.T, m *match, kind string) {
	want(t, do(t, m.a, "h1", "lock", kind, m.path, "wait"), "true")
	want(t, do(t, m.b, "h2", "lock", kind, m.path, "try"), "false")
	waiting := m.b.begin("h2", "lock", kind, m.path, "wait")
	if kind == "semaphore-mutex" {
		m.children(t, m.path+"/leases", 2)
	} else {
		m.children(t, m.path, 2)
	}
	waiting.waiting(t)
	do(t, m.a, "h1", "unlock")
	want(t, waiting.wait(t), "true")
	want(t, do(t, m.a, "h1", "lock", kind, m.path, "try"), "false")
	do(t, m.b, "h2", "unlock")
	want(t, do(t, m.a, "h1", "lock", kind, m.path, "wait"), "true")
	do(t, m.a, "h1", "unlock")
}

// leases: of two leases each has one, and a third has to wait.
func leases(t *testing.T, m *match, kind string) {
	want(t, do(t, m.a, "s1", "lock", kind, m.path, "wait"), "true")
	want(t, do(t, m.b, "s2", "lock", kind, m.path, "wait"), "true")
	want(t, do(t, m.a, "s3", "lock", kind, m.path, "try"), "false")
	want(t, do(t, m.b, "s4", "lock", kind, m.path, "try"), "false")
	waiting := m.b.begin("s4", "lock", kind, m.path, "wait")
	m.children(t, m.path+"/leases", 3)
	waiting.waiting(t)
	do(t, m.a, "s1", "unlock")
	want(t, waiting.wait(t), "true")
	do(t, m.b, "s2", "unlock")
	do(t, m.b, "s4", "unlock")
}

// readers: they share the lock, and exclude a writer, as a writer does them.
func readers(t *testing.T, m *match, _ string) {
	want(t, do(t, m.a, "r1", "lock", "reader", m.path, "wait"), "true")
	want(t, do(t, m.b, "r2", "lock", "reader", m.path, "wait"), "true")
	want(t, do(t, m.b, "r3", "lock", "writer", m.path, "try"), "false")
	want(t, do(t, m.a, "r4", "lock", "writer", m.path, "try"), "false")
	writer := m.a.begin("r4", "lock", "writer", m.path, "wait")
	m.children(t, m.path, 3)
	do(t, m.a, "r1", "unlock")
	m.children(t, m.path, 2)
	writer.waiting(t)
	do(t, m.b, "r2", "unlock")
	want(t, writer.wait(t), "true")
	want(t, do(t, m.b, "r2", "lock", "reader", m.path, "try"), "false")
	do(t, m.a, "r4", "unlock")
	want(t, do(t, m.b, "r2", "lock", "reader", m.path, "wait"), "true")
	do(t, m.b, "r2", "unlock")
}

// contention: both sides read, add one and write under the lock; nothing is lost.
func contention(t *testing.T, m *match, _ string) {
	const each = 10
	counter := m.path + "-count"
	if err := m.c.EnsurePath(t.Context(), counter); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i, p := range []player{m.a, m.b, m.a, m.b} {
		handle := fmt.Sprint("c", i)
		wg.Go(func() {
			for range each {
				if err := m.addUnderLock(p, handle, counter); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	data, _, err := m.c.Get(t.Context(), counter)
	if err != nil {
		t.Fatal(err)
	}
	want(t, string(data), fmt.Sprint(4*each))
}

// addUnderLock counts as somebody does who relies on the lock alone.
func (m *match) addUnderLock(p player, handle, counter string) error {
	got := p.begin(handle, "lock", "mutex", m.path, "wait")
	<-got.ready
	if got.err != nil {
		return fmt.Errorf("%s: %w", got.what, got.err)
	}
	data, _, err := m.c.Get(context.Background(), counter)
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(string(data)) // no data are 0
	if _, err := m.c.Set(context.Background(), counter, fmt.Append(nil, n+1), client.AnyVersion); err != nil {
		return err
	}
	back := p.begin(handle, "unlock")
	<-back.ready
	return back.err
}

// elections: one leads, both say who, and the other leads when it resigns.
func elections(t *testing.T, m *match, kind string) {
	do(t, m.a, "e1", "elect", kind, m.path, "id-a")
	do(t, m.a, "e1", "await")
	do(t, m.b, "e2", "elect", kind, m.path, "id-b")
	m.children(t, m.path, 2)
	next := m.b.begin("e2", "await")
	want(t, do(t, m.a, "look", "leader", "e1"), "id-a")
	want(t, do(t, m.b, "look", "leader", "e2"), "id-a")
	next.waiting(t)
	do(t, m.a, "e1", "resign")
	next.wait(t)
	eventually(t, "id-b", func() string { return do(t, m.b, "look", "leader", "e2") })
	do(t, m.b, "e2", "resign")
	m.children(t, m.path, 0)
}

// counting: both sides add at the same time; all of it counts.
func counting(t *testing.T, m *match, kind string) {
	want(t, do(t, m.a, "n1", "count", kind, m.path, "5"), "5")
	want(t, do(t, m.b, "n2", "count", kind, m.path, "-12"), "-7")
	want(t, do(t, m.a, "n1", "count", kind, m.path, "7"), "0")
	var all []*outcome
	for range 10 {
		all = append(all, m.a.begin("n1", "count", kind, m.path, "1"), m.b.begin("n2", "count", kind, m.path, "1"))
	}
	sum := 0
	for _, o := range all {
		<-o.ready
		if o.err != nil && !strings.Contains(o.err.Error(), "BadVersion") { // kazoo gives up after some attempts
			t.Errorf("%s: %v", o.what, o.err)
		} else if o.err == nil {
			sum++
		}
	}
	want(t, do(t, m.b, "n2", "count", kind, m.path, "0"), fmt.Sprint(sum))
}

// handOver: what the one puts the other takes, in the right order.
func handOver(t *testing.T, m *match, kind string) {
	messages, order := []string{"one", "two", "three"}, "one,two,three"
	more := []string{"", "", ""}
	switch kind {
	case "priority", "kazoo", "kazoo-locking":
		more, order = []string{"30", "20", "10"}, "three,two,one"
	case "delay":
		more, order = []string{"-100000", "-200000", "-300000"}, "three,two,one" // due long ago
	}
	for i, message := range messages {
		do(t, m.a, "q1", "put", kind, m.path, message, more[i])
	}
	want(t, do(t, m.b, "q2", "take", kind, m.path, "3"), order)
	entries := m.path
	if kind == "kazoo-locking" {
		entries += "/entries"
	}
	m.children(t, entries, 0)
}

// barriers: who waits goes on when another opens.
func barriers(t *testing.T, m *match, _ string) {
	do(t, m.a, "b1", "close", m.path)
	waiting := m.b.begin("b2", "pass", m.path)
	waiting.waiting(t)
	do(t, m.a, "b1", "open", m.path)
	waiting.wait(t)
	want(t, do(t, m.b, "b2", "pass", m.path), "passed")
}

// doubleBarriers: nobody is through before both are there, nobody done before both are.
func doubleBarriers(t *testing.T, m *match, _ string) {
	first := m.a.begin("d1", "enter", m.path, "2")
	m.children(t, m.path, 1)
	first.waiting(t)
	do(t, m.b, "d2", "enter", m.path, "2")
	first.wait(t)
	leaving := m.a.begin("d1", "leave")
	leaving.waiting(t)
	do(t, m.b, "d2", "leave")
	leaving.wait(t)
}

// groups: each sees the other, and that it leaves.
func groups(t *testing.T, m *match, kind string) {
	data := []string{"", ""}
	if kind == "member" {
		data = []string{"1", "2"}
	}
	do(t, m.a, "g1", "join", kind, m.path, "ann", data[0])
	do(t, m.b, "g2", "join", kind, m.path, "bob", data[1])
	both := "ann=" + data[0] + ",bob=" + data[1]
	eventually(t, both, func() string { return do(t, m.a, "g3", "members", kind, m.path, "g1") })
	eventually(t, both, func() string { return do(t, m.b, "g3", "members", kind, m.path, "g2") })
	do(t, m.a, "g1", "part")
	eventually(t, "bob="+data[1], func() string { return do(t, m.b, "g3", "members", kind, m.path, "g2") })
	do(t, m.b, "g2", "part")
}

// caches: both end up with the same nodes.
func caches(t *testing.T, m *match, _ string) {
	ctx := t.Context()
	if err := m.c.EnsurePath(ctx, m.path, client.Persistent); err != nil {
		t.Fatal(err)
	}
	for _, p := range []player{m.a, m.b} {
		do(t, p, "t-"+p.name(), "cache", m.path)
	}
	ops := []client.Op{client.CreateOp(m.path+"/a", []byte("1")), client.CreateOp(m.path+"/a/b", []byte("2")), client.CreateOp(m.path+"/c", []byte("3"))}
	if _, err := m.c.Multi(ctx, ops...); err != nil {
		t.Fatal(err)
	}
	if _, err := m.c.Multi(ctx, client.DeleteOp(m.path+"/a/b", -1), client.SetOp(m.path+"/c", []byte("4"), -1)); err != nil {
		t.Fatal(err)
	}
	wanted := fmt.Sprintf("%[1]s/a=1,%[1]s/c=4,%[1]s=", m.path) // sorted
	for _, p := range []player{m.a, m.b} {
		eventually(t, wanted, func() string { return do(t, p, "t-"+p.name(), "cached") })
	}
}
