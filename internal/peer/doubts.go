package peer

import (
	"fmt"
	"slices"
	"time"

	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/zab"
)

// failedDial is an elected leader that could not be reached; the zero value is none.
type failedDial struct {
	leader int64
	why    string
	told   time.Duration
}

// noteFailedDial logs why the leader cannot be reached, each reason once a minute: it is tried again all the time.
func (l *loop) noteFailedDial(leader int64, err error) {
	f := failedDial{leader: leader, why: err.Error(), told: l.now}
	if was := l.failed; was.leader == f.leader && was.why == f.why && l.now-was.told < aloneAgain {
		return
	}
	l.failed = f
	l.p.log.Info("cannot connect to the leader", "leader", leader, "err", err)
}

// String is what a report says.
func (f failedDial) String() string {
	return fmt.Sprintf("%d: it was elected, and its port for learners cannot be reached: %s", f.leader, f.why)
}

// compareMembers warns if a leader counts other members than this one, where that cannot be mended by what the leader says:
// one of the configurations is wrong then, and two quorums may not meet. Addresses may differ.
func (l *loop) compareMembers(text []byte) {
	if l.p.cfg.Reconfig || len(text) == 0 || l.others == string(text) {
		return
	}
	theirs, err := l.p.parse(text)
	if err != nil {
		return // the agreement says so
	}
	ours := l.p.zab.Active()
	if a, b := roles(theirs), roles(ours); !slices.Equal(a, b) {
		l.others = string(text)
		l.p.log.Warn("the leader counts other members than this one: give all of them the same server.N, group.N and weight.N lines", "leaders", a, "own", b)
	}
}

// roles are the members with what their votes count.
func roles(m *zab.Membership) (list []string) {
	for _, s := range m.Members {
		switch weight := m.Quorum.Weight(s.ID); {
		case s.Observer:
			list = append(list, fmt.Sprintf("%d:observer", s.ID))
		case weight != 1:
			list = append(list, fmt.Sprintf("%d:weight %d", s.ID, weight))
		default:
			list = append(list, fmt.Sprint(s.ID))
		}
	}
	slices.Sort(list)
	return list
}

// noteSilence says that a learner is given up because nothing came from it, if that is why.
func (l *loop) noteSilence(c *link.Conn) {
	k := contactOf(c)
	last := k.heard
	if last == l.now {
		last = k.heardBefore // what came in this round came too late
	}
	silent := l.now - last
	if c.Dialled() || k.sid == -1 || k.waits != nil || silent < time.Duration(l.p.cfg.SyncLimit)*l.p.cfg.Tick {
		return
	}
	l.p.log.Warn("a learner was silent for too long: its connection is ended, and it has to come again", "sid", k.sid, "observer", k.observer,
		"remote", c.RemoteAddr().String(), "silent", silent.Round(time.Millisecond))
}
