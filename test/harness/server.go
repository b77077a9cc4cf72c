package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	// readyTimeout bounds a start: a Java server on a machine that is busy with other tests takes seconds.
	readyTimeout = 2 * time.Minute
	stopTimeout  = time.Minute
	// probeTimeout bounds the look whether a server serves.
	probeTimeout = 5 * time.Second
	// quietStart is how long a server's log is waited for before a client connects anyway.
	quietStart = 40 * time.Second
	tailLines  = 60
)

var errStarting = errors.New("still starting")

// Server is one server process on one data directory and one set of ports, through kills and restarts.
// Its methods fail the test they were started for; they are for that test's goroutine.
type Server struct {
	t          testing.TB
	subject    Subject
	config     Config
	ports      ports
	dir        string
	dataDir    string
	properties []string
	seat       bool // of an ensemble: it serves once enough of its peers run

	cmd      *exec.Cmd
	log      *os.File
	logStart int64         // where in the log the last start begins
	exited   chan struct{} // closed when cmd has ended
	wanted   *atomic.Bool  // cmd serves, and no test told it to end
	died     chan struct{} // closed when a cmd has ended that was wanted
	die      func()        // closes died, once
}

// Start runs subject until the end of the test and returns when it serves.
func Start(t testing.TB, subject Subject, config Config) *Server {
	t.Helper()
	s := newServer(t, subject, config)
	if err := s.firstStart(); err != nil {
		t.Fatalf("%s: %v", subject.Name(), err)
	}
	return s
}

// newServer makes the directories of a server that does not run so far.
func newServer(t testing.TB, subject Subject, config Config) *Server {
	t.Helper()
	s := &Server{t: t, subject: subject, config: config, dir: config.Dir, properties: pairs(config.Properties),
		died: make(chan struct{})}
	s.die = sync.OnceFunc(func() { close(s.died) })
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	s.dataDir = config.DataDir
	if s.dataDir == "" {
		s.dataDir = filepath.Join(s.dir, "data")
	}
	if err := os.MkdirAll(s.dataDir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cleanup)
	return s
}

// firstStart chooses ports until nobody else took one of them between the choice and the bind.
func (s *Server) firstStart() error {
	for attempt := 1; ; attempt++ {
		var err error
		if s.ports, err = s.config.choosePorts(); err != nil {
			return err
		}
		err = s.start()
		if err == nil || attempt == 3 || !strings.Contains(strings.ToLower(s.Tail(tailLines)), "address already in use") {
			return err
		}
		s.end(syscall.SIGKILL, stopTimeout)
	}
}

func (s *Server) start() error {
	if err := s.launch(); err != nil {
		return err
	}
	return s.waitReady()
}

// launch starts the process and does not wait until it serves.
func (s *Server) launch() error {
	cfg, err := s.writeConfig()
	if err != nil {
		return err
	}
	cmd, err := s.subject.Command(context.Background(), cfg, s.properties)
	if err != nil {
		return err
	}
	if s.log, err = os.OpenFile(s.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return err
	}
	if s.logStart, err = s.log.Seek(0, io.SeekEnd); err != nil {
		return errors.Join(err, s.log.Close())
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, s.log, s.log
	ended, err := launch(cmd)
	if err != nil {
		return errors.Join(err, s.log.Close())
	}
	exited, wanted := make(chan struct{}), new(atomic.Bool)
	s.cmd, s.exited, s.wanted = cmd, exited, wanted
	go func() {
		defer close(exited)
		<-ended
		if wanted.Load() {
			s.die()
		}
	}()
	return nil
}

// writeConfig returns the path of zoo.cfg. A seat's is written once: reconfigurations change it.
func (s *Server) writeConfig() (string, error) {
	cfg := filepath.Join(s.dir, configName)
	if _, err := os.Stat(cfg); s.seat && err == nil {
		return cfg, nil
	}
	return cfg, s.config.write(cfg, s.dataDir, s.ports)
}

// mayConnect tells whether a client may connect already. Apache's server binds its port before it has its database, and a
// connection in between can leave it deaf for good; its log tells when it has come further.
func (s *Server) mayConnect() bool {
	if _, apache := s.subject.(ApacheVersion); !apache || s.seat { // a seat refuses connections until it has a leader
		return true
	}
	log, err := os.ReadFile(s.LogPath())
	return err != nil || strings.Contains(string(log[min(s.logStart, int64(len(log))):]), "PrepRequestProcessor")
}

func (s *Server) waitReady() error {
	ready, quiet := NewPatience(readyTimeout, probeTimeout), NewPatience(quietStart, probeTimeout)
	for err := errStarting; ; {
		if s.mayConnect() || quiet.Spent() {
			if err = s.serves(); err == nil {
				s.wanted.Store(true)
				return nil
			}
		}
		if ready.Spent() {
			return fmt.Errorf("does not serve after %s: %w", readyTimeout, err)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("ended before it served: %s", s.cmd.ProcessState)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// serves returns nil if clients are served and all ports are there: Apache's server opens the secure one last.
func (s *Server) serves() error {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	if err := Serves(ctx, s.Addr()); err != nil {
		return err
	}
	for _, port := range []int{s.ports.secure, s.ports.admin} {
		if port == 0 {
			continue
		}
		conn, err := dial(ctx, local(port), (&net.Dialer{}).DialContext)
		if err != nil {
			return err
		}
		conn.Close()
	}
	return nil
}

// Restart starts the server again, after Kill or Stop, on the same data and ports.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatalf("%s: restart: %v", s.subject.Name(), err)
	}
}

// Launch starts the server and does not wait until it serves, which a seat of an ensemble cannot do alone; see WaitReady.
func (s *Server) Launch() {
	s.t.Helper()
	if err := s.launch(); err != nil {
		s.t.Fatalf("%s: launch: %v", s.subject.Name(), err)
	}
}

// WaitReady waits until the server serves, after Launch.
func (s *Server) WaitReady() {
	s.t.Helper()
	if err := s.waitReady(); err != nil {
		s.t.Fatalf("%s: %v", s.subject.Name(), err)
	}
}

// Become has the next start run another program on the same data, ports and configuration. The server has been ended.
func (s *Server) Become(subject Subject) { s.subject = subject }

// Kill ends the server as kill -9 does and waits until it is gone.
func (s *Server) Kill() {
	s.t.Helper()
	if err := s.end(syscall.SIGKILL, stopTimeout); err != nil {
		s.t.Fatalf("%s: kill: %v", s.subject.Name(), err)
	}
}

// Stop asks the server to end (SIGTERM), waits, and returns the state it ended with.
func (s *Server) Stop() *os.ProcessState {
	s.t.Helper()
	if err := s.end(syscall.SIGTERM, stopTimeout); err != nil {
		s.t.Fatalf("%s: stop: %v", s.subject.Name(), err)
	}
	return s.cmd.ProcessState
}

// Signal sends sig to the server, for example SIGSTOP and SIGCONT.
func (s *Server) Signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("%s: %v: %v", s.subject.Name(), sig, err)
	}
}

// Died is closed if the server ends although no test told it to, by Kill or Stop.
func (s *Server) Died() <-chan struct{} { return s.died }

// Exited is closed once the process of the last start has ended.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// end signals the process, waits for its end and closes its log. A process that has ended already is no error.
func (s *Server) end(sig syscall.Signal, within time.Duration) error {
	if s.cmd == nil {
		return nil
	}
	s.wanted.Store(false)
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	for patience := NewPatience(within, time.Second); ; {
		select {
		case <-s.exited:
			return s.closeLog()
		case <-time.After(time.Second):
			if patience.Spent() {
				_ = s.cmd.Process.Kill()
				<-s.exited
				return errors.Join(fmt.Errorf("still running %s after %v", within, sig), s.closeLog())
			}
		}
	}
}

func (s *Server) closeLog() error {
	if s.log == nil {
		return nil
	}
	err := s.log.Close()
	s.log = nil
	return err
}

func (s *Server) cleanup() {
	if err := s.end(syscall.SIGKILL, stopTimeout); err != nil {
		s.t.Errorf("%s: %v", s.subject.Name(), err)
	}
	select {
	case <-s.died:
		s.t.Errorf("%s ended by itself: %s", s.subject.Name(), s.cmd.ProcessState)
	default:
	}
	if s.t.Failed() {
		s.t.Logf("%s: zoo.cfg and data in %s; the end of its log:\n%s", s.subject.Name(), s.dir, s.Tail(tailLines))
	}
	if log, err := os.ReadFile(s.LogPath()); err == nil && strings.Contains(string(log), "WARNING: DATA RACE") {
		s.t.Errorf("%s: the race detector found a race:\n%s", s.subject.Name(), race(string(log)))
	}
}

// race cuts the first report of the race detector out of a log.
func race(log string) string {
	_, report, _ := strings.Cut(log, "WARNING: DATA RACE")
	report, _, _ = strings.Cut(report, "==================")
	return "WARNING: DATA RACE" + report
}

// Subject tells which program this is.
func (s *Server) Subject() Subject { return s.subject }

// PID is the process id of the last start.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Addr is host:port for plain clients.
func (s *Server) Addr() string { return local(s.ports.client) }

// SecureAddr is host:port for TLS clients; the configuration must be Secure.
func (s *Server) SecureAddr() string { return local(s.ports.secure) }

// AdminAddr is host:port of the admin HTTP server; the configuration must have Admin.
func (s *Server) AdminAddr() string { return local(s.ports.admin) }

// Dir holds zoo.cfg and the log.
func (s *Server) Dir() string { return s.dir }

// DataDir is the dataDir of zoo.cfg.
func (s *Server) DataDir() string { return s.dataDir }

// LogPath is the file with everything that the server printed, over all its starts.
func (s *Server) LogPath() string { return filepath.Join(s.dir, s.subject.Name()+".log") }

// Tail returns the last n lines of the log.
func (s *Server) Tail(n int) string {
	b, err := os.ReadFile(s.LogPath())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
