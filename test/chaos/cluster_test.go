package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quollhq/quoll/test/harness"
)

// patience bounds every wait; it is not what is being tested.
const patience = 90 * time.Second

// diskSize is how large the disk of a member is, in megabytes: small enough to be filled at once.
const diskSize = 192

// cluster is an ensemble of processes.
type cluster struct {
	t       *testing.T
	net     *network
	members []*member
}

// member is one server, through kills and restarts.
type member struct {
	c       *cluster
	id      int
	dir     string
	cmd     *exec.Cmd
	log     *os.File
	exited  <-chan struct{}
	mayExit bool // a fault makes it end by itself
	armed   bool // failpoints may do so, too
}

// newCluster starts n members, with keys more in their zoo.cfg, and waits until all serve.
func newCluster(t *testing.T, subnet, n int, keys ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, net: newNetwork(t, subnet, n)}
	for i := 1; i <= n; i++ {
		m := &member{c: c, id: i, dir: t.TempDir()}
		c.members = append(c.members, m)
		t.Cleanup(m.cleanup)
		c.must(m.configure(n, keys))
		c.must(m.start())
	}
	c.allServe()
	return c
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// addrs are those that clients know.
func (c *cluster) addrs() (list []string) {
	for _, m := range c.members {
		list = append(list, m.addr())
	}
	return list
}

// allServe waits until every member serves.
func (c *cluster) allServe() {
	c.t.Helper()
	waits := harness.NewPatience(patience, 5*time.Second)
	for _, m := range c.members {
		for {
			err := m.serves()
			if err == nil {
				break
			}
			if m.ended() && m.mayExit { // by what it was told a moment before the fault was over
				c.must(m.start())
			}
			if waits.Spent() || m.ended() {
				c.t.Fatalf("member %d does not serve: %v", m.id, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// leader is the member that leads, of those that answer; nil if there is none.
func (c *cluster) leader() *member {
	for _, m := range c.members {
		if m.mode() == "leader" {
			return m
		}
	}
	return nil
}

// serves returns nil if clients are served.
func (m *member) serves() error {
	ctx, cancel := context.WithTimeout(m.c.t.Context(), 2*time.Second)
	defer cancel()
	return harness.Serves(ctx, m.addr())
}

func (m *member) addr() string { return m.c.net.addr(m.id) + ":2181" }

func (m *member) disk() string { return filepath.Join(m.dir, "disk") }

// mode is what the member says it is, "" if it says nothing.
func (m *member) mode() string {
	ctx, cancel := context.WithTimeout(m.c.t.Context(), 200*time.Millisecond)
	defer cancel()
	reply, err := words(ctx, m.addr(), "srvr")
	if err != nil {
		return ""
	}
	_, mode, _ := strings.Cut(reply, "Mode: ")
	mode, _, _ = strings.Cut(mode, "\n")
	return mode
}

// configure gives the member a disk and a zoo.cfg.
func (m *member) configure(n int, keys []string) error {
	if err := errors.Join(os.Mkdir(m.disk(), 0o755), run("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", diskSize), "tmpfs", m.disk())); err != nil {
		return err
	}
	lines := []string{
		"dataDir=" + m.disk(), "clientPort=2181", "clientPortAddress=" + m.c.net.addr(m.id),
		// Limits of a second, so that what is cut off notices while it is.
		"tickTime=200", "initLimit=25", "syncLimit=5", "maxSessionTimeout=60000",
		// Little is kept in memory and in a file, so that everything there is happens often.
		"preAllocSize=64", "snapCount=300", "snapshotSizeFactor=1",
		"autopurge.snapRetainCount=3", "autopurge.purgeInterval=1",
		"4lw.commands.whitelist=*", "admin.enableServer=false", "maxClientCnxns=0",
	}
	lines = append(lines, keys...)
	for i := 1; i <= n; i++ {
		lines = append(lines, fmt.Sprintf("server.%d=%s:2888:3888", i, m.c.net.addr(i)))
	}
	return errors.Join(
		os.WriteFile(filepath.Join(m.dir, "zoo.cfg"), []byte(strings.Join(lines, "\n")+"\n"), 0o644),
		os.WriteFile(filepath.Join(m.disk(), "myid"), []byte(fmt.Sprintln(m.id)), 0o644))
}

func (m *member) logPath() string     { return filepath.Join(m.dir, "log") }
func (m *member) rulesPath() string   { return filepath.Join(m.dir, "failpoints") }
func (m *member) reachedPath() string { return filepath.Join(m.dir, "reached") }

// arm has the member's failpoints do something, in the words of package failpoint; "" for nothing.
func (m *member) arm(rules string) error {
	if m.armed = rules != ""; m.armed {
		m.mayExit = true
	}
	aside := m.rulesPath() + ".new"
	if err := os.WriteFile(aside, []byte(rules), 0o644); err != nil {
		return err
	}
	return os.Rename(aside, m.rulesPath())
}

// start starts the process and does not wait for anything.
func (m *member) start() error {
	binary, err := harness.Binary()
	if err != nil {
		return err
	}
	if m.log == nil {
		if m.log, err = os.OpenFile(m.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
			return err
		}
	}
	args := append(m.c.net.enter(m.id), binary, "server", filepath.Join(m.dir, "zoo.cfg"))
	m.cmd = exec.Command(args[0], args[1:]...)
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "QUOLL_") {
			m.cmd.Env = append(m.cmd.Env, kv)
		}
	}
	m.cmd.Env = append(m.cmd.Env, harness.RaceOptions, "FAILPOINTS=@"+m.rulesPath(), "FAILPOINTS_REACHED="+m.reachedPath())
	m.mayExit = m.armed
	m.exited, err = harness.Launch(m.cmd)
	return err
}

func (m *member) ended() bool {
	select {
	case <-m.exited:
		return true
	default:
		return false
	}
}

// revive starts the process if it has ended.
func (m *member) revive() error {
	if !m.ended() {
		return nil
	}
	m.died()
	return m.start()
}

// signal sends a signal to the process, which may have ended by a fault.
func (m *member) signal(sig os.Signal) error {
	err := m.cmd.Process.Signal(sig)
	if m.mayExit && errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// end ends the process by a signal and waits.
func (m *member) end(sig syscall.Signal) error {
	m.died()
	if err := m.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-m.exited:
		return nil
	case <-time.After(patience):
		_ = m.cmd.Process.Kill()
		return fmt.Errorf("member %d still runs %s after %v", m.id, patience, sig)
	}
}

// died fails the test if the member has ended without a reason.
func (m *member) died() {
	if m.cmd != nil && m.ended() && !m.mayExit && m.cmd.ProcessState.ExitCode() >= 0 {
		m.c.t.Errorf("member %d ended by itself: %s", m.id, m.cmd.ProcessState)
	}
}

func (m *member) cleanup() {
	t := m.c.t
	if m.cmd != nil {
		_ = m.cmd.Process.Signal(syscall.SIGCONT)
		m.died()
		if err := m.cmd.Process.Kill(); err == nil {
			<-m.exited
		}
		m.log.Close()
	}
	log, _ := os.ReadFile(m.logPath())
	if _, report, found := strings.Cut(string(log), "WARNING: DATA RACE"); found {
		t.Errorf("member %d: the race detector found a race: %.3000s", m.id, report)
	}
	if t.Failed() {
		lines := strings.Split(strings.TrimSpace(string(log)), "\n")
		t.Logf("member %d, the end of its log:\n%s", m.id, strings.Join(lines[max(0, len(lines)-60):], "\n"))
	}
	if err := syscall.Unmount(m.disk(), syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
		t.Error(err)
	}
}

// words is harness.FourLetterWord, bounded by ctx.
func words(ctx context.Context, addr, word string) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := harness.FourLetterWord(ctx, addr, word)
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		return a.text, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
