package harness

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Seat is one member of an ensemble.
type Seat struct {
	// Subject is the program; nil leaves the seat to the test, which may then listen on its addresses itself.
	Subject Subject
	// Observer has no vote.
	Observer bool
	// Host is where other members find it; 127.0.0.1 if empty.
	Host string
	// Joins leaves the seat out of what the other seats are told at first: it is to be taken in by a reconfiguration.
	Joins bool
	// Keys and Properties are for this seat alone, over those of the ensemble.
	Keys, Properties map[string]string
}

// EnsembleConfig says how an ensemble is to be run.
type EnsembleConfig struct {
	// Seats have the numbers 1, 2, ...
	Seats []Seat
	// Admin is as that of Config, for every seat.
	Admin bool
	// Keys and Properties are as those of Config, for every seat.
	Keys, Properties map[string]string
}

// Seats returns n seats for the same program.
func Seats(n int, subject Subject) []Seat {
	seats := make([]Seat, n)
	for i := range seats {
		seats[i].Subject = subject
	}
	return seats
}

// Ensemble is servers that know each other. Its methods are for the test's goroutine; numbers of seats begin with 1.
type Ensemble struct {
	t                testing.TB
	seats            []Seat
	servers          []*Server // nil where the seat is left free
	quorum, election []int
}

// NewEnsemble chooses ports and writes configurations; nothing runs before Start or [Server.Launch].
func NewEnsemble(t testing.TB, config EnsembleConfig) *Ensemble {
	t.Helper()
	e := &Ensemble{t: t, seats: config.Seats}
	e.quorum, e.election = e.choosePorts(), e.choosePorts()
	for i, seat := range config.Seats {
		var s *Server
		if seat.Subject != nil {
			s = e.newSeat(i, config)
			var err error
			if s.ports, err = s.config.choosePorts(); err != nil {
				t.Fatal(err)
			}
		}
		e.servers = append(e.servers, s)
	}
	return e
}

// choosePorts returns a port per seat.
func (e *Ensemble) choosePorts() []int {
	e.t.Helper()
	ports := make([]int, len(e.seats))
	for i := range ports {
		var err error
		if ports[i], err = freePort(); err != nil {
			e.t.Fatal(err)
		}
	}
	return ports
}

func (e *Ensemble) newSeat(i int, config EnsembleConfig) *Server {
	e.t.Helper()
	seat := e.seats[i]
	keys := map[string]string{"initLimit": "20", "syncLimit": "10"}
	for j := range e.seats {
		if j == i || !e.seats[j].Joins {
			keys[fmt.Sprintf("server.%d", j+1)] = e.line(j)
		}
	}
	if seat.Observer {
		keys["peerType"] = "observer"
	}
	maps.Copy(keys, config.Keys)
	maps.Copy(keys, seat.Keys)
	properties := make(map[string]string)
	maps.Copy(properties, config.Properties)
	maps.Copy(properties, seat.Properties)
	s := newServer(e.t, seat.Subject, Config{Keys: keys, Properties: properties, Admin: config.Admin})
	s.seat = true
	if err := os.WriteFile(filepath.Join(s.dataDir, "myid"), []byte(fmt.Sprintln(i+1)), 0o644); err != nil {
		e.t.Fatal(err)
	}
	return s
}

// line is the seat's server.N.
func (e *Ensemble) line(i int) string {
	line := fmt.Sprintf("%s:%d:%d", cmp.Or(e.seats[i].Host, "127.0.0.1"), e.quorum[i], e.election[i])
	if e.seats[i].Observer {
		line += ":observer"
	}
	return line
}

// Line is the seat's server.N with its role and its port for clients, as a reconfiguration names it.
func (e *Ensemble) Line(sid int, role string) string {
	return fmt.Sprintf("server.%d=%s:%s;%s", sid, e.line(sid-1), role, e.servers[sid-1].Addr())
}

// FreeLine is Line with other ports, which are free.
func (e *Ensemble) FreeLine(sid int, role string) string {
	e.t.Helper()
	var ports [3]int
	for i := range ports {
		var err error
		if ports[i], err = freePort(); err != nil {
			e.t.Fatal(err)
		}
	}
	return fmt.Sprintf("server.%d=127.0.0.1:%d:%d:%s;127.0.0.1:%d", sid, ports[0], ports[1], role, ports[2])
}

// Start launches every seat that has a program and waits until all serve.
func (e *Ensemble) Start() {
	e.t.Helper()
	for _, s := range e.servers {
		if s != nil {
			s.Launch()
		}
	}
	for _, s := range e.servers {
		if s != nil {
			s.WaitReady()
		}
	}
}

// Stop ends every server that runs, by SIGTERM.
func (e *Ensemble) Stop() {
	e.t.Helper()
	for _, s := range e.servers {
		if s == nil {
			continue
		}
		if err := s.end(syscall.SIGTERM, stopTimeout); err != nil {
			e.t.Fatalf("%s: stop: %v", s.subject.Name(), err)
		}
	}
}

// Server is the program in the seat sid, nil if that is left to the test.
func (e *Ensemble) Server(sid int) *Server { return e.servers[sid-1] }

// QuorumAddr is where the seat sid listens for its learners while it leads, unless it has a Host.
func (e *Ensemble) QuorumAddr(sid int) string { return local(e.quorum[sid-1]) }

// ElectionAddr is where the seat sid listens for elections, unless it has a Host.
func (e *Ensemble) ElectionAddr(sid int) string { return local(e.election[sid-1]) }

// Leader asks the servers until one says that it leads, and returns its number.
func (e *Ensemble) Leader() int {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	for {
		for i, s := range e.servers {
			if s == nil {
				continue
			}
			reply, err := FourLetterWord(ctx, s.Addr(), "srvr")
			if err == nil && strings.Contains(reply, "Mode: leader") {
				return i + 1
			}
		}
		select {
		case <-ctx.Done():
			e.t.Fatalf("nobody leads after %s", readyTimeout)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
