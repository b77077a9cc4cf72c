package peer_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/peertest"
)

// startTwin starts a server with the number of a member, and ports of its own.
func (e *ensemble) startTwin(of int64, configure func(*peer.Config)) *peertest.Member {
	ports := peertest.FreePorts(e.t, 2)
	m := &peertest.Member{ID: of, Dir: filepath.Join(e.t.TempDir(), "data"), Election: peertest.Address(ports[0]), Quorum: peertest.Address(ports[1]), Configure: configure}
	members := config.Membership{Members: append([]config.Member(nil), e.config.Members...)}
	members.Members[of-1].Addrs = []config.PeerAddr{{Host: "127.0.0.1", Quorum: ports[1], Election: ports[0]}}
	m.Start(e.t, e.Watched, members)
	return m
}

// TestTwins sees that two servers with one number do not throw each other out for ever: the leader says that there are two,
// and the second one is let in once the first one is gone; whoever leads, and whoever has the twin.
func TestTwins(t *testing.T) {
	for _, c := range []struct{ leader, first int64 }{{1, 2}, {1, 3}, {2, 1}, {3, 2}} {
		t.Run(fmt.Sprintf("%d of %d", c.first, c.leader), func(t *testing.T) {
			e := newEnsemble(t, 3, 0)
			log := &sink{Watched: e.Watched} // of all
			configure := func(c *peer.Config) {
				c.Tick = 500 * time.Millisecond
				c.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			}
			for _, m := range e.members {
				m.Configure = configure
			}
			e.startUnder(c.leader)
			first := e.members[c.first-1]
			second := e.startTwin(first.ID, configure)
			log.says("two servers run as one member", fmt.Sprintf("sid=%d", first.ID), "first=127.0.0.1:", "second=127.0.0.1:")
			first.Stop()
			e.Await("the second server in the first one's place", func() bool { return second.Role.Serving() })
		})
	}
}

// startUnder starts three members so that this one leads.
func (e *ensemble) startUnder(leader int64) {
	e.t.Helper()
	switch leader {
	case 1: // it has the longer log when its successor is sought
		e.start(1, 3)
		e.propose(e.leader(), 1)
		e.members[2].Stop()
		e.start(2)
		e.leader()
		e.start(3)
	case 2:
		e.start(1, 2)
		e.leader()
		e.start(3)
	default:
		e.start(2, 3)
		e.leader()
		e.start(1)
	}
	if l := e.leader(); l.ID != leader {
		e.t.Fatalf("member %d leads, not %d", l.ID, leader)
	}
}

// TestLeadersTwin sees that a server with the leader's number says that it may not be the only one.
func TestLeadersTwin(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	e.start(1, 2, 3)
	leader := e.leader()
	log, began, ahead := &sink{Watched: e.Watched}, time.Now(), new(atomic.Int64)
	e.startTwin(leader.ID, func(c *peer.Config) {
		c.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		c.MinNotification, c.MaxNotification = 100*time.Millisecond, 100*time.Millisecond // so that it looks at the time
		c.Now = func() time.Duration { return time.Since(began) + time.Duration(ahead.Load()) }
	})
	reports := -1
	e.Await("a report that tells of the other server", func() bool { // the first may come before anybody has answered
		if n := strings.Count(log.text, "this member has no quorum"); n > reports {
			reports = n
			ahead.Add(int64(time.Minute))
		}
		return strings.Contains(log.text, "perhaps another server has the same myid")
	})
}
