package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/authn"
	"github.com/quollhq/quoll/internal/peer/socket"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/zab"
)

// handOverTime is how long a leader that is told to stop may take to hand its
// role over.
const handOverTime = 300 * time.Millisecond

// member is what a server of an ensemble has besides.
type member struct {
	machine *machine
	stop    context.CancelFunc
	done    chan struct{} // closed when the peer has ended
	ends    chan error    // why it ended by itself: the state machine's reason, and the peer's
}

// joinEnsemble loads the data, and starts the agreement with other members.
func (s *Server) joinEnsemble(ctx context.Context) error {
	c := &s.cfg
	active, err := peer.Membership(c.Ensemble.Membership)
	if err != nil {
		return err
	}
	if s.store, err = storage.Open(s.storageOptions()); err != nil {
		return err
	}
	m := newMachine(s, active)
	s.member = &member{machine: m, ends: make(chan error, 2)}
	s.assemble(ctx, &state{tree: tree.New(s.treeOptions()), sessions: make(map[int64]int32)}, m)
	s.snapshots.failed = m.unsound
	cfg, err := s.peerConfig(ctx, m, active)
	if err != nil {
		return err
	}
	start := time.Now()
	if m.peer, err = peer.New(ctx, cfg); err != nil {
		return errors.Join(err, cfg.Election.Close(), cfg.Quorum.Close())
	}
	s.noteLoaded(m.loaded, s.znodes(), time.Since(start))
	s.runPeer(m.peer)
	return nil
}

func (s *Server) runPeer(p *peer.Peer) {
	ctx, stop := context.WithCancel(context.Background())
	s.member.stop, s.member.done = stop, make(chan struct{})
	go func() {
		err := p.Run(ctx)
		if err != nil {
			s.member.ends <- err
		}
		close(s.member.done)
	}()
}

// peerConfig opens the ports for members and says how the peer is to be.
func (s *Server) peerConfig(ctx context.Context, m *machine, active *zab.Membership) (peer.Config, error) {
	c := &s.cfg
	e := &c.Ensemble
	p := peer.Config{
		ID: c.MyID, Active: active, Reconfig: e.Reconfig, Store: s.store, Machine: m,
		MultiAddress: e.Multi.Enabled, Tick: c.TickTime, InitLimit: e.InitLimit, SyncLimit: e.SyncLimit,
		MinNotification: e.Election.MinNotification, MaxNotification: e.Election.MaxNotification,
		ConnectLimit: e.ConnectLimit, ConnectRetry: e.Learner.ConnectRetryDelay, ReplayFactor: e.SnapshotSizeFactor,
		ObserverMasterPort: e.ObserverMasterPort, MaxSnapSyncs: e.Leader.MaxSnapSyncs, MaxDiffSyncs: e.Leader.MaxDiffSyncs,
		CommitLog: e.CommitLogCount, MaxPacket: s.maxEntry(), Logger: s.log,
	}
	if e.Next != nil {
		next, err := peer.Membership(*e.Next)
		if err != nil {
			return p, err
		}
		p.LastSeen = next
	}
	if e.Reconfig {
		files, err := config.NewDynamicFiles(c)
		if err != nil {
			return p, err
		}
		p.SaveConfig = func(inForce bool, z *zab.Membership) error {
			parsed, err := config.ParseMembership(string(z.Text), e.Multi.Enabled)
			if err != nil {
				return err
			}
			if inForce {
				return files.SaveActive(parsed)
			}
			return files.SaveNext(parsed)
		}
	}
	authenticator, err := authn.FromConfig(c, m.hosts, s.log)
	if err != nil {
		return p, err
	}
	if authenticator != nil {
		p.Authenticator = authenticator
	}
	election, quorum, err := socket.FromConfig(c, s.log)
	if err != nil {
		return p, err
	}
	if election.TLS != nil {
		s.task(func() { election.TLS.Watch(ctx) })
	}
	p.Dial, p.DialElection = quorum.Dial, election.Dial
	return p, s.listenForMembers(ctx, &p, election, quorum)
}

// listenForMembers opens the election and the quorum port.
func (s *Server) listenForMembers(ctx context.Context, p *peer.Config, election, quorum socket.Options) error {
	e := &s.cfg.Ensemble
	own, ok := e.Membership.Find(s.cfg.MyID)
	if !ok {
		return fmt.Errorf("server.%d (myid) is not among the members of the configuration", s.cfg.MyID)
	}
	elections, quorums := socket.Addresses(own, false)
	line := fmt.Sprintf("server.%d", s.cfg.MyID)
	p.ListenElection, p.ListenQuorum = s.listenFor(line, "elections", election), s.listenFor(line, "the leader", quorum)
	p.ListenObservers = s.listenFor("observerMasterPort", "observers", quorum)
	var err error
	if p.Election, err = p.ListenElection(ctx, elections); err != nil {
		return err
	}
	if p.Quorum, err = p.ListenQuorum(ctx, quorums); err != nil {
		return errors.Join(err, p.Election.Close())
	}
	return nil
}

// listenFor opens a port for members, which a key says.
func (s *Server) listenFor(key, what string, o socket.Options) peer.Listen {
	e := &s.cfg.Ensemble
	return func(ctx context.Context, at []wire.Address) (net.Listener, error) {
		if e.ListenOnAllIPs {
			at = slices.Clone(at)
			for i := range at {
				at[i].Host = ""
			}
		}
		l, err := o.ListenAll(ctx, at, e.Election.BindRetry)
		if err != nil {
			hint := key + " at all members"
			if !e.ListenOnAllIPs {
				hint += ", or let this one listen at all of its addresses by quorumListenOnAllIPs=true"
			}
			return nil, fmt.Errorf("cannot listen for members (%s, port of %s): %w", key, what, taken(err, hint))
		}
		return l, nil
	}
}

// errAlone is for what only a member of an ensemble can do.
var errAlone = errors.New("this server is no member of an ensemble")

// errNoHeir is for a leader that goes on leading.
var errNoHeir = errors.New("this member leads on: no other one has everything")

// handOver lets another member lead, and waits until this one serves under it.
func (m *machine) handOver(ctx context.Context) (leader int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*m.s.cfg.TickTime)
	defer cancel()
	if err := m.yield(ctx, false); err != nil {
		return 0, err
	}
	m.await(ctx, func(r peer.Role) bool { return r.Serving() && r.Leader != m.s.cfg.MyID })
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.role.Leads():
		return 0, errNoHeir
	case !m.role.Serving():
		return 0, fmt.Errorf("this member leads no more, and does not know so far who does: %w", ctx.Err())
	}
	return m.role.Leader, nil
}

// runs tells whether the peer was started. It closes the store.
func (m *member) runs() bool { return m.done != nil }

// leave ends the agreement.
func (m *member) leave() {
	if !m.runs() {
		return
	}
	m.stop()
	<-m.done
	m.machine.stopReading()
	m.machine.letGo("this member has stopped")
}

// handOver gives a leader's role to another member, if one takes it in time, and waits
// for that: what clients of this member have asked for meanwhile is for the next leader.
func (m *member) handOver(leaves bool) {
	ctx, cancel := context.WithTimeout(context.Background(), handOverTime)
	defer cancel()
	if m.machine.yield(ctx, leaves) == nil { // only a leader can, and it need not work out
		m.machine.await(ctx, func(r peer.Role) bool { return r.Serving() })
	}
}
