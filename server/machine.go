package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/internal/zab"
)

// machine joins the engine and the agreement of an ensemble: to the agreement it
// is the state machine, to the engine the ensemble.
type machine struct {
	s    *Server
	peer *peer.Peer // set before anything is served
	// loaded tells where the state came from. It belongs to who calls the machine.
	loaded storage.Loaded
	// touched is when the leader was last told of sessions, on the server's clock.
	touched atomic.Int64

	mu      sync.Mutex
	role    peer.Role
	began   time.Time       // the role
	config  *zab.Membership // in force
	removed bool            // from the ensemble, by a reconfiguration
	term    context.Context // of the role; it is over when the member stops serving
	over    context.CancelFunc
	changed chan struct{} // closed when the role changes
	looks   bool          // for a leader
	grace   *time.Timer   // until it serves read-only clients while it looks
	failed  bool

	kept     kept
	uplink   atomic.Uint64 // a zab.Link: the connection to the leader in the present role
	yielding chan struct{} // has room for one who hands over

	farewell map[int64]struct{} // what the leader has said; of the goroutine that calls the machine

	// Only the goroutine that calls the machine uses these.
	differs bool // the state differs and is not to be changed or served
	doubt   bool // the state differed where the log that it was loaded from ends

	resynced time.Time // when a difference was acted upon last
	unfit    bool      // the state differs, and nobody is to read it
}

func newMachine(s *Server, active *zab.Membership) *machine {
	m := &machine{s: s, config: active, changed: make(chan struct{}), yielding: make(chan struct{}, 1)}
	m.term, m.over = context.WithCancel(context.Background())
	return m
}

// await waits until the member's role is as it should be, or ctx ends.
func (m *machine) await(ctx context.Context, ok func(peer.Role) bool) {
	for {
		m.mu.Lock()
		role, changed := m.role, m.changed
		m.mu.Unlock()
		if ok(role) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// mode is the member's role as operators see it.
func (m *machine) mode() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.removed:
		return "removed"
	case m.s.engine.ReadsOnly():
		return "read-only"
	case !m.role.Serving():
		return "looking"
	case m.role.State == zab.Leading:
		return "leader"
	case m.role.State == zab.Observing:
		return "observer"
	}
	return "follower"
}

// memberState is a state that is not in force.
type memberState struct {
	*state
	digest bool
	loaded storage.Loaded
}

// NewState is peer.Machine's, like the methods that follow.
func (m *machine) NewState() peer.State {
	return &memberState{state: newState(m.s.treeOptions(), m.s.log), digest: m.s.cfg.Storage.Digest}
}

// Apply is peer.State's.
func (s *memberState) Apply(entry []byte) error { return s.apply(entry) }

// Close is peer.State's.
func (s *memberState) Close() { s.drop() }

// Loaded is peer.State's.
func (s *memberState) Loaded(l storage.Loaded) { s.loaded = l }

// Digest is peer.State's.
func (s *memberState) Digest(zxid int64) (storage.SnapshotDigest, bool) {
	s.whole()
	return storage.SnapshotDigest{Zxid: zxid, Version: txn.DigestVersion, Value: s.tree.Digest()}, s.digest
}

// Source is peer.State's.
func (s *memberState) Source(zxid int64) peer.Frozen {
	s.whole()
	s.tree.Lock()
	defer s.tree.Unlock()
	s.tree.SetZxid(zxid)
	return &memberFrozen{frozenSource: frozenSource{request.Frozen{View: s.tree.Freeze(), Sessions: maps.Clone(s.sessions)}, s.digest}}
}

// whole makes an empty tree of none.
func (s *memberState) whole() {
	if s.tree == nil {
		s.tree = tree.New(s.opts)
	}
	s.tree.AddConfigNode()
}

// memberFrozen is a frozen state that can be given up.
type memberFrozen struct {
	frozenSource
	unsound func(error) // nil for one that was not served
}

// Close is peer.Frozen's.
func (f *memberFrozen) Close() { f.f.View.Close() }

func (m *machine) Restore(s peer.State) {
	failpoint.Pass(failpoint.Restore)
	m.letGo("this member's state was replaced")
	st := s.(*memberState)
	st.whole()
	m.s.engine.Install(st.tree, st.sessions, int(st.loaded.Replayed))
	m.s.snapshots.loaded(st.loaded.Snapshot)
	m.loaded = st.loaded
	m.configure()
	m.restored(st.differs)
}

func (m *machine) Apply(entries []zab.Entry) {
	if m.failed || m.differs {
		return
	}
	err := m.s.engine.Commit(len(entries), func(i int) []byte { return entries[i].Data })
	var d *request.Difference
	switch {
	case errors.As(err, &d):
		m.told(d)
	case err != nil:
		m.failed = true
		m.s.member.ends <- m.s.engine.Err()
	}
}

func (m *machine) Freeze() peer.Frozen {
	return &memberFrozen{frozenSource{m.s.engine.Freeze(), m.s.cfg.Storage.Digest}, m.unsound}
}

func (m *machine) Serve(r peer.Role) {
	m.mu.Lock()
	was, looked, epoch := m.serves(), m.looks, m.role.Epoch
	m.role, m.began, m.looks = r, time.Now(), r.State == zab.Looking
	if looked && m.looks {
		m.mu.Unlock()
		return // it may read by now, and goes on
	}
	m.over()
	close(m.changed)
	m.changed = make(chan struct{})
	is := m.serves()
	m.mu.Unlock()
	if was && !is && m.keep(epoch) {
		was = false
	}
	m.take(was, "this member has no leader, or a new one")
	m.awaitQuorum()
}

// leastGrace is how long a member is without a leader, at least, before it serves
// read-only clients: an election is over sooner.
const leastGrace = 2 * time.Second

// awaitQuorum lets a member that looks for a leader read after a while.
func (m *machine) awaitQuorum() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endGrace()
	if m.looks && m.s.cfg.Ensemble.ReadOnly {
		looking := m.changed
		m.grace = time.AfterFunc(max(leastGrace, m.s.cfg.TickTime), func() { m.read(looking) })
	}
}

// read serves read-only clients, unless the role in which that was planned is over.
func (m *machine) read(looking chan struct{}) {
	m.letGo("this member has found no leader")
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changed != looking || !m.looks || m.removed || m.unfit {
		return
	}
	m.s.engine.ReadOnly()
	m.s.log.Warn("serving read-only clients: there is no quorum", "zxid", fmt.Sprintf("0x%x", uint64(m.s.engine.Zxid())))
}

// stopReading forgets that the member is to read.
func (m *machine) stopReading() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks = false
	m.endGrace()
}

// endGrace forgets the timer. The lock is held.
func (m *machine) endGrace() {
	if m.grace != nil {
		m.grace.Stop()
		m.grace = nil
	}
}

// serves tells whether clients are served in the present role: not by a member
// that was removed, whose clients are to go to the others. The lock is held.
func (m *machine) serves() bool { return m.role.Serving() && !m.removed }

// take takes up the present role; was is whether clients were served before, and
// reason why they are not in what was.
func (m *machine) take(was bool, reason string) {
	m.mu.Lock()
	r, is := m.role, m.serves()
	m.mu.Unlock()
	e := m.s.engine
	m.farewell = nil
	if was || !is && !m.keeps() {
		e.Rest()
		m.s.listener.CloseAll(reason)
	}
	if !is {
		return
	}
	if m.doubtful(r.Leads()) {
		return
	}
	failpoint.Pass(failpoint.Serve)
	m.mu.Lock()
	m.over()
	m.term, m.over = context.WithCancel(context.Background()) // not before Rest: it waits for proposals of the last
	m.mu.Unlock()
	m.uplink.Store(uint64(r.Uplink))
	m.goOn(r)
	m.s.log.Info("serving", "role", m.mode(), "leader", r.Leader, "epoch", r.Epoch, "zxid", fmt.Sprintf("0x%x", uint64(e.Zxid())))
}

// Requests is peer.Machine's.
func (m *machine) Requests(learner zab.Link, epoch int64, asked []wire.ClientRequest) {
	for len(asked) > 0 {
		n := slices.IndexFunc(asked, func(r wire.ClientRequest) bool { return proto.Op(r.Op) == proto.OpSync })
		if n < 0 {
			m.forwarded(learner, epoch, asked)
			return
		}
		m.forwarded(learner, epoch, asked[:n])
		// A member of quoll's that asks for itself sends no number, and waits for
		// what it has forwarded before.
		m.s.engine.RemoteSync(owner(learner), epoch, asked[n].Cxid != 0, func() { m.peer.Sync(learner, &zab.Message{Type: zab.Sync}) })
		asked = asked[n+1:]
	}
}

// forwarded hands writes of a learner to the engine.
func (m *machine) forwarded(learner zab.Link, epoch int64, asked []wire.ClientRequest) {
	if len(asked) == 0 {
		return
	}
	m.s.engine.Remote(owner(learner), epoch, func(yield func(request.Forwarded) bool) {
		var known identities
		for i := range asked {
			r := &asked[i]
			if !yield(request.Forwarded{Session: r.Session, Xid: r.Cxid, Op: proto.Op(r.Op), Body: r.Body, IDs: known.of(r.Auth)}) {
				return
			}
		}
	})
}

// Free is peer.Machine's.
func (m *machine) Free(filled []byte) { m.s.engine.Free(filled) }

// Answered is peer.Machine's.
func (m *machine) Answered(learner zab.Link) { m.s.engine.Answered(owner(learner)) }

// Left is peer.Machine's.
func (m *machine) Left(learner zab.Link) { m.s.engine.Left(owner(learner)) }

// identities translates those of requests. Neighbours often have the same.
type identities struct {
	wire []wire.Identity
	ids  []auth.ID
}

func (k *identities) of(list []wire.Identity) []auth.ID {
	if k.ids == nil || !slices.Equal(k.wire, list) {
		k.wire, k.ids = list, make([]auth.ID, len(list))
		for i, id := range list {
			k.ids[i] = auth.ID(id)
		}
	}
	return k.ids
}

func (m *machine) Received(messages []zab.Upcall) {
	for i := range messages {
		if err := m.received(&messages[i]); err != nil {
			m.s.log.Warn("a message of another member was dropped", "type", messages[i].Msg.Type.String(), "error", err)
		}
	}
}

func (m *machine) received(u *zab.Upcall) error {
	e, owner := m.s.engine, owner(u.Link)
	switch u.Msg.Type {
	case zab.Revalidate:
		return m.revalidate(u, owner)
	case zab.Ping:
		touches, err := peer.Touches(u.Msg)
		if err != nil {
			return err
		}
		for t := range touches {
			e.Heard(owner, t.Session, t.Timeout)
		}
	case zab.Sync:
		e.Synced()
	case zab.Farewell:
		return m.bidFarewell(u.Msg)
	}
	return nil
}

// revalidate answers a learner's question, or takes the leader's answer.
func (m *machine) revalidate(u *zab.Upcall, owner session.Owner) error {
	e := m.s.engine
	if !e.Leads() { // the answer: an observer's question is none of a follower's
		id, valid, err := peer.Revalidated(u.Msg)
		if err == nil {
			e.Renewed(id, valid)
		}
		return err
	}
	t, err := peer.Revalidation(u.Msg)
	if err != nil {
		return err
	}
	e.Own(owner, t.Session, t.Timeout, func(valid bool) { m.peer.Reply(u.Link, peer.RevalidatedMessage(t.Session, valid)) })
	return nil
}

// owner is a learner as the owner of sessions.
func owner(l zab.Link) session.Owner { return session.Owner(l) + request.LocalOwner + 1 }

func (m *machine) Confirmed(r zab.Read) {
	if r.OK {
		m.s.engine.Confirmed(r.Token)
	}
}

// configure shows the configuration in force in the tree.
func (m *machine) configure() {
	m.mu.Lock()
	c := m.config
	m.mu.Unlock()
	m.s.engine.ShowConfig(c.Text, c.Version)
}

func (m *machine) Touched() (touches []wire.Touch) {
	// Confirmed reads make the leader ask far more often than sessions need it.
	now := m.s.clock.Now()
	if last := m.touched.Load(); now-last < m.s.cfg.TickTime.Milliseconds()/20 || !m.touched.CompareAndSwap(last, now) {
		return nil
	}
	m.s.engine.Touched(func(id int64, timeout int32) {
		touches = append(touches, wire.Touch{Session: id, Timeout: timeout})
	})
	return touches
}

// Propose is request.Ensemble's, like the methods that follow.
func (m *machine) Propose(p request.Proposal) error {
	b := peer.Batch{Records: p.Records, Filled: p.Filled, Config: p.Config}
	if p.Config != nil {
		b.Farewell = m.farewells()
	}
	return m.peer.Propose(m.termNow(), b)
}

func (m *machine) termNow() context.Context {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.term
}

func (m *machine) Forward(list []request.Forwarded) {
	m.peer.Forward(zab.Link(m.uplink.Load()), len(list), func(yield func(*wire.ClientRequest) bool) {
		var identities [4]wire.Identity
		var r wire.ClientRequest
		for i := range list {
			f := &list[i]
			r = wire.ClientRequest{Session: f.Session, Cxid: f.Xid, Op: int32(f.Op), Body: f.Body, Auth: identities[:0]}
			for _, id := range f.IDs {
				r.Auth = append(r.Auth, wire.Identity(id))
			}
			if !yield(&r) {
				return
			}
		}
	})
}

func (m *machine) Confirm(token uint64) { m.peer.ConfirmRead(token) }

func (m *machine) Revalidate(id int64, timeout int32) {
	m.peer.Ask(peer.RevalidateMessage(id, timeout))
}

func (m *machine) Roll() { m.peer.Roll() }
