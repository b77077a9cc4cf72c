package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// ensemble is the configuration of three servers on this machine.
func ensemble(t *testing.T) map[string]string {
	known := map[string]string{"tickTime": "200", "initLimit": "100", "syncLimit": "50"}
	for sid := 1; sid <= 3; sid++ {
		known[fmt.Sprint("server.", sid)] = fmt.Sprintf("127.0.0.1:%d:%d", harness.FreePort(t), harness.FreePort(t))
	}
	return known
}

// seat is the data directory of a member.
func seat(t *testing.T, sid int) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "myid"), []byte(fmt.Sprint(sid)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startMembers runs three servers that know each other.
func startMembers(t *testing.T) []*running {
	t.Helper()
	known := ensemble(t)
	var all []*running
	for sid := 1; sid <= 3; sid++ {
		all = append(all, start(t, seat(t, sid), known))
	}
	return all
}

// TestSessionsOfMembers has a session move to another member when its own goes,
// and another one end whose client has left.
func TestSessionsOfMembers(t *testing.T) {
	all := startMembers(t)
	look := all[2].dial(t)
	left := all[0].dial(t, client.WithSessionTimeout(time.Second))
	if _, err := left.Create(within(t), "/left", nil, client.Ephemeral); err != nil {
		t.Fatal(err)
	}
	moves, err := client.Dial(within(t), all[0].Addr().String()+","+all[1].Addr().String(), client.WithServerOrder(), client.WithSessionTimeout(20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer moves.Close()
	if _, err := moves.Create(within(t), "/moves", nil, client.Ephemeral); err != nil {
		t.Fatal(err)
	}
	session := moves.Session().ID()
	if err := look.Sync(within(t), "/"); err != nil {
		t.Fatal(err)
	}
	_, ok, gone, err := look.ExistsW(within(t), "/left")
	if !ok || err != nil {
		t.Fatalf("the ephemeral is there: %v, error %v", ok, err)
	}
	left.Detach()
	select {
	case <-gone:
	case <-time.After(patience):
		t.Fatal("a session outlived its client")
	}
	all[0].Close()
	for {
		_, err := moves.Set(within(t), "/moves", []byte("still"), client.AnyVersion)
		if err == nil {
			break
		}
		if !errors.Is(err, client.ErrConnectionLoss) {
			t.Fatal(err)
		}
	}
	if got := moves.Session().ID(); got != session {
		t.Errorf("session 0x%x became 0x%x", session, got)
	}
}

// TestLonelyMember says that it does not serve, and ends while it looks for others.
func TestLonelyMember(t *testing.T) {
	before := ours()
	r := newServer(t, seat(t, 1), ensemble(t))
	ctx, cancel := context.WithCancel(context.Background())
	if err := r.Start(ctx); err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, "srvr"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(nc); err != nil || !strings.Contains(string(got), "not currently serving requests") {
		t.Errorf("srvr says %q, error %v", got, err)
	}
	cancel()
	r.Close()
	await(t, "goroutines to end", func() bool { return ours() <= before })
}

// TestSnapshotsInSpiteOfRestarts has members write a snapshot although none of them logs enough for one between two starts.
func TestSnapshotsInSpiteOfRestarts(t *testing.T) {
	known := ensemble(t)
	known["snapCount"] = "200"
	var seats []string
	for sid := 1; sid <= 3; sid++ {
		seats = append(seats, seat(t, sid))
	}
	snapshots := func() int {
		files, err := filepath.Glob(filepath.Join(seats[0], "version-2", "snapshot.*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	for run := range 5 {
		var all []*running
		for _, dir := range seats {
			all = append(all, start(t, dir, known))
		}
		c := all[0].dial(t)
		for i := range 60 {
			if _, err := c.Create(within(t), "/a", nil); err != nil && !errors.Is(err, client.ErrNodeExists) {
				t.Fatal(i, err)
			}
		}
		if run == 4 {
			await(t, "a snapshot", func() bool { return snapshots() > 1 })
		}
		for _, r := range all {
			r.Close()
		}
	}
}

// TestMembersPortInUse names the port, the setting, and what is to be done.
func TestMembersPortInUse(t *testing.T) {
	for i, what := range []string{"the leader", "elections"} {
		known := ensemble(t)
		taken, err := net.Listen("tcp", "127.0.0.1:"+strings.Split(known["server.1"], ":")[1+i])
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		known["electionPortBindRetry"] = "1"
		r := newServer(t, seat(t, 1), known)
		err = r.Start(context.Background())
		r.Close()
		for _, part := range []string{taken.Addr().String(), "server.1", what, "in use", "stop that one"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v says nothing of %q", err, part)
			}
		}
	}
}

// TestMembersAddressElsewhere says what to do about an address that the machine does not have.
func TestMembersAddressElsewhere(t *testing.T) {
	known := ensemble(t)
	known["server.1"] = "192.0.2.1" + strings.TrimPrefix(known["server.1"], "127.0.0.1") // for documentation alone
	known["electionPortBindRetry"] = "1"
	r := newServer(t, seat(t, 1), known)
	err := r.Start(context.Background())
	r.Close()
	for _, part := range []string{"192.0.2.1", "server.1", "this machine has no such address", "quorumListenOnAllIPs=true"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v says nothing of %q", err, part)
		}
	}
}
