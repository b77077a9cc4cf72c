package mixed

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/peertest"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/internal/zab"
	"github.com/quollhq/quoll/test/harness"
)

// table is an ensemble of Apache's servers and a member.
type table struct {
	*harness.Ensemble
	t       *testing.T
	members config.Membership
	member  *peertest.Member
	watched *peertest.Watched
}

// newTable has two servers of Apache's and a member in seat 3.
func newTable(t *testing.T) *table {
	t.Helper()
	return tableOf(t, 3, harness.Seat{Subject: apache()}, harness.Seat{Subject: apache()}, harness.Seat{})
}

// tableOf has the member in the seat own. Nobody runs so far.
func tableOf(t *testing.T, own int, seats ...harness.Seat) *table {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	e := harness.NewEnsemble(t, harness.EnsembleConfig{Seats: seats, Keys: map[string]string{"tickTime": "500"}})
	tb := &table{Ensemble: e, t: t, watched: peertest.NewWatched(t)}
	for i, seat := range seats {
		m := config.Member{ID: int64(i + 1), Addrs: []config.PeerAddr{{
			Host: "127.0.0.1", Quorum: int(address(t, e.QuorumAddr(i+1)).Port), Election: int(address(t, e.ElectionAddr(i+1)).Port),
		}}}
		if seat.Observer {
			m.Role = config.ObserverRole
		}
		tb.members.Members = append(tb.members.Members, m)
	}
	tb.member = &peertest.Member{ID: int64(own), Dir: filepath.Join(t.TempDir(), "data"), Quorum: e.QuorumAddr(own), Election: e.ElectionAddr(own),
		Configure: func(c *peer.Config) { c.Tick, c.InitLimit, c.SyncLimit = 500*time.Millisecond, 20, 10 }}
	return tb
}

func (tb *table) sit() { tb.t.Helper(); tb.member.Start(tb.t, tb.watched, tb.members) }

func (tb *table) client(sid int) *client.Client {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, tb.Server(sid).Addr())
	if err != nil {
		tb.t.Fatal(err)
	}
	tb.t.Cleanup(func() { _ = c.Close() })
	return c
}

// write lets a client create n znodes and waits until the member has applied the last one.
func (tb *table) write(c *client.Client, prefix string, n int) {
	tb.t.Helper()
	var last int64
	for i := range n {
		_, stat, err := c.Create2(context.Background(), fmt.Sprintf("/%s%d", prefix, i), []byte("data"))
		if err != nil {
			tb.t.Fatal(err)
		}
		last = stat.Czxid
	}
	if tb.member.Running() {
		tb.member.Await("the last write", func() bool { return tb.member.Zxid >= last })
	}
}

// A member follows Apache's servers: it is brought in line by a state, by a part of the log, and by a cut, and applies what
// their clients write with the digests that they have.
func TestFollower(t *testing.T) {
	tb := newTable(t)
	tb.Server(1).Launch()
	tb.Server(2).Launch()
	tb.Server(1).WaitReady()
	tb.Server(2).WaitReady()
	c := tb.client(2)
	tb.write(c, "before", 20)
	tb.sit()
	follows := func() {
		t.Helper()
		tb.member.Await("a leader", func() bool { return tb.member.Role.Serving() && tb.member.Role.State == zab.Following })
	}
	follows()
	tb.write(c, "during", 200)
	tb.member.Stop()
	tb.write(c, "without", 50)
	tb.sit()
	follows()
	tb.write(c, "after", 20)
	tb.member.Stop()
	appendLost(t, tb.member.Dir) // as if it had led, and fallen before anybody else had it
	for sid := range 2 {
		tb.Server(sid + 1).Kill()
		tb.Server(sid + 1).Launch()
	}
	tb.Server(1).WaitReady()
	tb.Server(2).WaitReady()
	c = tb.client(1)
	tb.write(c, "more", 20)
	tb.sit()
	follows()
	tb.write(c, "end", 20)
}

// appendLost gives the member's log a transaction that nobody else has.
func appendLost(t *testing.T, dir string) {
	t.Helper()
	store, err := storage.Open(storage.Options{Dirs: storage.Dirs{Data: dir}, Preallocate: -1})
	if err != nil {
		t.Fatal(err)
	}
	state := (&peertest.Machine{}).NewState()
	defer state.Close()
	loaded, err := store.Load(context.Background(), state, state.Apply)
	if err != nil {
		t.Fatal(err)
	}
	next := loaded.LastZxid + 1
	if err := store.Log().Append(peertest.Creates(next, 1, []byte("lost")).Records, next, next, 1); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// leaderOf answers what learners ask of a leader, as far as clients need it that only open sessions and read.
type leaderOf struct {
	tb   *table
	mu   sync.Mutex
	next int64
	seen int // of the machine's inbox
	done int // of the requests
}

// run answers until the test ends.
func (l *leaderOf) run(ctx context.Context) {
	m := l.tb.member
	for ctx.Err() == nil {
		var todo []zab.Upcall
		var asked []peertest.Asked
		m.Change(func() {
			todo, l.seen = append(todo, m.Inbox[l.seen:]...), len(m.Inbox)
			asked, l.done = append(asked, m.Asked[l.done:]...), len(m.Asked)
		})
		for _, u := range todo {
			l.answer(u)
		}
		for _, a := range asked {
			l.request(ctx, a.Learner, &a.Request)
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (l *leaderOf) answer(u zab.Upcall) {
	if u.Msg.Type != zab.Revalidate {
		return
	}
	// A client comes back to a server that was killed. Nobody ends sessions here.
	touch, err := peer.Revalidation(u.Msg)
	if err != nil {
		l.tb.t.Error(err)
		return
	}
	l.tb.member.Peer.Reply(u.Link, peer.RevalidatedMessage(touch.Session, true))
}

func (l *leaderOf) request(ctx context.Context, learner zab.Link, r *wire.ClientRequest) {
	op := proto.Op(r.Op)
	tx := txn.Txn{Header: txn.Header{ClientID: r.Session, Cxid: r.Cxid, Type: op}, Body: txn.Body{Type: op}}
	switch op {
	case proto.OpCreateSession:
		d := jute.NewDecoder(r.Body)
		tx.TimeOut = d.Int()
	case proto.OpCloseSession:
		tx.HasPaths = true
	case proto.OpSync:
		l.tb.member.Peer.Sync(learner, &zab.Message{Type: zab.Sync})
		return
	default:
		l.tb.t.Errorf("request of type %v", op)
		return
	}
	l.propose(ctx, func(zxid int64) []byte {
		tx.Zxid, tx.Time = zxid, time.Now().UnixMilli()
		b, mark := storage.BeginRecord(nil)
		return storage.EndRecord(tx.Append(b), mark)
	}, 1)
}

// propose proposes n transactions.
func (l *leaderOf) propose(ctx context.Context, make func(zxid int64) []byte, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.tb.member.Peer.Propose(ctx, peer.Batch{Records: make(l.next)}); err != nil {
		l.tb.t.Error(err)
	}
	l.next += int64(n)
}

// sees checks that a client sees what was proposed with that number.
func (tb *table) sees(c *client.Client, zxid int64) {
	tb.t.Helper()
	if err := c.Sync(context.Background(), "/"); err != nil {
		tb.t.Fatal(err)
	}
	data, _, err := c.Get(context.Background(), fmt.Sprintf("/n%x", zxid))
	if err != nil || string(data) != "data" {
		tb.t.Fatalf("%q, %v", data, err)
	}
}

// A member leads Apache's servers: it brings them in line, their clients have sessions and see what it proposes.
func TestLeader(t *testing.T) {
	tb := newTable(t)
	tb.sit()
	tb.Server(1).Launch()
	tb.member.Await("to lead", func() bool { return tb.member.Role.Leads() })
	ctx, cancel := context.WithCancel(context.Background())
	l := &leaderOf{tb: tb, next: tb.member.Role.NextZxid}
	var answering sync.WaitGroup
	answering.Go(func() { l.run(ctx) })
	defer answering.Wait()
	defer cancel()
	create := func(n int) int64 {
		l.propose(ctx, func(zxid int64) []byte { return peertest.Creates(zxid, n, []byte("data")).Records }, n)
		return l.next - 1
	}
	tb.Server(1).WaitReady()
	one := tb.client(1)
	tb.sees(one, create(700))
	tb.Server(2).Launch() // it gets a state
	tb.Server(2).WaitReady()
	two := tb.client(2)
	tb.sees(two, create(30))
	tb.sees(one, create(1))
	tb.Server(2).Kill()
	last := create(40)
	tb.Server(2).Restart() // it gets what it lacks
	tb.sees(tb.client(2), last)
	tb.sees(tb.client(2), create(5))
}
