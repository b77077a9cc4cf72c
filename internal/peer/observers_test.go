package peer_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/peertest"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/zab"
)

// feeding makes an ensemble of three voters, whose followers feed observers, and of observers.
func feeding(t *testing.T, observers int) *ensemble {
	t.Helper()
	e := newEnsemble(t, 3, observers)
	port := peertest.FreePorts(t, 1)[0]
	for i, m := range e.members {
		if i < 3 { // followers have the port in common, and so not the address
			a := &e.config.Members[i].Addrs[0]
			a.Host = fmt.Sprintf("127.0.0.%d", i+1)
			m.Election, m.Quorum = fmt.Sprintf("%s:%d", a.Host, a.Election), fmt.Sprintf("%s:%d", a.Host, a.Quorum)
		}
		m.Configure = func(c *peer.Config) {
			c.ObserverMasterPort, c.CommitLog, c.ReplayFactor = port, 10, -1
			c.ListenObservers = func(_ context.Context, at []wire.Address) (net.Listener, error) {
				return net.Listen("tcp", fmt.Sprintf("%s:%d", at[0].Host, at[0].Port))
			}
		}
	}
	return e
}

// master is the follower that feeds an observer.
func (e *ensemble) master(observer *peertest.Member) *peertest.Member {
	e.t.Helper()
	var id int64
	e.Await("somebody to feed it", func() bool {
		id = observer.Role.Master
		return observer.Role.Serving() && e.members[id-1].Running() && e.members[id-1].Role.State == zab.Following
	})
	return e.members[id-1]
}

func TestFollowersFeedObservers(t *testing.T) {
	e := feeding(t, 2)
	e.start(1, 2, 3)
	leader := e.leader()
	for range 10 {
		e.propose(leader, 10) // more than is kept, so that a state is sent
	}
	e.start(4, 5)
	observer := e.members[3]
	master := e.master(observer)
	e.master(e.members[4])
	if list, _, err := leader.Peer.Learners(t.Context()); err != nil || len(list) != 2 || list[0].Observer || list[1].Observer {
		t.Errorf("the leader feeds %+v, %v", list, err)
	}
	e.propose(leader, 10)
	e.agree()

	master.Stop()
	if next := e.master(observer); next == master {
		t.Error("it is fed by a member that does not run")
	}
	e.propose(leader, 10)
	e.start(master.ID)
	e.leader()
	e.propose(leader, 10)
	e.agree()
}

// What observers ask the leader goes through their follower, and so do the answers.
func TestObserversAskTheLeader(t *testing.T) {
	e := feeding(t, 1)
	e.start(1, 2, 3, 4)
	leader := e.leader()
	observer := e.members[3]
	master := e.master(observer)

	ask := func(m *peertest.Member, session int64, op proto.Op) {
		r := wire.ClientRequest{Session: session, Op: int32(op)}
		m.Peer.Forward(m.Machine.Uplink(), 1, slices.Values([]*wire.ClientRequest{&r}))
		e.Await("the request", func() bool {
			return slices.ContainsFunc(leader.Asked, func(a peertest.Asked) bool { return a.Request.Session == session })
		})
	}
	count := func(m *peertest.Member, typ zab.Type) (n int) {
		for _, u := range m.Inbox {
			if u.Msg.Type == typ {
				n++
			}
		}
		return n
	}
	askers := []*peertest.Member{master, observer, observer, master, observer}
	for i, m := range askers {
		ask(m, int64(100+i), proto.OpSync)
	}
	ask(observer, 200, proto.OpCreate)
	e.Change(func() {
		for _, a := range leader.Asked {
			if a.Learner != leader.Asked[0].Learner {
				t.Errorf("request %d came by %d, and others by %d", a.Request.Session, a.Learner, leader.Asked[0].Learner)
			}
		}
	})
	for i := range askers {
		leader.Peer.Sync(leader.Asked[i].Learner, &zab.Message{Type: zab.Sync})
		e.Await("the answer", func() bool { return count(askers[i], zab.Sync) == occurs(askers[:i+1], askers[i]) })
	}

	for i, m := range askers {
		m.Peer.Ask(peer.RevalidateMessage(int64(300+i), 5))
		e.Await("the question", func() bool { return count(leader, zab.Revalidate) == i+1 })
	}
	var questions []zab.Upcall
	e.Change(func() {
		for _, u := range leader.Inbox {
			if u.Msg.Type == zab.Revalidate {
				questions = append(questions, u)
			}
		}
	})
	for i, u := range questions {
		leader.Peer.Reply(u.Link, peer.RevalidatedMessage(int64(300+i), i%2 == 0))
	}
	for i, m := range askers {
		e.Await(fmt.Sprint("the answer to ", i), func() bool {
			return slices.ContainsFunc(m.Inbox, func(u zab.Upcall) bool {
				if u.Msg.Type != zab.Revalidate {
					return false
				}
				session, valid, err := peer.Revalidated(u.Msg)
				return err == nil && session == int64(300+i) && valid == (i%2 == 0)
			})
		})
	}

	e.Change(func() { observer.Touches = []wire.Touch{{Session: 7, Timeout: 1000}} })
	e.Await("the touched session", func() bool {
		return slices.ContainsFunc(master.Inbox, func(u zab.Upcall) bool { return u.Msg.Type == zab.Ping && len(u.Msg.Data) > 0 })
	})
	list, _, err := master.Peer.Learners(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != 4 || !list[0].Observer || !list[0].Synced || list[0].Requests != 4 || list[0].Sent == 0 || list[0].Received < 4 {
		t.Errorf("it feeds %+v, %v", list, err)
	}
	if err := master.Peer.Recount(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, _, err := master.Peer.Learners(t.Context()); err != nil || list[0].Requests != 0 || list[0].Zxid != -1 {
		t.Errorf("counted anew: %+v, %v", list, err)
	}
}

// occurs is how often m is in the list.
func occurs(list []*peertest.Member, m *peertest.Member) (n int) {
	for _, o := range list {
		if o == m {
			n++
		}
	}
	return n
}

// A follower whose port for observers is taken follows, and feeds them as soon as it can.
func TestPortForObserversIsTaken(t *testing.T) {
	e := feeding(t, 1)
	busy, tried := make(chan struct{}), make(chan struct{}, 100)
	for _, m := range e.members[:3] {
		configure := m.Configure
		m.Configure = func(c *peer.Config) {
			configure(c)
			listen := c.ListenObservers
			c.ListenObservers = func(ctx context.Context, at []wire.Address) (net.Listener, error) {
				select {
				case <-busy:
					return listen(ctx, at)
				default:
					tried <- struct{}{}
					return nil, fmt.Errorf("port %d is taken", at[0].Port)
				}
			}
		}
	}
	e.start(1, 2, 3)
	leader := e.leader()
	<-tried
	e.propose(leader, 1)
	close(busy)
	e.start(4)
	e.master(e.members[3])
	e.propose(leader, 1)
	e.agree()
}
