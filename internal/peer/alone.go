package peer

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/quollhq/quoll/internal/zab"
)

const (
	// leastAlone is how long a member is without a quorum, at least, before it says so: an election is over sooner.
	leastAlone = 5 * time.Second
	// aloneAgain is the time between two such reports.
	aloneAgain = time.Minute
)

// alone is how long a member has had no quorum, and what was said about it. Times are those of Config.Now.
type alone struct {
	has   bool          // a quorum: clients may be served
	since time.Duration // of the last change of has
	next  time.Duration // when it is reported, if has is false
	said  bool          // it was reported
}

func newAlone(c *Config) alone {
	now := c.Now()
	return alone{since: now, next: now + aloneAfter(c)}
}

// aloneAfter is how long a member is without a quorum until it says so.
func aloneAfter(c *Config) time.Duration { return max(leastAlone, 2*c.Tick) }

// before tells when something is to be reported, and at if that is sooner.
func (a *alone) before(at time.Duration) time.Duration {
	if a.has {
		return at
	}
	return min(at, a.next)
}

// noteQuorum takes what the member has become.
func (l *loop) noteQuorum(s zab.Status) {
	a, now := &l.alone, l.p.cfg.Now()
	if a.has == s.Serving() {
		return
	}
	if a.said { // as loud as the beginning: who has seen that waits for this
		l.p.log.Warn("this member has a quorum again", "after", (now - a.since).Round(time.Millisecond), "leader", s.Leader, "epoch", s.Epoch)
	}
	if s.Serving() {
		l.failed = failedDial{}
	}
	*a = alone{has: s.Serving(), since: now, next: now + aloneAfter(&l.p.cfg)}
}

// reportAlone says now and then that there is no quorum, and why. A member that was removed needs none.
func (l *loop) reportAlone(now time.Duration) {
	a := &l.alone
	if a.has || now < a.next {
		return
	}
	a.next = now + aloneAgain
	if _, member := l.p.members.Load().own[l.p.cfg.ID]; !member {
		return
	}
	a.said = true
	reached, missing, why := l.reach()
	l.p.log.Warn("this member has no quorum", "for", (now - a.since).Round(time.Second), "state", l.status.State.String(),
		"phase", l.status.Phase.String(), "reason", l.status.Left, "reached", reached, "missing", missing, "why", why)
}

// reach tells which other voters there is an election connection with, with which there is none, and why.
func (l *loop) reach() (reached, missing []int64, why string) {
	reached, missing = []int64{}, []int64{}
	var reasons []string
	for _, sid := range l.p.zab.Active().Quorum.Voters() {
		if sid == l.p.cfg.ID {
			continue
		}
		ok, err := l.p.mesh.Reached(sid)
		if ok {
			reached = append(reached, sid)
			if l.followsTwin(sid) {
				reasons = append(reasons, fmt.Sprintf("%d: it follows a member with this one's number: perhaps another server has the same myid", sid))
			}
			continue
		}
		missing = append(missing, sid)
		switch {
		case errors.Is(err, io.EOF):
			reasons = append(reasons, fmt.Sprintf("%d: it hung up: it has stopped, or its log says why; TLS and SASL must be alike", sid))
		case err != nil:
			reasons = append(reasons, fmt.Sprintf("%d: %v", sid, err))
		default: // it may have refused a certificate of this member, of which only its own side hears
			reasons = append(reasons, fmt.Sprintf("%d: it has not answered so far: its log may say why", sid))
		}
	}
	if l.failed != (failedDial{}) {
		reasons = append(reasons, l.failed.String())
	}
	return reached, missing, strings.Join(reasons, "; ")
}

// explain is what the member has become, with the reason if a leader was left that has taken leave: zab knows only that its
// connection ended then.
func (l *loop) explain(is zab.Status) zab.Status {
	was := l.status
	if was.Serving() && !is.Serving() && was.Leader != l.p.cfg.ID && l.parted == was.Epoch {
		is.Meant, is.Left = true, "the leader has given the lead away"
		if is.State == zab.Looking {
			is.Reason = is.Left
		}
	}
	return is
}

// noteLoss says that a leader is not this member's any more, and why: a warning unless that was meant to be.
func (l *loop) noteLoss(was, is zab.Status) {
	if !was.Serving() || is.Serving() && was.Leader == is.Leader && was.Epoch == is.Epoch {
		return
	}
	say := l.p.log.Warn
	if is.Meant {
		say = l.p.log.Info
	}
	if was.Leader == l.p.cfg.ID {
		say("this member leads no more", "epoch", was.Epoch, "reason", is.Left)
		return
	}
	say("the leader was left", "leader", was.Leader, "epoch", was.Epoch, "reason", is.Left)
}
