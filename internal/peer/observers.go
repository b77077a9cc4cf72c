package peer

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/zab"
)

// contact is what is known of a quorum connection.
type contact struct {
	// route is where requests go that arrive on it: for a leader the connection itself, which stands for the machine; for
	// a follower that feeds observers the connection to the leader. nil if none may come so far.
	route    atomic.Pointer[link.Conn]
	term     int64 // the epoch of the leader that they are for; set before route
	since    time.Time
	requests atomic.Int64
	// asked is the list that requests are handed over in, of the goroutine that reads.
	asked []wire.ClientRequest
	zxid  atomic.Int64 // the last that was sent, -1 if none was
	// before is what had gone over it when it was counted anew. The loop's.
	before link.Traffic
	// sid is the member at the other end, -1 while that is unknown; observer tells that it is an observer. The loop's.
	sid      int64
	observer bool
	// waits is set while the learner at the other end has to wait: this member may be about to lead, or it is a twin. The loop's.
	waits *waiting
	// heard is when something came from it last, requests aside, and heardBefore when before that round. The loop's.
	heard, heardBefore time.Duration
	// how a learner is brought in line: DIFF, TRUNC or SNAP, 0 before; brought is how many transactions it was sent for that.
	how     zab.Type
	brought atomic.Int64
	syncs   bool  // that is under way
	acked   acked // by a learner of this leader
}

func newContact() any {
	k := &contact{since: time.Now(), sid: -1}
	k.zxid.Store(-1)
	return k
}

func contactOf(c *link.Conn) *contact { return c.Owner.(*contact) }

func noteZxid(c *link.Conn, zxid int64) { contactOf(c).zxid.Store(zxid) }

// noteSync notes how a learner is brought in line, and logs it when that is done.
func (l *loop) noteSync(c *link.Conn, t zab.Type) {
	switch k := contactOf(c); t {
	case zab.Diff, zab.Trunc, zab.Snap:
		k.how, k.syncs = t, true
		l.beganSync(t)
	case zab.Proposal:
		k.brought.Add(1)
	case zab.UpToDate:
		l.endedSync(k)
		l.p.log.Info("a learner is in sync", "sid", k.sid, "observer", k.observer, "how", strings.ToLower(k.how.String()),
			"transactions", k.brought.Load(), "took", time.Since(k.since).Round(time.Millisecond))
	}
}

// uplink is the connection of a learner to its leader, or to the follower that feeds it, while clients are served.
type uplink struct {
	conn *link.Conn

	mu sync.Mutex
	// askers are those who have asked for the syncs that are under way, in order: observers by their links, or this
	// member's machine, as 0. The leader answers in order, and does not say whom.
	askers []zab.Link
}

// forward sends n requests up. They leave in the order in which their syncs are noted: the connection's queue sees to that.
func (u *uplink) forward(asker zab.Link, n int, requests iter.Seq[*wire.ClientRequest]) {
	u.conn.Append(n, func(b []byte) []byte {
		for r := range requests {
			if proto.Op(r.Op) == proto.OpSync {
				u.note(asker)
			}
			b = wire.AppendRequest(b, r)
		}
		return b
	})
	u.conn.WriteNow()
}

func (u *uplink) note(asker zab.Link) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.askers = append(u.askers, asker)
}

// synced is who gets the answer to a sync.
func (u *uplink) synced() (asker zab.Link) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return next(&u.askers)
}

// next takes the first of those who wait; who is not known is the machine.
func next(waiting *[]zab.Link) (first zab.Link) {
	if len(*waiting) > 0 {
		first, *waiting = (*waiting)[0], (*waiting)[1:]
	}
	return first
}

// passOn sends requests of an observer to the leader. They are dropped if that is another one by now, or there is none.
func (p *Peer) passOn(c, to *link.Conn, list []wire.ClientRequest) {
	u := p.uplink.Load()
	if u == nil || u.conn != to {
		return
	}
	u.forward(zab.Link(c.ID()), len(list), func(yield func(*wire.ClientRequest) bool) {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	})
}

// relay passes on what observers ask the leader, and what it answers them. It returns what is for the machine.
func (l *loop) relay(upcalls []zab.Upcall) []zab.Upcall {
	if l.up == nil {
		return upcalls
	}
	own := upcalls[:0]
	for _, u := range upcalls {
		if u.Msg.Type == zab.Farewell {
			l.parted = l.status.Epoch
		}
		var asker zab.Link
		switch {
		case u.Msg.Type == zab.Sync:
			asker = l.up.synced()
		case u.Msg.Type == zab.Revalidate && u.Link == zab.Link(l.up.conn.ID()):
			asker = next(&l.renewers)
		case u.Msg.Type == zab.Revalidate:
			l.renewed = true
			l.ask(u.Link, u.Msg)
			continue
		case u.Msg.Type == zab.Farewell && l.renewed:
			// The leader takes the observers' sessions for this member's. Their clients may have been connected here before.
			continue
		}
		if asker == 0 {
			own = append(own, u)
			continue
		}
		l.p.zab.Reply(asker, u.Msg)
	}
	return own
}

// ask sends a REVALIDATE to the leader, of an observer or, as 0, of the machine.
func (l *loop) ask(asker zab.Link, m *zab.Message) {
	if l.p.zab.Forward(m) {
		l.renewers = append(l.renewers, asker)
	}
}

// admit lets a learner send requests. A follower passes them on to its leader.
func (l *loop) admit(c *link.Conn) {
	switch {
	case l.p.zab.Status().State == zab.Leading:
		contactOf(c).term = l.p.zab.Status().Epoch
		contactOf(c).route.Store(c)
		l.measure(contactOf(c))
	case l.p.zab.Feeds():
		contactOf(c).route.Store(l.up.conn)
	}
}

// measure has the acknowledgements of a member that follows measured.
func (l *loop) measure(k *contact) {
	if _, member := l.p.members.Load().own[k.sid]; member && !k.observer {
		k.acked = l.marks.begin(l.p.Metrics.acksOf(k.sid))
	}
}

// openToObservers has the port for observers open while this member feeds them.
func (l *loop) openToObservers() {
	var at []wire.Address
	if l.p.zab.Feeds() {
		at = withPort(l.p.members.Load().own[l.p.cfg.ID].quorum, l.p.cfg.ObserverMasterPort)
	}
	if !slices.Equal(at, l.feedsAt) {
		l.feedsAt = at
		l.p.ports.observers.move(at)
	}
}

// Learner is one that this member feeds, as operators see it.
type Learner struct {
	ID int64
	// Observer, or a follower with a vote or without.
	Observer, Voter bool
	// Synced tells that it has been sent what it lacked, and hears of everything as it happens.
	Synced bool
	Remote string
	Since  time.Time
	link.Traffic
	Requests int64 // of its clients
	Zxid     int64 // the last that it was sent, -1 if there was none
}

// Learners are those that this member feeds now, and how many syncs of theirs have no answer so far.
func (p *Peer) Learners(ctx context.Context) ([]Learner, int, error) {
	var list []Learner
	var syncs int
	err := p.call(ctx, func() {
		syncs = p.zab.PendingSyncs()
		p.loop.eachFed(func(z zab.Fed, c *link.Conn, k *contact) {
			t := c.Traffic()
			t.Sent -= k.before.Sent
			t.Received -= k.before.Received
			list = append(list, Learner{ID: z.ID, Observer: z.Observer, Voter: z.Voter, Synced: z.Synced, Remote: c.RemoteAddr().String(),
				Since: k.since, Traffic: t, Requests: k.requests.Load(), Zxid: k.zxid.Load()})
		})
	})
	if err != nil {
		return nil, 0, err // the list may be made just now
	}
	return list, syncs, nil
}

// Recount begins to count anew what goes to observers and comes from them.
func (p *Peer) Recount(ctx context.Context) error {
	return p.call(ctx, func() {
		p.loop.eachFed(func(z zab.Fed, c *link.Conn, k *contact) {
			if z.Observer {
				k.before = c.Traffic()
				k.requests.Store(0)
				k.zxid.Store(-1)
			}
		})
	})
}

func (l *loop) eachFed(f func(zab.Fed, *link.Conn, *contact)) {
	for _, z := range l.p.zab.Learners() {
		if c := l.conns[z.Link]; c != nil {
			f(z, c, contactOf(c))
		}
	}
}
