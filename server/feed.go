package server

import (
	"context"
	"time"

	"github.com/quollhq/quoll/internal/admin"
	"github.com/quollhq/quoll/internal/zab"
)

// feed is how transactions come to this member, and whom they go to from here.
func (m *machine) feed(ctx context.Context) admin.Feed {
	m.mu.Lock()
	r, began := m.role, m.began
	m.mu.Unlock()
	if !r.Serving() {
		return admin.Feed{}
	}
	f := admin.Feed{Leads: r.Leads(), Feeds: r.State == zab.Following && m.s.cfg.Ensemble.ObserverMasterPort != 0}
	if r.State == zab.Observing {
		f.Master = r.Master
	}
	if !f.Leads && !f.Feeds {
		return f
	}
	if f.Leads {
		f.Leading = time.Since(began)
	}
	learners, syncs, err := m.peer.Learners(ctx)
	if err != nil {
		m.s.log.Warn("the learners of this member are not known", "error", err)
	}
	f.PendingSyncs = syncs
	for _, l := range learners {
		f.Learners = append(f.Learners, admin.Learner{ID: l.ID, Observer: l.Observer, Voter: l.Voter, Synced: l.Synced, Remote: l.Remote, Since: l.Since,
			Queued: l.Queued, QueuedBytes: l.QueuedBytes, Sent: l.Sent, Received: l.Received, Requests: l.Requests, Zxid: l.Zxid})
	}
	return f
}

// seat is this member's place in its ensemble while it serves.
func (m *machine) seat() (admin.Seat, bool) {
	m.mu.Lock()
	r, serves := m.role, m.serves()
	m.mu.Unlock()
	if !serves {
		return admin.Seat{}, false
	}
	return admin.Seat{ID: m.s.cfg.MyID, State: r.State.String(), Leader: r.Leader, Phase: r.Phase.String(), Membership: m.members(), Client: m.s.sockets.endpoint()}, true
}
