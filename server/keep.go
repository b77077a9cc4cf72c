package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/zab"
)

// kept is what a member without a leader knows of the clients that it keeps. Its lock
// is held by who takes up a role with them, or lets them go.
type kept struct {
	mu    sync.Mutex
	epoch int64 // of the leader that they had, 0 if none are kept
	timer *time.Timer
}

// keepTime is how long clients wait for another leader, at the most, when theirs has
// given its role away. An election takes some milliseconds then; who cannot join it
// is to let its clients look for a member that can.
func (m *machine) keepTime() time.Duration { return m.s.cfg.TickTime / 2 }

// keep keeps clients, if the leader of that epoch has left as it should, or this
// member was it.
func (m *machine) keep(epoch int64) bool {
	var owned func(int64) bool
	if sessions := m.farewell; sessions != nil {
		owned = func(id int64) bool { _, ok := sessions[id]; return ok }
	}
	k := &m.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	if !m.s.engine.Pause(owned) {
		return false
	}
	n := m.s.listener.CloseBut("the leader is another one", m.s.engine.Kept)
	m.s.log.Debug("clients wait for the next leader", "clients", n)
	k.epoch = epoch
	k.timer = time.AfterFunc(m.keepTime(), func() { m.letGoOf(epoch, "this member has found no leader") })
	return true
}

// keeps tells whether clients wait for the next leader.
func (m *machine) keeps() bool {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	return m.kept.epoch != 0
}

// goOn serves in a role, also those clients who waited for it. In a later epoch than
// the next one they may have gone to other members meanwhile, of which nobody knows
// here.
func (m *machine) goOn(r peer.Role) {
	k, e := &m.kept, m.s.engine
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch != 0 && (r.Epoch != k.epoch+1 || r.Leads() && e.LeaderRefuses) {
		m.release("the leader is another one")
	}
	k.forget()
	if r.Leads() {
		e.Lead(r.NextZxid)
	} else {
		e.Follow()
	}
}

// letGo ends the connections of clients that wait.
func (m *machine) letGo(reason string) {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	if m.kept.epoch != 0 {
		m.release(reason)
	}
}

// letGoOf is letGo of those that have waited since the leader of that epoch left.
func (m *machine) letGoOf(epoch int64, reason string) {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	if m.kept.epoch == epoch {
		m.release(reason)
	}
}

// release lets clients go. The lock is held.
func (m *machine) release(reason string) {
	m.kept.forget()
	m.s.engine.Rest()
	m.s.listener.CloseAll(reason)
}

// forget forgets that clients are kept. The lock is held.
func (k *kept) forget() {
	if k.epoch != 0 {
		k.timer.Stop()
		k.epoch = 0
	}
}

// bidFarewell takes the word of a leader that gives its role away.
func (m *machine) bidFarewell(msg *zab.Message) error {
	sessions, err := peer.FarewellSessions(msg)
	if err != nil {
		return err
	}
	if m.farewell == nil {
		m.farewell = make(map[int64]struct{}, len(sessions))
	}
	for _, id := range sessions {
		m.farewell[id] = struct{}{}
	}
	return nil
}

// farewells are what this leader tells its learners when it gives its role away:
// the sessions that each of them has. It holds the engine by then.
func (m *machine) farewells() zab.Farewells {
	owned := m.s.engine.Owned()
	return func(l zab.Link) [][]byte { return peer.Farewell(owned[owner(l)]) }
}

// yield gives a leader's role away. It fails if this member does not lead, or goes on
// leading. One that leaves is about to end.
func (m *machine) yield(ctx context.Context, leaves bool) error {
	select {
	case m.yielding <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	m.s.task(func() {
		defer func() { <-m.yielding }()
		done <- m.giveAway(ctx, leaves)
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// giveAway has the engine decide nothing new, so that all that it has proposed is
// committed when the role goes. If nobody takes it within a tick, this member goes on.
func (m *machine) giveAway(ctx context.Context, leaves bool) error {
	term, ok := m.s.engine.Hold()
	if !ok {
		return zab.ErrNotLeading
	}
	m.s.log.Info("this leader hands over")
	ctx, cancel := context.WithTimeout(ctx, m.s.cfg.TickTime)
	defer cancel()
	leads := func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.role.Leads()
	}
	err := m.peer.HandOver(ctx, m.farewells(), leaves)
	if err == nil {
		m.await(ctx, func(r peer.Role) bool { return !r.Leads() })
		if !leads() {
			return nil // whoever takes up the next role sees that the engine decides nothing
		}
		err = errNoHeir
	}
	// Not before the agreement has given it up is anything new decided: learners are
	// told who has which session as of now.
	err = errors.Join(err, m.peer.CallOff(context.Background()))
	m.s.engine.Proceed(term)
	return err
}
