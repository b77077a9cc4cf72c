package peertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/socket"
	"github.com/quollhq/quoll/internal/storage"
)

// Member is a member with a Machine, which can be started and stopped.
type Member struct {
	ID               int64
	Dir              string // data directory
	Election, Quorum string // addresses
	// FS is where Dir is; nil for the operating system's.
	FS storage.FS
	// NoDBCreate is what it is in storage.Options.
	NoDBCreate bool
	// Configure, if not nil, changes the configuration before a start.
	Configure func(*peer.Config)

	*Machine
	Peer *peer.Peer

	t    testing.TB
	stop context.CancelFunc
	done chan error
}

// Ports from which FreePorts chooses: below those that systems give to connections, which come and go while a member that
// will listen there again does not run.
const (
	lowestPort  = 10000
	highestPort = 32000
)

// FreePorts are ports of the loopback interface that nobody listens at.
func FreePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
	for tries := 0; len(ports) < n; tries++ {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		l, err := net.Listen("tcp", Address(port))
		switch {
		case err == nil:
			defer l.Close() // so that it is not chosen again
			ports = append(ports, port)
		case tries > 100*n:
			t.Fatalf("no port is free: %v", err)
		}
	}
	return ports
}

// Address is a port of the loopback interface.
func Address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Start starts the member with what its directory holds. The test ends it.
func (m *Member) Start(t testing.TB, watched *Watched, members config.Membership) {
	t.Helper()
	if err := m.TryStart(t, watched, members); err != nil {
		t.Fatal(err)
	}
}

// TryStart is Start, for a disk that may fail.
func (m *Member) TryStart(t testing.TB, watched *Watched, members config.Membership) error {
	t.Helper()
	store, err := storage.Open(storage.Options{FS: m.FS, Dirs: storage.Dirs{Data: m.Dir}, Preallocate: -1, NoDBCreate: m.NoDBCreate})
	if err != nil {
		return err
	}
	active, err := peer.Membership(members)
	if err != nil {
		return err
	}
	m.Machine = &Machine{Watched: watched, Name: fmt.Sprintf("member %d", m.ID)}
	cfg := peer.Config{
		ID: m.ID, Active: active, Store: store, Machine: m.Machine, Election: listen(t, m.Election), Quorum: listen(t, m.Quorum),
		Dial: socket.Options{Timeout: 5 * time.Second}.Dial, MaxPacket: 4 << 20,
		Logger: slog.New(slog.NewTextHandler(testLog{t, m.ID}, nil)),
	}
	if m.Configure != nil {
		m.Configure(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if m.Peer, err = peer.New(ctx, cfg); err != nil {
		cancel()
		return errors.Join(err, cfg.Election.Close(), cfg.Quorum.Close())
	}
	m.t, m.stop, m.done = t, cancel, make(chan error, 1)
	go func() {
		err := m.Peer.Run(ctx)
		m.Change(func() { m.Ended = true })
		m.done <- err
	}()
	t.Cleanup(m.Stop)
	return nil
}

// Running tells whether the member runs.
func (m *Member) Running() bool { return m.stop != nil }

// Stop ends the member if it runs.
func (m *Member) Stop() {
	if m.stop == nil {
		return
	}
	m.stop()
	if err := m.Wait(); err != nil {
		m.t.Errorf("member %d: %v", m.ID, err)
	}
}

// Wait waits until the member has ended by itself, and tells why.
func (m *Member) Wait() error {
	err := <-m.done
	m.stop()
	m.stop = nil
	m.Machine.state.Close()
	return err
}

// testLog is a log in the test's output.
type testLog struct {
	t  testing.TB
	id int64
}

// Write implements io.Writer.
func (l testLog) Write(b []byte) (int, error) {
	l.t.Logf("%d %s", l.id, b)
	return len(b), nil
}
