package safety_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/counter"
	"github.com/quollhq/quoll/recipe/queue"
	"github.com/quollhq/quoll/test/harness"
)

var (
	faults  = flag.Int("faults", 8, "how many faults there are")
	workers = flag.Int("workers", 4, "how many processes work")
	seed    = flag.Uint64("seed", 0, "of the choice of faults; 0 draws one")
)

func TestMain(m *testing.M) {
	if server := os.Getenv(serverVariable); server != "" {
		fmt.Fprintln(os.Stderr, work(server, os.Getenv(idVariable)))
		os.Exit(1)
	}
	os.Exit(harness.Main(m))
}

// patience bounds every wait: many times what one takes on a busy machine.
const patience = 2 * time.Minute

const jobs = 60

var noSync = map[string]string{"zookeeper.forceSync": "no"}

func TestSafety(t *testing.T) {
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		server := harness.Start(t, subject, harness.Config{Properties: noSync})
		s := newScene(t, server)
		s.crash = func() {
			server.Kill()
			server.Restart()
		}
		// Apache's server takes late requests of a connection that the session has left for another: what comes of a
		// partition that ends before the session is not for its clients to say.
		s.brief = subject.Name() == "quoll"
		s.play()
	})
}

// TestSafetyEnsemble has three members of quoll, whose leader is killed.
func TestSafetyEnsemble(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	subject := harness.Quoll
	e := harness.NewEnsemble(t, harness.EnsembleConfig{Seats: harness.Seats(3, subject), Properties: noSync})
	e.Start()
	s := newScene(t, e.Server(1), e.Server(2), e.Server(3))
	s.crash = func() {
		leader := e.Server(e.Leader())
		leader.Kill()
		leader.Restart()
	}
	s.brief = true
	s.play()
}

// play lets workers work while things happen to them, and checks what they leave.
func (s *scene) play() {
	for range *workers {
		s.start()
	}
	for range *faults {
		s.fault()
	}
	s.awaitJobs()
	for _, p := range slices.Clone(s.running) {
		s.kill(p)
	}
	s.check()
}

// scene is servers, their workers, and what they have said.
type scene struct {
	t       *testing.T
	ctx     context.Context
	servers []*harness.Server
	crash   func() // of a server, which comes back
	brief   bool   // partitions can end before sessions do
	c       *client.Client
	chance  *rand.Rand
	running []*process
	started int
	kills   int
	readers sync.WaitGroup

	mu   sync.Mutex
	said map[string]int // how often each line
}

func newScene(t *testing.T, servers ...*harness.Server) *scene {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	var addrs []string
	for _, server := range servers {
		addrs = append(addrs, server.Addr())
	}
	c, err := client.Dial(ctx, strings.Join(addrs, ","), client.WithSessionTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := &scene{t: t, ctx: ctx, servers: servers, c: c, chance: rand.New(rand.NewPCG(*seed, 0)), said: make(map[string]int)}
	for _, path := range []string{"/ledger-lock", "/ledger-term", "/done"} {
		s.must(c.EnsurePath(ctx, path, client.Persistent))
	}
	q, err := queue.New(c, "/jobs")
	s.must(err)
	for i := range jobs {
		s.must(q.Put(ctx, fmt.Append(nil, "job-", i)))
	}
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// process is one worker, and its network: a proxy before each server.
type process struct {
	id      string
	cmd     *exec.Cmd
	exited  <-chan struct{}
	proxies []*harness.Proxy
}

func (p *process) addrs() string {
	var list []string
	for _, proxy := range p.proxies {
		list = append(list, proxy.Addr())
	}
	return strings.Join(list, ",")
}

func (s *scene) start() {
	s.t.Helper()
	s.started++
	p := &process{id: fmt.Sprint("worker-", s.started), cmd: exec.Command(os.Args[0])}
	for _, server := range s.servers {
		p.proxies = append(p.proxies, harness.NewProxy(s.t, server.Addr()))
	}
	p.cmd.Env = append(os.Environ(), serverVariable+"="+p.addrs(), idVariable+"="+p.id)
	out, theirs, err := os.Pipe() // not the command's own, which its end closes, read or not
	s.must(err)
	p.cmd.Stdout = theirs
	log, err := os.Create(filepath.Join(s.t.TempDir(), p.id))
	s.must(err)
	defer log.Close()
	p.cmd.Stderr = log
	s.readers.Go(func() { s.read(out) })
	p.exited, err = harness.Launch(p.cmd)
	s.must(errors.Join(err, theirs.Close()))
	s.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
	})
	s.running = append(s.running, p)
	s.await("member "+p.id, func() bool { return s.member(p) })
}

func (s *scene) read(out io.ReadCloser) {
	defer out.Close()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		s.mu.Lock()
		s.said[lines.Text()]++
		s.mu.Unlock()
	}
}

func (s *scene) kill(p *process) {
	s.must(p.cmd.Process.Kill())
	<-p.exited
	s.kills++
	s.running = slices.DeleteFunc(s.running, func(o *process) bool { return o == p })
}

// member tells whether the servers know a worker.
func (s *scene) member(p *process) bool {
	_, found, err := s.c.Exists(s.ctx, "/members/"+p.id)
	s.must(err)
	return found
}

func (s *scene) await(what string, so func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("never: ", what)
		}
	}
}

// fault lets something happen to a worker, to its network, or to a server.
func (s *scene) fault() {
	p := s.running[s.chance.IntN(len(s.running))]
	switch n := s.chance.IntN(8); n {
	case 0, 1:
		s.kill(p)
		s.start()
	case 2: // until it is missed, and somebody else may have what it had
		s.must(p.cmd.Process.Signal(syscall.SIGSTOP))
		s.await("the end of the session of "+p.id, func() bool { return !s.member(p) })
		s.must(p.cmd.Process.Signal(syscall.SIGCONT))
		s.await("the return of "+p.id, func() bool { return s.member(p) })
	case 3:
		s.crash()
	case 4:
		s.partition(p, (*harness.Proxy).Cut, true)
	case 5:
		s.partition(p, func(x *harness.Proxy) { x.Hold(harness.ToServer) }, true)
	case 6, 7: // The session may last: that the client asks for it keeps it.
		if s.brief {
			s.partition(p, func(x *harness.Proxy) { x.Hold(harness.Way(n - 6)) }, false)
		}
	}
}

// partition does something to a worker's network, and heals it when the worker is missed, or before.
func (s *scene) partition(p *process, do func(*harness.Proxy), missed bool) {
	for _, proxy := range p.proxies {
		do(proxy)
	}
	if missed {
		s.await("the end of the session of "+p.id, func() bool { return !s.member(p) })
	} else {
		time.Sleep(time.Duration(s.chance.Int64N(int64(2 * sessionTimeout)))) // not for anything: a fault of some length
	}
	for _, proxy := range p.proxies {
		proxy.Heal()
	}
	s.await("the return of "+p.id, func() bool { return s.member(p) })
}

// awaitJobs waits until all messages are off the queue.
func (s *scene) awaitJobs() {
	q, err := queue.New(s.c, "/jobs")
	s.must(err)
	s.await("an empty queue", func() bool {
		n, err := q.Len(s.ctx)
		s.must(err)
		return n == 0
	})
}

func (s *scene) check() {
	s.readers.Wait()
	s.ledger("lock")
	s.ledger("term")
	n, err := counter.New(s.c, "/count")
	s.must(err)
	v, err := n.Get(s.ctx)
	s.must(err)
	s.counted("count", int(v.N))
	done, err := s.c.ChildNames(s.ctx, "/done")
	s.must(err)
	if len(done) != jobs {
		s.t.Errorf("%d of %d jobs were done", len(done), jobs)
	}
}

// ledger checks that no holder wrote after a later one.
func (s *scene) ledger(of string) {
	type entry struct{ zxid, token int64 }
	path := "/ledger-" + of
	names, err := s.c.ChildNames(s.ctx, path)
	s.must(err)
	var entries []entry
	for part := range slices.Chunk(names, 64) {
		var ops []client.ReadOp
		for _, name := range part {
			ops = append(ops, client.GetOp(client.Join(path, name)))
		}
		results, err := s.c.MultiRead(s.ctx, ops...)
		s.must(err)
		for _, r := range results {
			token, err := strconv.ParseInt(string(r.Data), 10, 64)
			s.must(errors.Join(r.Err, err))
			entries = append(entries, entry{r.Stat.Czxid, token})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return int(a.zxid - b.zxid) })
	for i := 1; i < len(entries); i++ {
		if entries[i].token < entries[i-1].token {
			s.t.Errorf("%s: holder %d wrote at %d, after holder %d", path, entries[i].token, entries[i].zxid, entries[i-1].token)
		}
	}
	s.counted(of, len(entries))
}

// counted checks that what was confirmed is there, and nothing that nobody asked for. A worker that is killed may have
// had one change confirmed, or under way, and not said so.
func (s *scene) counted(what string, there int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok, maybe := s.said[what+" ok"], s.said[what+" maybe"]
	s.t.Logf("%s: %d confirmed, %d perhaps, %d there after %d kills", what, ok, maybe, there, s.kills)
	if there < ok || there > ok+maybe+s.kills {
		s.t.Errorf("%s: %d are there, want %d and at most %d more", what, there, ok, maybe+s.kills)
	}
	if ok == 0 {
		s.t.Errorf("%s: nothing happened", what)
	}
}
