package peer_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/socket"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/zab"
)

// ensemble is members on the loopback interface.
type ensemble struct {
	t         *testing.T
	machines  *watched
	seats     []*seat
	config    config.Membership
	commitLog int
}

// seat is one member, which can be started and killed.
type seat struct {
	e                *ensemble
	id               int64
	dir              string
	election, quorum string

	*machine
	peer *peer.Peer
	kill context.CancelFunc
	done chan error
}

// newEnsemble makes voters and then observers. They do not run so far.
func newEnsemble(t *testing.T, voters, observers int) *ensemble {
	e := &ensemble{t: t, machines: newWatched(t)}
	for i := range voters + observers {
		s := &seat{e: e, id: int64(i + 1), dir: filepath.Join(t.TempDir(), "data"), election: freePort(t), quorum: freePort(t)}
		e.seats = append(e.seats, s)
		m := config.Member{ID: s.id, Addrs: []config.PeerAddr{{Host: "127.0.0.1", Quorum: port(t, s.quorum), Election: port(t, s.election)}}}
		if i >= voters {
			m.Role = config.ObserverRole
		}
		e.config.Members = append(e.config.Members, m)
	}
	t.Cleanup(func() {
		for _, s := range e.seats {
			s.stop()
		}
	})
	return e
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func port(t *testing.T, address string) int {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port
}

func (e *ensemble) start() {
	for _, s := range e.seats {
		s.start()
	}
}

func (s *seat) listen(address string) net.Listener {
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.e.t.Fatal(err)
	}
	return l
}

func (s *seat) start() {
	t := s.e.t
	t.Helper()
	store, err := storage.Open(storage.Options{Dirs: storage.Dirs{Data: s.dir}, Preallocate: -1})
	if err != nil {
		t.Fatal(err)
	}
	s.machine = &machine{watched: s.e.machines, name: fmt.Sprintf("member %d", s.id)}
	members, err := peer.Membership(s.e.config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.peer, err = peer.New(ctx, peer.Config{
		ID: s.id, Active: members, Store: store, Machine: s.machine, Election: s.listen(s.election), Quorum: s.listen(s.quorum),
		Dial: socket.Options{Timeout: 5 * time.Second}.Dial, MaxPacket: 4 << 20, CommitLog: s.e.commitLog,
		Logger: slog.New(slog.NewTextHandler(testWriter{t, s.id}, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.kill, s.done = cancel, make(chan error, 1)
	go func() { s.done <- s.peer.Run(ctx) }()
}

// testWriter is a log in the test's output.
type testWriter struct {
	t  *testing.T
	id int64
}

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%d %s", w.id, b)
	return len(b), nil
}

// stop ends a member that runs.
func (s *seat) stop() {
	if s.kill == nil {
		return
	}
	s.kill()
	if err := <-s.done; err != nil {
		s.e.t.Errorf("member %d: %v", s.id, err)
	}
	s.kill = nil
	s.machine.mu.Lock()
	defer s.machine.mu.Unlock()
	s.machine.state.Close()
}

func (s *seat) running() bool { return s.kill != nil }

// leader waits until all running members serve under one leader, and returns it.
func (e *ensemble) leader() (leader *seat) {
	e.t.Helper()
	e.machines.await("a leader that all follow", func() bool {
		for _, s := range e.seats {
			if s.running() && s.role.Leads() {
				leader = s
			}
		}
		return leader != nil && e.all(func(s *seat) bool {
			return s.role.Serving() && s.role.Leader == leader.id && s.role.Epoch == leader.role.Epoch
		})
	})
	return leader
}

// all tells whether something is so for all members that run.
func (e *ensemble) all(ok func(*seat) bool) bool {
	return !slices.ContainsFunc(e.seats, func(s *seat) bool { return s.running() && !ok(s) })
}

// propose lets a leader propose n znodes, and waits until all have them.
func (e *ensemble) propose(leader *seat, next int64, n int) int64 {
	e.t.Helper()
	if err := leader.peer.Propose(context.Background(), creates(next, n, []byte("data"))); err != nil {
		e.t.Fatal(err)
	}
	last := next + int64(n) - 1
	e.machines.await(fmt.Sprintf("transaction %x", last), func() bool { return e.all(func(s *seat) bool { return s.zxid >= last }) })
	return last + 1
}

// agree sees that all running members have the same.
func (e *ensemble) agree() {
	e.t.Helper()
	var first *seat
	for _, s := range e.seats {
		switch {
		case !s.running():
		case first == nil:
			first = s
		case s.content() != first.content() || s.digest() != first.digest():
			e.t.Errorf("members %d and %d differ:\n%s\n%s", first.id, s.id, first.content(), s.content())
		}
	}
}

func TestThreeMembers(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	e.start()
	leader := e.leader()
	next := leader.role.NextZxid
	for range 20 {
		next = e.propose(leader, next, 50)
	}
	e.agree()
	leader.stop()
	second := e.leader()
	if zab.EpochOf(second.role.NextZxid) <= zab.EpochOf(next) {
		t.Fatalf("the next transaction is %x, and %x was before", second.role.NextZxid, next)
	}
	e.propose(second, second.role.NextZxid, 10)
	leader.start()
	if l := e.leader(); l != second {
		t.Fatalf("member %d leads, and member %d did", l.id, second.id)
	}
	e.propose(second, second.zxid+1, 10)
	e.agree()
}
