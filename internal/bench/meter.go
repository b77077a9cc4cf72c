package bench

import (
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// meter reads what the server's process and this one use while a load runs.
// It has a goroutine of its own, because the measured part begins after the
// warm-up and ends before the last replies.
type meter struct {
	pids   []int
	before Memory
	from   sample
	to     sample
	quit   chan struct{}
	gone   chan struct{}
	once   sync.Once
}

// sample is CPU time used so far.
type sample struct {
	at     time.Time
	server time.Duration
	client time.Duration
}

func (m *meter) sample() sample {
	s := sample{at: time.Now()}
	for _, pid := range m.pids {
		used, _ := procCPU(pid)
		s.server += used
	}
	s.client, _ = procCPU(os.Getpid())
	return s
}

// meterServer starts to meter the measured part of a load, whose clock must
// have been started.
func (e *experiment) meterServer(l *load) *meter {
	m := &meter{pids: e.pids, before: e.memory(), quit: make(chan struct{}), gone: make(chan struct{})}
	m.from = m.sample()
	go func() {
		defer close(m.gone)
		if m.wait(l, l.span.from) {
			m.from = m.sample()
			m.wait(l, l.span.to)
		}
		m.to = m.sample()
	}()
	return m
}

// wait sleeps until a time of the load's clock and tells whether it came.
func (m *meter) wait(l *load, at int64) bool {
	t := time.NewTimer(time.Duration(at - l.now()))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-m.quit:
		return false
	}
}

// stop ends the metering; it may be called again.
func (m *meter) stop() {
	m.once.Do(func() { close(m.quit) })
	<-m.gone
}

// fill puts what was read into the result. Operations and CPU were counted
// over nearly, but not exactly, the same time, so they are compared as rates.
func (m *meter) fill(r *Result) {
	seconds := m.to.at.Sub(m.from.at).Seconds()
	perOp := func(cpu time.Duration) float64 {
		if seconds <= 0 || r.OpsPerSec <= 0 {
			return 0
		}
		return float64(cpu.Nanoseconds()) / 1e3 / seconds / r.OpsPerSec
	}
	client := m.to.client - m.from.client
	r.Client = Client{CPUSeconds: client.Seconds(), CPUPerOp: perOp(client)}
	if len(m.pids) == 0 {
		return
	}
	server := m.to.server - m.from.server
	r.Server = &Server{PIDs: m.pids, CPUSeconds: server.Seconds(), CPUPerOp: perOp(server), Before: m.before}
	r.Server.After = memoryOf(m.pids)
}

// memory is what the servers hold, as far as it can be read.
func (e *experiment) memory() Memory { return memoryOf(e.pids) }

func memoryOf(pids []int) (all Memory) {
	for _, pid := range pids {
		m, _ := procMemory(pid)
		all.RSS, all.PSS, all.Peak = all.RSS+m.RSS, all.PSS+m.PSS, all.Peak+m.Peak
	}
	return all
}

// serverPIDs are the servers' processes that are on this machine.
func (e *experiment) serverPIDs() []int {
	if len(e.ServerPIDs) > 0 {
		return e.ServerPIDs
	}
	var pids []int
	for _, server := range e.Servers {
		if pid := localPID(server); pid > 0 && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// localPID is the process of a server if it is on this machine, else 0.
func localPID(server string) int {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(port)
	if err != nil || !isLoopback(host) {
		return 0
	}
	pid, err := findListener(n)
	if err != nil {
		return 0
	}
	return pid
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
