package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// subject is a server program.
type subject interface {
	name() string
	// command serves a configuration file in the foreground.
	command(cfg string) *exec.Cmd
}

type quoll struct{ binary string }

func (quoll) name() string { return "quoll" }

// command lets the Go runtime report each garbage collection on stderr; it costs a line per collection.
func (q quoll) command(cfg string) *exec.Cmd {
	cmd := exec.Command(q.binary, "server", cfg)
	cmd.Env = append(os.Environ(), "GODEBUG=gctrace=1")
	return cmd
}

type apache struct {
	home string
	heap int // MB
}

func (apache) name() string { return "apache" }

func (a apache) command(cfg string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(a.home, "bin", "zkServer.sh"), "start-foreground", cfg)
	cmd.Env = append(os.Environ(), fmt.Sprintf("ZK_SERVER_HEAP=%d", a.heap), "ZOO_LOG_LEVEL=WARN")
	return cmd
}

// least is the least server.
type least struct{ binary string }

func (least) name() string { return "least" }

func (l least) command(cfg string) *exec.Cmd {
	dir := filepath.Dir(cfg)
	addr, _ := os.ReadFile(filepath.Join(dir, "addr"))
	return exec.Command(l.binary, "bench", "least-server", "--listen", string(addr), "--dir", dir)
}

const (
	startWait = 2 * time.Minute // a full data directory, on a busy machine
	stopWait  = 30 * time.Second
)

// process is a running server.
type process struct {
	subject subject
	dir     string
	addr    string
	started time.Time
	ready   time.Duration // from the start to the first request that could be answered
	cmd     *exec.Cmd
	log     *os.File
	exited  chan struct{}
	keys    map[string]string // what it was configured with besides
	others  []*process        // the other members of its ensemble
}

// start runs a server on dir, which holds nothing or what an earlier one left, and waits until it serves.
func (c *comparison) start(ctx context.Context, s subject, dir string, keys map[string]string) (*process, error) {
	p, err := c.launch(s, dir, keys)
	if err != nil {
		return nil, err
	}
	if err := p.waitReady(ctx); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// launch is start without waiting.
func (c *comparison) launch(s subject, dir string, keys map[string]string) (*process, error) {
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cfg, err := writeConfig(dir, addr, keys)
	if err != nil {
		return nil, err
	}
	p := &process{subject: s, dir: dir, addr: addr, keys: keys, cmd: s.command(cfg), exited: make(chan struct{})}
	if p.log, err = os.OpenFile(p.logPath(), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644); err != nil {
		return nil, err
	}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.log, p.log
	// A server must not outlive a comparison that was killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, p.log.Close())
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // how it ended is in its log
	}()
	return p, nil
}

// fresh starts a server on a new, empty directory.
func (c *comparison) fresh(ctx context.Context, s subject, keys map[string]string) (*process, error) {
	dir, err := os.MkdirTemp(c.work, s.name()+"-")
	if err != nil {
		return nil, err
	}
	p, err := c.start(ctx, s, dir, keys)
	if err != nil && !c.keep {
		os.RemoveAll(dir)
	}
	return p, err
}

// finish stops a server and removes its data.
func (c *comparison) finish(p *process) error {
	err := p.stop()
	if c.keep {
		return err
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// writeConfig writes the zoo.cfg that both servers get.
func writeConfig(dir, addr string, keys map[string]string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	all := map[string]string{
		"dataDir": filepath.Join(dir, "data"), "clientPort": port, "clientPortAddress": host, "tickTime": "2000",
		"forceSync": "yes", "maxClientCnxns": "0", "admin.enableServer": "false", "4lw.commands.whitelist": "*",
	}
	maps.Copy(all, keys)
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s=%s\n", k, all[k])
	}
	if err := os.WriteFile(filepath.Join(dir, "addr"), []byte(addr), 0o644); err != nil {
		return "", err
	}
	cfg := filepath.Join(dir, "zoo.cfg")
	return cfg, os.WriteFile(cfg, []byte(b.String()), 0o644)
}

func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

func (p *process) logPath() string { return filepath.Join(p.dir, "server.log") }

func (p *process) pid() int { return p.cmd.Process.Pid }

// servers are the addresses of the process and of the other members of its ensemble, separated by commas.
func (p *process) servers() string {
	all := p.addr
	for _, o := range p.others {
		all += "," + o.addr
	}
	return all
}

// pids are their processes.
func (p *process) pids() string {
	all := strconv.Itoa(p.pid())
	for _, o := range p.others {
		all += "," + strconv.Itoa(o.pid())
	}
	return all
}

// waitReady opens sessions until one is granted. A server that is not ready may refuse, hang up or leave a connection
// without an answer, so one that waits does not keep others from being tried.
func (p *process) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	const parallel, patience = 32, 20 * time.Millisecond
	var waiting int
	var last time.Time
	answers := make(chan answer, parallel)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if waiting == 0 || waiting < parallel && time.Since(last) > patience {
			waiting, last = waiting+1, time.Now()
			go func() { answers <- probe(ctx, p.addr) }()
		}
		select {
		case a := <-answers:
			if waiting--; a.err == nil {
				p.ready = a.at.Sub(p.started)
				return nil
			}
			<-tick.C
		case <-tick.C:
		case <-p.exited:
			return fmt.Errorf("%s ended before it served:\n%s", p.subject.name(), p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve after %v:\n%s", p.subject.name(), time.Since(p.started), p.tail())
		}
	}
}

// stop ends the server and waits until it is gone.
func (p *process) stop() error {
	defer p.log.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopWait):
	}
	err := p.cmd.Process.Kill()
	<-p.exited
	return errors.Join(fmt.Errorf("%s did not end within %v of SIGTERM", p.subject.name(), stopWait), err)
}

// tail is the end of the server's log.
func (p *process) tail() string {
	b, err := os.ReadFile(p.logPath())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}
