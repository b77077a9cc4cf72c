package peer_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/peertest"
	"github.com/quollhq/quoll/internal/zab"
)

// sink is a log that a test waits for.
type sink struct {
	*peertest.Watched
	text string // guarded by Watched
}

// Write implements io.Writer.
func (s *sink) Write(b []byte) (int, error) {
	s.Change(func() { s.text += string(b) })
	return len(b), nil
}

// warnings are what a member logs when only warnings are wanted.
func (e *ensemble) warnings(id int64, ahead *atomic.Int64) *sink {
	s, began := &sink{Watched: e.Watched}, time.Now()
	e.members[id-1].Configure = func(c *peer.Config) {
		c.Logger = slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelWarn}))
		c.MinNotification, c.MaxNotification = 100*time.Millisecond, 100*time.Millisecond // so that it looks at the time
		c.Now = func() time.Duration { return time.Since(began) + time.Duration(ahead.Load()) }
	}
	return s
}

// says waits for a line that has all of these.
func (s *sink) says(parts ...string) {
	s.Await(strings.Join(parts, " "), func() bool {
		for line := range strings.Lines(s.text) {
			n := 0
			for _, p := range parts {
				if strings.Contains(line, p) {
					n++
				}
			}
			if n == len(parts) {
				return true
			}
		}
		return false
	})
}

// TestAlone sees that a member without a quorum says so, and why, and when that is over; and that it says why it has left
// its leader.
func TestAlone(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	var ahead atomic.Int64
	log := e.warnings(1, &ahead)
	e.start(1)
	ahead.Add(int64(7 * time.Second))
	log.says("this member has no quorum", "reached=[]", `missing="[2 3]"`, `why="2: `, "; 3: ") // a reason for each, always
	minutes := 0
	e.Await("a report with the reason", func() bool { // the first may come before anybody was dialled
		if n := strings.Count(log.text, "this member has no quorum"); n > minutes {
			minutes = n
			ahead.Add(int64(time.Minute))
		}
		return minutes > 1 && strings.Contains(log.text, "connection refused") && strings.Contains(log.text, "state=LOOKING")
	})
	e.start(2)
	leader := e.leader()
	log.says("this member has a quorum again", "after=")
	e.members[1].Stop()
	if leader.ID == 1 {
		log.says("this member leads no more", "reason=")
		return
	}
	log.says("the leader was left", "leader=2", `reason="the connection to the leader was lost"`)
}

// TestFarewellIsNoLoss has a leader take leave of its followers, one of which is told of it and one is not: the first has
// nothing to warn of.
func TestFarewellIsNoLoss(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	logs := make([]*sink, len(e.members))
	for i, m := range e.members {
		logs[i] = &sink{Watched: e.Watched}
		m.Configure = func(c *peer.Config) { c.Logger = slog.New(slog.NewTextHandler(logs[i], nil)) }
	}
	e.start(1, 2, 3)
	first := e.leader()
	epoch := first.Role.Epoch
	told := false
	farewell := func(zab.Link) [][]byte {
		if told {
			return nil
		}
		told = true
		return peer.Farewell(nil)
	}
	if err := first.Peer.HandOver(context.Background(), farewell, false); err != nil {
		t.Fatal(err)
	}
	e.Await("another term", func() bool {
		return e.all(func(m *peertest.Member) bool { return m.Role.Serving() && m.Role.Epoch > epoch })
	})
	for i, m := range e.members {
		if m != first {
			logs[i].says("the leader was left")
		}
	}
	count := func(parts ...string) (n int) {
		for _, l := range logs {
			for line := range strings.Lines(l.text) {
				if strings.Contains(line, "the leader was left") && strings.Contains(line, parts[0]) && strings.Contains(line, parts[1]) {
					n++
				}
			}
		}
		return n
	}
	e.Await("a line at each follower", func() bool {
		return count("level=INFO", "the leader has given the lead away") == 1 && count("level=WARN", "the connection to the leader was lost") == 1
	})
}

// TestOtherMembers sees that a member says so if its leader counts other members than it does, once.
func TestOtherMembers(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	e.start(2, 3)
	e.leader()
	var ahead atomic.Int64
	log := e.warnings(1, &ahead)
	e.config.Members = append(e.config.Members, config.Member{ID: 9, Role: config.ObserverRole, Addrs: e.config.Members[0].Addrs})
	e.start(1)
	e.leader()
	log.says("the leader counts other members than this one", `leaders="[1 2 3]"`, `own="[1 2 3 9:observer]"`)
}

// TestLeaderOutOfReach sees that a member without a quorum says that the port of the elected leader does not answer.
func TestLeaderOutOfReach(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	e.start(2, 3)
	e.leader()
	for i := range e.config.Members[1:] {
		m := &e.config.Members[1+i]
		m.Addrs = []config.PeerAddr{{Host: "127.0.0.1", Quorum: 1, Election: m.Addrs[0].Election}}
	}
	var ahead atomic.Int64
	log := e.warnings(1, &ahead)
	e.start(1)
	reports := -1
	e.Await("a report that names the port", func() bool {
		if n := strings.Count(log.text, "this member has no quorum"); n > reports {
			reports = n
			ahead.Add(int64(time.Minute))
		}
		return strings.Contains(log.text, "it was elected, and its port for learners cannot be reached: dial tcp 127.0.0.1:1:")
	})
}

// TestSilence sees that a leader says whom it has not heard of for too long.
func TestSilence(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	logs, ahead := make([]*sink, 3), make([]atomic.Int64, 3)
	for i := range e.members {
		logs[i] = e.warnings(int64(i+1), &ahead[i])
	}
	e.start(1, 2, 3)
	leader := e.leader().ID - 1
	ahead[leader].Add(int64(10 * time.Second)) // syncLimit
	for id := range int64(3) {
		if id != leader {
			logs[leader].says("level=WARN", "a learner was silent for too long", fmt.Sprintf("sid=%d", id+1), "silent=")
		}
	}
}
