package peer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/peertest"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/zab"
)

// ensemble is members on the loopback interface.
type ensemble struct {
	*peertest.Watched
	t       testing.TB
	members []*peertest.Member
	config  config.Membership
}

// newEnsemble makes voters and then observers. They do not run so far.
func newEnsemble(t testing.TB, voters, observers int) *ensemble {
	e := &ensemble{t: t, Watched: peertest.NewWatched(t)}
	ports := peertest.FreePorts(t, 2*(voters+observers))
	for i := range voters + observers {
		election, quorum := ports[2*i], ports[2*i+1]
		m := &peertest.Member{ID: int64(i + 1), Dir: filepath.Join(t.TempDir(), "data"), Election: peertest.Address(election), Quorum: peertest.Address(quorum)}
		e.members = append(e.members, m)
		line := config.Member{ID: m.ID, Addrs: []config.PeerAddr{{Host: "127.0.0.1", Quorum: quorum, Election: election}}}
		if i >= voters {
			line.Role = config.ObserverRole
		}
		e.config.Members = append(e.config.Members, line)
	}
	return e
}

func (e *ensemble) start(ids ...int64) {
	e.t.Helper()
	for _, id := range ids {
		e.members[id-1].Start(e.t, e.Watched, e.config)
	}
}

// leader waits until all running members serve under one leader, and returns it.
func (e *ensemble) leader() (leader *peertest.Member) {
	e.t.Helper()
	e.Await("a leader that all follow", func() bool {
		leader = nil
		for _, m := range e.members {
			if m.Running() && m.Role.Leads() {
				leader = m
			}
		}
		return leader != nil && e.all(func(m *peertest.Member) bool {
			return m.Role.Serving() && m.Role.Leader == leader.ID && m.Role.Epoch == leader.Role.Epoch
		})
	})
	return leader
}

// all tells whether something is so for all members that run.
func (e *ensemble) all(ok func(*peertest.Member) bool) bool {
	return !slices.ContainsFunc(e.members, func(m *peertest.Member) bool { return m.Running() && !ok(m) })
}

// propose lets a leader propose n znodes behind all that it has, and waits until every running member has them.
func (e *ensemble) propose(leader *peertest.Member, n int) {
	e.t.Helper()
	next := max(leader.Role.NextZxid, leader.Zxid+1)
	if err := leader.Peer.Propose(context.Background(), peertest.Creates(next, n, []byte("data"))); err != nil {
		e.t.Fatal(err)
	}
	last := next + int64(n) - 1
	e.Await(fmt.Sprintf("transaction %x", last), func() bool {
		return e.all(func(m *peertest.Member) bool { return m.Zxid >= last })
	})
}

// agree sees that all running members have the same.
func (e *ensemble) agree() {
	e.t.Helper()
	var first *peertest.Member
	for _, m := range e.members {
		switch {
		case !m.Running():
		case first == nil:
			first = m
		case m.Content() != first.Content() || m.Digest() != first.Digest():
			e.t.Errorf("members %d and %d differ:\n%s\n%s", first.ID, m.ID, first.Content(), m.Content())
		}
	}
}

func TestThreeMembers(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	e.start(1, 2, 3)
	first := e.leader()
	for range 20 {
		e.propose(first, 50)
	}
	e.agree()
	epoch := first.Role.Epoch
	first.Stop()
	second := e.leader()
	if second.Role.Epoch <= epoch {
		t.Fatalf("epoch %d follows %d", second.Role.Epoch, epoch)
	}
	e.propose(second, 10)
	e.start(first.ID)
	if l := e.leader(); l != second {
		t.Fatalf("member %d leads, and member %d did", l.ID, second.ID)
	}
	e.propose(second, 10)
	e.agree()
}

// What was acknowledged is there after all members have stopped.
func TestRestartOfAll(t *testing.T) {
	e := newEnsemble(t, 3, 1)
	e.start(1, 2, 3, 4)
	e.propose(e.leader(), 100)
	content := e.members[0].Content()
	for _, m := range e.members {
		m.Stop()
	}
	e.start(1, 2, 3, 4)
	leader := e.leader()
	e.agree()
	if got := leader.Content(); got != content {
		t.Fatalf("got %s, want %s", got, content)
	}
	e.propose(leader, 3)
	e.agree()
}

// A member that is far behind gets the whole state.
func TestSnap(t *testing.T) {
	e := newEnsemble(t, 3, 1)
	for _, m := range e.members {
		m.Configure = func(c *peer.Config) { c.CommitLog = 10 }
	}
	e.start(1, 2)
	leader := e.leader()
	for range 10 {
		e.propose(leader, 30)
	}
	e.start(3, 4)
	e.leader()
	e.agree()
	e.propose(leader, 30)
	e.agree()
	for _, id := range []int64{3, 4} { // the state is on their disks
		e.members[id-1].Stop()
		e.start(id)
	}
	e.leader()
	e.agree()
}

// Leader and learners use the memory of transactions again, and all have the same state: so has one that comes back, and is
// sent what is in memory. What the youngest transactions lie in is not used again, and nothing once the role has changed.
func TestMemoryComesBack(t *testing.T) {
	const batches, size, window = 300, 10, 20
	e := newEnsemble(t, 3, 1)
	for _, m := range e.members {
		m.Configure = func(c *peer.Config) { c.CommitLog = window }
	}
	e.start(1, 2, 3, 4)
	leader := e.leader()
	next, filled := leader.Role.NextZxid, 0
	propose := func() {
		t.Helper()
		b := peertest.Creates(next, size, []byte(strings.Repeat("x", 100)))
		if b.Records, b.Filled = leader.Memory.Copy(b.Records, 1<<10); b.Filled != nil {
			filled++
		}
		if err := leader.Peer.Propose(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		next += size
	}
	applied := func() {
		t.Helper()
		e.Await("all of it", func() bool { return e.all(func(m *peertest.Member) bool { return m.Zxid == next-1 }) })
	}
	for range batches {
		propose()
	}
	applied()
	for before := filled; filled == before; {
		propose() // until another piece is filled, and then what makes its transactions old
	}
	kept := filled - 1
	for range 2*window/size + 1 {
		propose()
		applied()
	}
	e.Await("memory", func() bool { return leader.Freed == filled })
	if kept < 3 {
		t.Errorf("%d pieces were filled before", kept)
	}
	e.agree()
	late := e.members[leader.ID%3]
	late.Stop()
	propose()
	e.start(late.ID)
	e.leader()
	applied()
	e.agree()
	for before := filled; filled == before; {
		propose()
	}
	applied()
	old, freed := leader, leader.Freed // the youngest lie in the piece that was filled last
	if err := leader.Peer.HandOver(context.Background(), nil, false); err != nil {
		t.Fatal(err)
	}
	e.Await("another leader", func() bool {
		return e.all(func(m *peertest.Member) bool { return m.Role.Serving() && m.Role.Epoch > next>>32 })
	})
	if leader = e.leader(); leader == old {
		t.Fatal("it still leads")
	}
	for range 10 {
		e.propose(leader, 2*window)
	}
	e.agree()
	if old.Freed != freed {
		t.Errorf("%d pieces came back from an earlier role", old.Freed-freed)
	}
}

// A member that is behind what is in memory gets the log of the leader's disk, if that is short.
func TestReplay(t *testing.T) {
	for name, c := range map[string]struct {
		factor   float64
		restored int
	}{"log": {1e6, 1}, "state": {-1, 2}} {
		t.Run(name, func(t *testing.T) {
			e := newEnsemble(t, 3, 0)
			for _, m := range e.members {
				m.Configure = func(cfg *peer.Config) { cfg.CommitLog, cfg.ReplayFactor = 10, c.factor }
			}
			e.start(1, 2, 3)
			leader := e.leader()
			e.propose(leader, 5)
			late := e.members[leader.ID%3]
			late.Stop()
			for range 10 {
				e.propose(leader, 20)
			}
			e.start(late.ID)
			e.leader()
			e.agree()
			e.propose(leader, 20)
			e.agree()
			if late.Restored != c.restored {
				t.Errorf("%d states were put in force, want %d", late.Restored, c.restored)
			}
		})
	}
}

// What a leader has logged and nobody else has is cut when it comes back.
func TestTrunc(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	e.start(1, 2, 3)
	old := e.leader()
	e.propose(old, 20)
	followers := slices.DeleteFunc(slices.Clone(e.members), func(m *peertest.Member) bool { return m == old })
	last := old.Zxid
	e.alone(old, followers, last)
	for _, m := range followers {
		e.start(m.ID)
	}
	e.leader()
	e.propose(e.leader(), 5)
	e.start(old.ID)
	e.leader()
	e.agree()
	e.propose(e.leader(), 5)
	e.agree()
}

// A member that has lost its data, and is not to begin without any, has no say however often it is started, until it has
// the leader's state.
func TestLostData(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	e.start(1, 2, 3)
	e.propose(e.leader(), 20)
	for _, m := range e.members {
		m.Stop()
	}
	lost := e.members[2]
	lost.NoDBCreate = true
	if err := os.RemoveAll(lost.Dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		e.start(lost.ID)
		lost.Stop()
		if !unknown(t, lost.Dir) {
			t.Fatal("the member takes its empty state for the ensemble's")
		}
	}
	e.start(1, 2, 3)
	e.leader()
	e.agree()
	lost.Stop()
	if unknown(t, lost.Dir) {
		t.Error("the member does not believe the leader's state")
	}
	e.start(lost.ID)
	e.propose(e.leader(), 5)
	e.agree()
}

// unknown tells what a start on a data directory would make of it.
func unknown(t *testing.T, dir string) bool {
	t.Helper()
	store, err := storage.Open(storage.Options{Dirs: storage.Dirs{Data: dir}, Preallocate: -1, NoDBCreate: true})
	if err != nil {
		t.Fatal(err)
	}
	state := (&peertest.Machine{}).NewState()
	defer state.Close()
	loaded, err := store.Load(t.Context(), state, state.Apply)
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	return loaded.Unknown
}

// alone stops all members, and lets one have more in its log than the others.
func (e *ensemble) alone(old *peertest.Member, others []*peertest.Member, last int64) {
	e.t.Helper()
	for _, m := range others {
		m.Stop()
	}
	old.Stop()
	appendToLog(e.t, storage.Options{Dirs: storage.Dirs{Data: old.Dir}, Preallocate: -1}, peertest.Creates(last+1, 3, []byte("lost")))
}

// A member whose disk fails says nothing more and ends; the others go on.
func TestFailedSync(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	disks := map[int64]*sim.Disk{}
	for _, m := range e.members {
		disks[m.ID] = sim.NewDisk()
		m.FS, m.Dir = disks[m.ID], "/data"
	}
	e.start(1, 2, 3)
	leader := e.leader()
	e.propose(leader, 10)
	broken := errors.New("the disk is broken")
	disks[leader.ID].SetFault(func(op sim.Op) error {
		if op.Kind == sim.OpSync {
			return broken
		}
		return nil
	})
	if err := leader.Peer.Propose(context.Background(), peertest.Creates(leader.Zxid+1, 1, nil)); err != nil {
		t.Fatal(err)
	}
	if err := leader.Wait(); !errors.Is(err, broken) || !errors.Is(err, storage.ErrFinal) {
		t.Fatalf("it ended with %v", err)
	}
	if err := leader.Peer.HandOver(context.Background(), nil, false); !errors.Is(err, peer.ErrStopped) {
		t.Errorf("HandOver after the end: %v", err)
	}
	second := e.leader()
	e.propose(second, 10)
	disks[leader.ID].SetFault(nil)
	e.start(leader.ID)
	e.propose(e.leader(), 10)
	e.agree()
}

func TestHandOver(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	e.start(1, 2, 3)
	first := e.leader()
	e.propose(first, 20)
	epoch := first.Role.Epoch
	if err := first.Peer.HandOver(context.Background(), nil, false); err != nil {
		t.Fatal(err)
	}
	e.Await("a new term", func() bool {
		return e.all(func(m *peertest.Member) bool { return m.Role.Serving() && m.Role.Epoch > epoch })
	})
	if second := e.leader(); second == first {
		t.Fatal("it still leads")
	}
	e.agree()
}

// Batches that are under way while the lead changes hands are committed or dropped, and nothing else comes of them.
func TestHandOverUnderLoad(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	e.start(1, 2, 3)
	e.leader()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var load sync.WaitGroup
	for _, m := range e.members {
		load.Go(func() { proposeWhileLeading(ctx, m) })
	}
	for i := range 10 {
		if i == 9 { // the last term ends with nothing under way
			cancel()
			load.Wait()
		}
		leader := e.leader()
		epoch := leader.Role.Epoch
		e.Await("some writes", func() bool { return i == 9 || leader.Role.Epoch > epoch || leader.Zxid > leader.Role.NextZxid+20 })
		if err := leader.Peer.HandOver(context.Background(), nil, false); err != nil && !errors.Is(err, zab.ErrNotLeading) {
			t.Fatal(err)
		}
		e.Await("another term", func() bool {
			return e.all(func(m *peertest.Member) bool { return m.Role.Serving() && m.Role.Epoch > epoch })
		})
	}
	leader := e.leader()
	e.Await("the last write", func() bool { return e.all(func(m *peertest.Member) bool { return m.Zxid == leader.Zxid }) })
	e.agree()
}

// proposeWhileLeading proposes one batch after the other in each of a member's terms.
func proposeWhileLeading(ctx context.Context, m *peertest.Member) {
	var next, epoch int64
	for m.Until(ctx, func() bool { return m.Role.Leads() }) {
		m.Change(func() {
			if m.Role.Leads() && m.Role.Epoch != epoch {
				next, epoch = m.Role.NextZxid, m.Role.Epoch
			}
		})
		if err := m.Peer.Propose(ctx, peertest.Creates(next, 3, []byte("data"))); err != nil {
			return
		}
		next += 3
		m.Until(ctx, func() bool { return !m.Role.Leads() || m.Role.Epoch != epoch || m.Zxid > next-30 })
	}
}

// receive waits for a member's first message of a type.
func receive(m *peertest.Member, typ zab.Type) (got zab.Upcall) {
	m.Await(typ.String(), func() bool {
		i := slices.IndexFunc(m.Inbox, func(u zab.Upcall) bool { return u.Msg.Type == typ })
		if i >= 0 {
			got = m.Inbox[i]
		}
		return i >= 0
	})
	return got
}

func TestMessages(t *testing.T) {
	e := newEnsemble(t, 3, 0)
	e.start(1, 2, 3)
	leader := e.leader()
	follower := e.members[leader.ID%3]
	request := wire.ClientRequest{Session: 7, Cxid: 8, Op: 1, Body: []byte("body"), Auth: []wire.Identity{{Scheme: "ip", ID: "::1"}}}
	follower.Peer.Forward(follower.Machine.Uplink(), 1, slices.Values([]*wire.ClientRequest{&request}))
	var got peertest.Asked
	leader.Await("the request", func() bool {
		if len(leader.Asked) > 0 {
			got = leader.Asked[0]
		}
		return len(leader.Asked) > 0
	})
	if r := got.Request; r.Session != 7 || r.Cxid != 8 || string(r.Body) != "body" || r.Auth[0].ID != "::1" {
		t.Fatalf("got %+v", r)
	}
	leader.Peer.Sync(got.Learner, &zab.Message{Type: zab.Sync})
	receive(follower, zab.Sync)
	follower.Peer.Ask(peer.RevalidateMessage(7, 3000))
	question := receive(leader, zab.Revalidate)
	if touch, err := peer.Revalidation(question.Msg); err != nil || touch != (wire.Touch{Session: 7, Timeout: 3000}) {
		t.Fatalf("got %+v, %v", touch, err)
	}
	leader.Peer.Reply(question.Link, peer.RevalidatedMessage(7, true))
	if session, valid, err := peer.Revalidated(receive(follower, zab.Revalidate).Msg); err != nil || session != 7 || !valid {
		t.Fatalf("got %d, %v, %v", session, valid, err)
	}
	leader.Peer.ConfirmRead(5)
	leader.Await("the confirmation", func() bool { return len(leader.Reads) > 0 })
	if r := leader.Reads[0]; !r.OK || r.Token != 5 {
		t.Fatalf("got %+v", r)
	}
	follower.Peer.ConfirmRead(6)
	follower.Await("the refusal", func() bool { return len(follower.Reads) > 0 })
	if follower.Reads[0].OK {
		t.Fatal("a follower confirms a read")
	}
	follower.Change(func() { follower.Touches = []wire.Touch{{Session: 7, Timeout: 1000}} })
	leader.Await("the touched session", func() bool {
		return slices.ContainsFunc(leader.Inbox, func(u zab.Upcall) bool { return u.Msg.Type == zab.Ping && len(u.Msg.Data) > 0 })
	})
}
