package server

import (
	"errors"
	"fmt"
	"time"

	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
)

// A member compares its tree with the digest that comes with every transaction. If
// it differs, the member has gone another way than the leader that made the
// transaction, and what it would say to clients may be wrong.

// resyncPause is the time between two states that are taken for differing. Leaders
// of Apache's are wrong about their own digest at times (a create with the flag of a
// container is one), and all their followers differ then.
const resyncPause = time.Minute

// resyncDue tells whether a difference is acted upon.
func (m *machine) resyncDue() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); m.resynced.IsZero() || now.Sub(m.resynced) >= resyncPause {
		m.resynced = now
		return true
	}
	return false
}

// differ stops serving with a state that differs, sets it aside for whoever wants
// to know why, and has the agreement bring another one. The state stays until
// Restore, and nothing more is applied to it.
func (m *machine) differ(why string) {
	m.differs = true
	m.letGo("this member's state differs from the ensemble's")
	m.mu.Lock()
	was := m.serves()
	m.role = peer.Role{}
	m.over()
	close(m.changed)
	m.changed = make(chan struct{})
	m.mu.Unlock()
	m.take(was, "this member's state differs from the ensemble's")
	m.setAside()
	m.resync(why)
}

// resync has the state taken from the leader. It may be called by any goroutine.
func (m *machine) resync(why string) {
	m.mu.Lock()
	m.unfit = true
	m.mu.Unlock()
	m.s.engine.Metrics.Resyncs.Add(1)
	m.peer.Resync(why)
}

// restored notes that another state is in force.
func (m *machine) restored(differs bool) {
	m.differs, m.doubt = false, differs
	m.mu.Lock()
	unfit := m.unfit
	m.unfit = false
	m.mu.Unlock()
	if unfit {
		m.awaitQuorum()
	}
}

// told says that the state differs after a transaction of the ensemble.
func (m *machine) told(d *request.Difference) {
	m.s.log.Error("the state of this member differs from the leader's: it stops serving and takes the leader's",
		"zxid", fmt.Sprintf("0x%x", uint64(d.Zxid)), "leader", fmt.Sprintf("%x", d.Want), "member", fmt.Sprintf("%x", d.Have))
	m.differ(d.Error())
}

// setAside writes the state to a file beside the data, aside.
func (m *machine) setAside() {
	source := &frozenSource{f: m.s.engine.Freeze()}
	m.s.task(func() {
		defer source.f.View.Close()
		info, err := m.s.store.SetAside(m.s.snapshots.ctx, source)
		if err != nil {
			m.s.log.Warn("the differing state could not be kept", "error", err)
			return
		}
		m.s.log.Info("the differing state was kept", "file", info.Path, "znodes", info.Nodes)
	})
}

// doubtful deals with a state that differed already where the log on the disk ends,
// when it is to be served. A learner takes its leader's. A leader gives its role to
// somebody whose state may not differ, once: if all are alike, one has to lead. It is
// true if the state is not to be served now.
func (m *machine) doubtful(leads bool) bool {
	if !m.doubt || !leads && !m.resyncDue() {
		return false
	}
	m.doubt = false
	if !leads {
		m.s.log.Error("what this member had on its disk differs from the ensemble's state: it takes the leader's")
		m.differ("what was on the disk differs from the digest in the log")
		return true
	}
	m.s.log.Error("what this leader had on its disk differs from the digest in the log: it hands over, if somebody is in sync")
	m.s.task(func() { m.s.member.handOver(false) })
	return false
}

// unsound is told why a state could not be written or sent. It is for any goroutine.
func (m *machine) unsound(err error) {
	if errors.Is(err, errUnsound) && m.resyncDue() {
		m.s.log.Error("the state of this member is not sound: it stops serving and is loaded anew", "error", err)
		m.resync(err.Error())
	}
}

// Walk is storage.SnapshotSource's.
func (f *memberFrozen) Walk(yield func(path string, data []byte, acl int64, stat *proto.StatPersisted) error) error {
	err := f.frozenSource.Walk(yield)
	if f.unsound != nil {
		f.unsound(err)
	}
	return err
}
